//! Identity at the doors over HTTP.
use e2e::{
    Gateway,
    http::{self, Response},
    sse::Sse,
    token::{JWT, now, token},
};
use serde_json::{Value, json};

const DOORS: [(&str, &str); 7] = [
    ("GET", "/events?topic=a"),
    ("POST", "/api/v1/publish"),
    ("GET", "/api/v1/topics/a/history"),
    ("GET", "/api/v1/topics/a/presence"),
    ("GET", "/api/v1/topics"),
    ("GET", "/api/v1/sessions"),
    ("DELETE", "/api/v1/sessions/01a1fbc1-845d-769d-b40f-274a851de780"),
];

async fn ask(gateway: &Gateway, method: &str, path: &str, token: Option<&str>) -> Response {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("Content-Type", "application/json")];
    headers.extend(bearer.as_deref().map(|it| ("Authorization", it)));
    let body = if method == "POST" { r#"{"topic":"a","payload":1}"# } else { "" };
    http::send(gateway.address(), method, path, &headers, body.as_bytes()).await.expect("an answer")
}

/// Status of each endpoint for a token with these claims.
async fn statuses(gateway: &Gateway, claims: Value) -> [u16; 7] {
    let token = token(claims);
    let mut answers = [0; 7];
    for ((method, path), status) in DOORS.iter().zip(&mut answers) {
        *status = ask(gateway, method, path, Some(&token)).await.status;
    }
    answers
}

#[tokio::test]
async fn every_door_needs_a_token_and_what_it_grants() {
    let gateway = Gateway::start(&JWT).await;
    for (method, path) in DOORS {
        let answer = ask(&gateway, method, path, None).await;
        assert_eq!(answer.problem().2, "/problems/no-token", "{path}");
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
        let answer = ask(&gateway, method, path, Some("rubbish")).await;
        assert_eq!((answer.status, answer.problem().2.as_str()), (401, "/problems/bad-token"));
        let answer = ask(&gateway, method, path, Some(&token(json!({"sub": "7"})))).await;
        assert_eq!((answer.status, answer.problem().2.as_str()), (403, "/problems/not-allowed"));
    }
    let cases = [
        (json!({"channels": ["b"]}), [403; 7]),
        (json!({"channels": {"read": ["a"]}}), [200, 403, 200, 200, 403, 403, 403]),
        (json!({"channels": {"write": ["a"]}}), [403, 200, 403, 403, 403, 403, 403]),
        (json!({"topics": ["*"]}), [200, 200, 200, 200, 403, 403, 403]),
        (json!({"scope": "topics sessions"}), [403, 403, 403, 403, 200, 200, 403]),
        (json!({"scopes": ["sessions:end"]}), [403, 403, 403, 403, 403, 403, 404]),
    ];
    for (claims, expected) in cases {
        assert_eq!(statuses(&gateway, claims.clone()).await, expected, "{claims}");
    }
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        assert_eq!(gateway.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn one_topic_that_is_not_granted_refuses_the_whole_stream() {
    let gateway = Gateway::start(&JWT).await;
    let token = token(json!({"channels": ["a"]}));
    let answer = ask(&gateway, "GET", "/events?topic=a&topic=b", Some(&token)).await;
    assert_eq!((answer.status, answer.problem().2.as_str()), (403, "/problems/not-allowed"));
}

#[tokio::test]
async fn a_stream_is_of_its_user_and_ends_with_its_token() {
    let gateway = Gateway::start(&JWT).await;
    let short = token(json!({"sub": "7", "exp": now() + 2}));
    let mut events = Sse::open(&gateway, &format!("topic=user:7&token={short}"), None).await;
    let operator = token(json!({"scope": "sessions"}));
    let sessions = ask(&gateway, "GET", "/api/v1/sessions", Some(&operator)).await;
    let sessions: Value = serde_json::from_str(&sessions.body).unwrap();
    assert_eq!(sessions["sessions"][0]["user"], "7", "{sessions}");
    let end = events.next().await.unwrap();
    assert_eq!(
        (end.kind.as_str(), end.json()),
        ("end", json!({"code": 3005, "reason": "expired"}))
    );
    assert_eq!(events.next().await, None);
}
