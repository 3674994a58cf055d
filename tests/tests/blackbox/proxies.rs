//! Peers whose `X-Forwarded-For` and `X-Request-Id` are trusted.
use e2e::{Client, Gateway, http};

/// Trusts the test, and nobody else.
const TRUSTING: (&str, &str) = ("server.trusted_proxies", r#"["127.0.0.0/8"]"#);

async fn open(gateway: &Gateway, forwarded: &[&str]) -> Result<Client, u16> {
    let headers: Vec<_> =
        forwarded.iter().map(|it| ("x-forwarded-for", (*it).to_owned())).collect();
    let opened = Client::open_with(gateway.address(), None, &headers).await;
    opened.map_err(|why| match why {
        tokio_tungstenite::tungstenite::Error::Http(answer) => answer.status().as_u16(),
        other => panic!("{other}"),
    })
}

/// The addresses of all sessions, in the order in which they came.
async fn peers(gateway: &Gateway) -> Vec<String> {
    let sessions = gateway.get("/api/v1/sessions").await.json();
    let sessions = sessions["sessions"].as_array().expect("a list").iter();
    sessions.map(|it| it["peer"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_trusted_proxy_says_where_its_clients_are() {
    let gateway = Gateway::start(&[TRUSTING]).await;
    let cases: [(&[&str], &str); 5] = [
        (&["198.51.100.7"], "198.51.100.7"),
        (&["6.6.6.6, 198.51.100.7, 127.0.0.9"], "198.51.100.7"),
        (&["6.6.6.6", "2001:db8::1"], "2001:db8::1"),
        (&["6.6.6.6, <script>"], "127.0.0.1"),
        (&[], "127.0.0.1"),
    ];
    let (mut clients, mut expected) = (Vec::new(), Vec::new());
    for (forwarded, peer) in cases {
        clients.push(open(&gateway, forwarded).await.unwrap());
        expected.push(peer);
    }
    assert_eq!(peers(&gateway).await, expected);
}

#[tokio::test]
async fn limits_count_the_clients_of_a_proxy_and_not_the_proxy() {
    let gateway = Gateway::start(&[TRUSTING, ("limits.connections_per_ip", "1")]).await;
    let mut clients = Vec::new();
    for n in 1..=5 {
        clients.push(open(&gateway, &[&format!("198.51.100.{n}")]).await.unwrap());
    }
    assert_eq!(open(&gateway, &["6.6.6.6, 198.51.100.3"]).await.unwrap_err(), 429);
}

#[tokio::test]
async fn what_a_stranger_says_of_itself_has_no_effect() {
    let settings =
        [("server.trusted_proxies", r#"["10.0.0.0/8"]"#), ("limits.connections_per_ip", "1")];
    let gateway = Gateway::start(&settings).await;
    let _client = open(&gateway, &["198.51.100.7"]).await.unwrap();
    let refused = e2e::eventually("a refusal as a session", async || {
        open(&gateway, &["198.51.100.8, 10.0.0.1"]).await.err()
    });
    assert_eq!(refused.await, 429);
    let seen = e2e::eventually("the list", async || {
        let answer = gateway.get("/api/v1/sessions").await;
        (answer.status == 200).then(|| answer.json()["sessions"][0]["peer"].clone())
    });
    assert_eq!(seen.await, "127.0.0.1");
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let gateway = Gateway::start(&[]).await;
    let mut ids = Vec::new();
    for path in ["/healthz", "/nothing", "/ws", "/api/v1/topics", "/events", "/metrics"] {
        let sent = [("X-Request-Id", "forged")];
        let answer = http::get(gateway.address(), path, &sent).await.unwrap();
        ids.push(answer.header("x-request-id").expect(path).to_owned());
    }
    ids.push(http::knock(gateway.address(), &[]).await.header("x-request-id").unwrap().to_owned());
    let refused = [("Origin", "https://evil.example")];
    ids.push(
        http::knock(gateway.address(), &refused).await.header("x-request-id").unwrap().to_owned(),
    );
    assert!(ids.iter().all(|id| id.len() == 36), "{ids:?}");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 8);
}

#[tokio::test]
async fn the_id_that_a_trusted_proxy_gave_is_kept_if_it_is_one() {
    let gateway = Gateway::start(&[TRUSTING]).await;
    let (longest, longer) = ("x".repeat(128), "x".repeat(129));
    let kept = async |id: &str| {
        let answer = http::get(gateway.address(), "/healthz", &[("X-Request-Id", id)]).await;
        answer.unwrap().header("x-request-id") == Some(id)
    };
    for id in ["4bf92f35-77b3", "a/b:c=d", &longest] {
        assert!(kept(id).await, "{id}");
    }
    for id in ["", "a b", "ä", &longer] {
        assert!(!kept(id).await, "{id}");
    }
}

#[tokio::test]
async fn nothing_that_is_sent_begins_a_header_of_an_answer() {
    let gateway = Gateway::start(&[TRUSTING]).await;
    let at = gateway.address();
    // A bare line feed, or one after a carriage return, ends a header for some; none may come out.
    let injected = ["a\rSet-Cookie: x=1", "a\u{b}Set-Cookie: x=1", "a%0d%0aSet-Cookie: x=1"];
    for value in injected {
        for name in ["X-Request-Id", "Sec-WebSocket-Protocol", "Last-Event-ID", "Origin"] {
            let value = format!("{value}, quadrille.token.x");
            let headers: Vec<_> =
                http::HANDSHAKE.iter().copied().chain([(name, &*value)]).collect();
            for path in ["/ws", "/events?topic=a"] {
                let answer = http::get(at, path, &headers).await.unwrap();
                assert_eq!(answer.header("set-cookie"), None, "{name} {answer:?}");
                assert!(
                    !answer.headers.iter().any(|(_, v)| v.contains("Set-Cookie")),
                    "{answer:?}"
                );
            }
        }
    }
    let path = "/events?topic=a%0d%0aSet-Cookie:x=1&since=1%0d%0aSet-Cookie:x=1";
    assert_eq!(http::get(at, path, &[]).await.unwrap().header("set-cookie"), None);
    assert_eq!(gateway.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn the_log_of_requests_has_their_ids_and_no_tokens() {
    let gateway = Gateway::start(&[TRUSTING, ("log.level", "warn,quadrille::access=debug")]).await;
    let sent = [("X-Request-Id", "4bf92f35"), ("X-Forwarded-For", "198.51.100.7")];
    http::get(gateway.address(), "/nothing/here?token=geheim", &sent).await.unwrap();
    let line = e2e::eventually("the line", async || {
        gateway.stderr().into_iter().find(|line| line.contains("4bf92f35"))
    });
    let line = line.await;
    let words = ["GET", "/nothing/here", "404", "198.51.100.7", "took"];
    assert!(words.iter().all(|word| line.contains(word)), "{line}");
    let end = gateway.stop().await;
    assert!(!end.stderr.iter().any(|line| line.contains("geheim")), "{end:#?}");
}

#[tokio::test]
async fn what_is_logged_about_a_request_has_its_id() {
    let settings = [
        TRUSTING,
        ("limits.connections_per_ip", "1"),
        ("log.format", "json"),
        ("log.level", "debug"),
    ];
    let gateway = Gateway::start(&settings).await;
    let _client = open(&gateway, &["198.51.100.7"]).await.unwrap();
    let headers = [("X-Request-Id", "4bf92f35"), ("X-Forwarded-For", "198.51.100.7")];
    let refused = http::knock(gateway.address(), &headers).await;
    assert_eq!((refused.status, refused.header("x-request-id")), (429, Some("4bf92f35")));
    let end = gateway.stop().await;
    let line = end.stderr.iter().find(|line| line.contains("connection refused")).unwrap();
    assert!(line.contains("4bf92f35"), "{line}");
}
