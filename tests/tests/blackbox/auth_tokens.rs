//! Which tokens let a client in, where they may be, and that they are never repeated.
use e2e::{
    Client, Gateway, eventually,
    http::{self, HANDSHAKE, Response},
    token::{JWT, Pair, SECRET, forge, now, sign, token},
};
use jsonwebtoken::{Algorithm, Header};
use serde_json::json;

const BAD: &str = "/problems/bad-token";

async fn show(gateway: &Gateway, token: &str) -> Response {
    http::knock(gateway.address(), &[("Authorization", &format!("Bearer {token}"))]).await
}

/// The answer is 401 with this problem, and says how to do better.
fn assert_refused(answer: &Response, problem: &str) {
    let expected = (401, "application/problem+json".to_owned(), problem.to_owned());
    assert_eq!(answer.problem(), expected);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn without_a_token_nobody_is_let_in() {
    let gateway = Gateway::start(&JWT).await;
    assert_refused(&http::knock(gateway.address(), &[]).await, "/problems/no-token");
    for other in ["Basic Nzpwdw==", "Bearer", "Bearer ", "Token x"] {
        let answer = http::knock(gateway.address(), &[("Authorization", other)]).await;
        assert_refused(&answer, "/problems/no-token");
    }
    assert_eq!(gateway.metrics().await.sum("quadrille_connections_total", &[]), 0);
}

#[tokio::test]
async fn bad_tokens_are_refused() {
    let rsa = Pair::rsa();
    let scratch = e2e::scratch::Scratch::new();
    let file = scratch.file("id.pem", &rsa.public);
    let keys = format!(r#"[{{"file":"{file}","algorithm":"RS256","kid":"id"}}]"#);
    let settings = [
        JWT[0],
        JWT[1],
        ("auth.jwt.keys", keys.as_str()),
        ("auth.jwt.audience", "gateway"),
        ("auth.jwt.issuer", "https://id.example"),
    ];
    let gateway = Gateway::start(&settings).await;
    let claims = || json!({"sub": "7", "aud": "gateway", "iss": "https://id.example"});
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = claims();
        claims[name] = value;
        claims
    };
    let named = |kid: &str, algorithm| Header { kid: Some(kid.into()), ..Header::new(algorithm) };
    let hmac = |kid: &str| sign(&named(kid, Algorithm::HS256), claims(), SECRET.as_bytes());
    for good in [token(claims()), rsa.token(Some("id"), claims())] {
        assert_eq!(show(&gateway, &good).await.status, 101);
    }
    let public = rsa.public.as_bytes();
    let bad = [
        ("not a token", "rubbish".to_owned()),
        ("no algorithm", forge(&json!({"alg": "none"}), claims(), "")),
        ("no algorithm, in capitals", forge(&json!({"alg": "NONE", "typ": "JWT"}), claims(), "")),
        ("no signature", forge(&json!({"alg": "HS256"}), claims(), "")),
        ("an empty secret", forge(&json!({"alg": "HS256"}), claims(), "AAAA")),
        ("the public key as secret", sign(&Header::default(), claims(), public)),
        ("the same by name", sign(&named("id", Algorithm::HS256), claims(), public)),
        ("another key", Pair::rsa().token(Some("id"), claims())),
        ("another kind of key", Pair::ec().token(Some("id"), claims())),
        ("an unknown key", rsa.token(Some("other"), claims())),
        ("no name of a key", rsa.token(None, claims())),
        ("a name with another algorithm", hmac("id")),
        ("a path to nothing", hmac("../../../../../dev/null")),
        ("a path to a file", hmac(&file)),
        ("a long name", hmac(&"k".repeat(300))),
        ("no exp", token(with("exp", json!(null)))),
        ("past exp", token(with("exp", json!(now() - 60)))),
        ("exp as text", token(with("exp", json!((now() + 60).to_string())))),
        ("future nbf", token(with("nbf", json!(now() + 60)))),
        ("another audience", token(with("aud", json!("other")))),
        ("no audience", token(with("aud", json!(null)))),
        ("another issuer", token(with("iss", json!("https://evil.example")))),
        ("no issuer", token(with("iss", json!(null)))),
        ("a user that is no name", token(with("sub", json!("a\r\nb")))),
        ("grants that are none", token(with("channels", json!("*")))),
        ("for renewal only", token(with("type", json!("refresh")))),
        ("longer than it may be", token(with("pad", json!("x".repeat(8000))))),
    ];
    for (what, token) in &bad {
        let answer = show(&gateway, token).await;
        assert_eq!(answer.problem().2, BAD, "{what}");
        assert_refused(&answer, BAD);
    }
    let refused = gateway.metrics().await.sum("quadrille_tokens_refused_total", &[]);
    assert_eq!(refused, bad.len() as u64);
}

#[tokio::test]
async fn a_token_of_100_kilobytes_harms_nobody() {
    let gateway = Gateway::start(&JWT).await;
    let huge = token(json!({"sub": "7", "pad": "x".repeat(75_000)}));
    assert!(huge.len() > 100_000);
    let status = show(&gateway, &huge).await.status;
    assert!(matches!(status, 401 | 431), "{status}");
    let query = http::get(gateway.address(), &format!("/ws?token={huge}"), &HANDSHAKE).await;
    let status = query.unwrap().status;
    assert!(matches!(status, 401 | 414 | 431), "{status}");
    assert_eq!(show(&gateway, &token(json!({"sub": "7"}))).await.status, 101);
    let mut client = Client::signed_in(&gateway, &token(json!({"sub": "7"}))).await;
    let refresh = json!({"action": "refresh", "token": huge});
    client.send_json(&refresh).await;
    assert_eq!(client.next_json().await["payload"]["code"], "bad_token");
}

#[tokio::test]
async fn a_token_may_be_in_each_of_its_places() {
    let gateway = Gateway::start(&JWT).await;
    let token = token(json!({"sub": "7"}));
    let at = gateway.address();
    let query = http::get(at, &format!("/ws?v=1&token={token}"), &HANDSHAKE).await.unwrap();
    assert_eq!((query.status, query.header("sec-websocket-protocol")), (101, None));
    let list = format!("quadrille, quadrille.token.{token}");
    let offered = http::knock(at, &[("Sec-WebSocket-Protocol", &list)]).await;
    let agreed = offered.header("sec-websocket-protocol");
    assert_eq!((offered.status, agreed), (101, Some("quadrille")));
    let alone = format!("quadrille.token.{token}");
    let offered = http::knock(at, &[("Sec-WebSocket-Protocol", &alone)]).await;
    assert_eq!((offered.status, offered.header("sec-websocket-protocol")), (101, None));
    // The header counts, even if it is bad and the query is not.
    let mut headers = HANDSHAKE.to_vec();
    headers.push(("Authorization", "Bearer rubbish"));
    let both = http::get(at, &format!("/ws?token={token}"), &headers).await.unwrap();
    assert_refused(&both, BAD);
}

/// Shows `token` at every door over HTTP in each of its places, in requests that are good, bad and
/// to nowhere, and gives everything that was answered.
async fn shown_over_http(gateway: &Gateway, token: &str) -> Vec<String> {
    let (bearer, list) = (format!("Bearer {token}"), format!("quadrille.token.{token}, quadrille"));
    let requests = [
        ("POST", "/api/v1/publish?", r#"{"channel":"c","payload":1,"key":"k"}"#),
        ("POST", "/api/v1/publish?", r#"{"channel":"#),
        ("GET", "/api/v1/topics?", ""),
        ("GET", "/api/v1/topics?limit=x&", ""),
        ("GET", "/api/v1/topics/c/history?", ""),
        ("GET", "/api/v1/topics/c/presence?", ""),
        ("GET", "/api/v1/topics/room:/history?", ""),
        ("GET", "/api/v1/sessions?", ""),
        ("DELETE", "/api/v1/sessions/01a1fbc1-845d-769d-b40f-274a851de780?", ""),
        ("GET", "/events?", ""),
        ("PUT", "/events?", ""),
        ("GET", "/nowhere?", ""),
        ("GET", "/?", ""),
        ("GET", "/readyz?", ""),
        ("GET", "/openapi.json?", ""),
    ];
    let mut said = Vec::new();
    for (method, path, body) in requests {
        let in_query = format!("{path}token={token}");
        let places = [
            (in_query.as_str(), None),
            (path, Some(("Authorization", bearer.as_str()))),
            (path, Some(("Sec-WebSocket-Protocol", list.as_str()))),
        ];
        for (path, header) in places {
            let headers = [Some(("Content-Type", "application/json")), header];
            let headers: Vec<_> = headers.into_iter().flatten().collect();
            let answer = http::send(gateway.address(), method, path, &headers, body.as_bytes());
            said.push(format!("{:?}", answer.await.expect("the gateway answers")));
        }
    }
    said
}

#[tokio::test]
async fn no_token_is_ever_repeated() {
    let settings = [
        JWT[0],
        JWT[1],
        ("log.level", "trace"),
        ("log.format", "json"),
        ("limits.bad_tokens_per_minute", "0"),
    ];
    let gateway = Gateway::start(&settings).await;
    let at = gateway.address();
    let good = token(json!({"sub": "7", "exp": now() + 1}));
    let bad = sign(&Header::default(), json!({"sub": "8"}), &[b'x'; 32]);
    let other = token(json!({"sub": "9"}));
    let operator = token(json!({"topics": ["*"], "scope": "topics sessions sessions:end"}));
    let mut answers = Vec::new();
    for token in [&good, &bad] {
        let list = format!("quadrille.token.{token}, quadrille");
        answers.push(show(&gateway, token).await);
        answers.push(http::knock(at, &[("Sec-WebSocket-Protocol", &list)]).await);
        for path in ["/ws", "/nowhere", "/healthz"] {
            let path = format!("{path}?token={token}");
            answers.push(http::get(at, &path, &HANDSHAKE).await.unwrap());
            answers.push(http::get(at, &path, &[]).await.unwrap());
        }
    }
    let mut said: Vec<String> = answers.iter().map(|answer| format!("{answer:?}")).collect();
    let mut client = Client::signed_in(&gateway, &good).await;
    for token in [&bad, &other] {
        for form in e2e::Form::ALL {
            client.send_json(&form.command("refresh", json!({"token": token}))).await;
        }
        client.send_text(format!(r#"{{"action":"refresh","token":"{token}"#)).await;
        client.send_json(&json!({"action": "refresh", "token": [token]})).await;
    }
    let query = format!("topic=c&token={operator}");
    let mut events = e2e::Sse::open(&gateway, &query, None).await;
    said.push(format!("{:?}", events.head));
    said.push(events.opened().await);
    for token in [&good, &bad, &operator] {
        said.extend(shown_over_http(&gateway, token).await);
    }
    // While these connections are there, what is listed is about them.
    let bearer = format!("Bearer {operator}");
    for (path, has) in [
        ("/api/v1/sessions", r#""protocol":"sse""#),
        ("/api/v1/topics", r#""name":"chan:c""#),
        ("/api/v1/topics/c/history", r#""payload":1"#),
        ("/api/v1/topics/c/presence", r#""count":1"#),
    ] {
        let listed = http::get(at, path, &[("Authorization", &bearer)]).await.unwrap();
        assert!(listed.body.contains(has), "{listed:?}");
        said.push(format!("{listed:?}"));
    }
    let record = events.next().await.expect("what was published with the operator's token");
    said.push(format!("{record:?}"));
    let (frames, closed) = client.drained().await;
    assert_eq!((frames.len(), closed.0), (12, 3005), "{frames:?}");
    said.extend(frames);
    said.push(gateway.get("/metrics").await.body);
    let end = gateway.stop().await;
    assert!(end.stderr.len() > 10, "at this level there is a lot to search");
    said.extend(end.stdout);
    said.extend(end.stderr);
    let all = said.join("\n");
    for token in [&good, &bad, &other, &operator] {
        for part in token.split('.').skip(1) {
            assert!(!all.contains(part), "a part of a token was repeated");
        }
    }
    assert!(!all.contains(SECRET), "the secret was told");
}

#[tokio::test]
async fn the_pages_of_the_host_that_is_asked_may_connect_with_a_token() {
    let gateway = Gateway::start(&JWT).await;
    let (at, token) = (gateway.address(), token(json!({"sub": "7"})));
    let path = format!("/ws?token={token}");
    let ask = async |host: &'static str, origin: &'static str| {
        let first = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n");
        let rest = HANDSHAKE.map(|(name, value)| format!("{name}: {value}\r\n")).concat();
        http::exchange(at, &format!("{first}{rest}\r\n")).await.unwrap().status
    };
    let (host, page) = ("chat.example", "https://chat.example");
    assert_eq!(ask(host, page).await, 101);
    assert_eq!(ask("chat.example:8443", "https://chat.example:8443").await, 101);
    for foreign in ["https://evil.example", "https://chat.example.evil.example", "null"] {
        assert_eq!(ask(host, foreign).await, 403, "{foreign}");
    }
    assert_eq!(http::get(at, "/ws", &[HANDSHAKE[0]]).await.unwrap().status, 426);
}

#[tokio::test]
async fn in_open_mode_a_token_is_checked_only_if_there_are_keys() {
    let open = Gateway::start(&[]).await;
    assert_eq!(show(&open, "rubbish").await.status, 101);
    let keyed = Gateway::start(&[JWT[1]]).await;
    assert_eq!(http::knock(keyed.address(), &[]).await.status, 101);
    assert_refused(&show(&keyed, "rubbish").await, BAD);
    let mut client = Client::signed_in(&keyed, &token(json!({"sub": "7"}))).await;
    client.subscribe("anything").await;
    client.subscribe("user:8").await;
    let answer = client.ask(e2e::Form::Action, "presence", json!({"channel": "anything"})).await;
    assert_eq!(answer["members"][0]["user"], "7");
}

#[tokio::test]
async fn a_refused_client_leaves_no_trace() {
    let gateway = Gateway::start(&JWT).await;
    for _ in 0..20 {
        show(&gateway, "rubbish").await;
    }
    eventually("no connection", async || {
        let metrics = gateway.metrics().await;
        (metrics.sum("quadrille_connections", &[]) == 0).then_some(())
    })
    .await;
}
