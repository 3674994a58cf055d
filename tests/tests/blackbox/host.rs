//! For which host a request is, where nobody signs in.
use e2e::{Gateway, http};

const PROBLEM: &str = "application/problem+json";

/// The answer to a GET that names this host.
async fn ask(gateway: &Gateway, path: &str, host: &str) -> http::Response {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    http::exchange(gateway.address(), &request).await.expect("it answers")
}

#[tokio::test]
async fn a_page_that_makes_its_name_point_here_is_refused_at_every_door() {
    let gateway = Gateway::start(&[]).await;
    let paths = ["/api/v1/topics", "/api/v1/sessions", "/events?topic=a", "/openapi.json", "/ws"];
    for path in paths.into_iter().chain(["/", "/metrics", "/healthz", "/nothing"]) {
        for host in ["evil.example", "127.0.0.1.evil.example:8080", "localhost.evil.example"] {
            let answer = ask(&gateway, path, host).await;
            let expected = (421, PROBLEM.into(), "/problems/host".into());
            assert_eq!(answer.problem(), expected, "{path} at {host}");
            assert!(answer.header("access-control-allow-origin").is_none(), "{answer:?}");
        }
    }
    let handshake = http::HANDSHAKE.map(|(name, value)| format!("{name}: {value}")).join("\r\n");
    let knock = format!("GET /ws HTTP/1.1\r\nHost: evil.example\r\n{handshake}\r\n\r\n");
    let answer = http::exchange(gateway.address(), &knock).await.unwrap();
    assert_eq!(answer.problem(), (421, PROBLEM.into(), "/problems/host".into()));
}

#[tokio::test]
async fn addresses_and_names_that_are_known_are_answered() {
    let settings = [
        ("server.hosts", r#"["gateway.example"]"#),
        ("server.origins", r#"["https://chat.example:8443"]"#),
    ];
    let gateway = Gateway::start(&settings).await;
    let known = ["localhost", "a.localhost:1", "10.0.0.1", "[::1]:8080"];
    for host in known.into_iter().chain(["Gateway.Example:80", "chat.example"]) {
        assert_eq!(ask(&gateway, "/api/v1/topics", host).await.status, 200, "{host}");
    }
    assert_eq!(ask(&gateway, "/healthz", "other.example").await.status, 421);
}

#[tokio::test]
async fn names_do_not_matter_where_clients_sign_in_or_all_are_let_in_on_purpose() {
    let jwt = [("auth.mode", "jwt"), ("auth.jwt.secret", "0123456789abcdef0123456789abcdef")];
    for settings in [&jwt[..], &[("auth.allow_open", "true")]] {
        let gateway = Gateway::start(settings).await;
        assert_eq!(ask(&gateway, "/healthz", "gateway.example").await.status, 200);
    }
}

#[tokio::test]
async fn a_request_names_its_host_once() {
    let gateway = Gateway::start(&[]).await;
    let unclear = [
        "GET /healthz HTTP/1.1\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        "GET /healthz HTTP/1.0\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    ];
    for request in unclear {
        let answer = http::exchange(gateway.address(), request).await.unwrap();
        let expected = (400, PROBLEM.into(), "/problems/bad-host".into());
        assert_eq!(answer.problem(), expected, "{request:?}");
    }
    let old = http::exchange(gateway.address(), "GET /healthz HTTP/1.0\r\n\r\n").await.unwrap();
    assert_eq!(old.status, 200);
    let absolute = "GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = http::exchange(gateway.address(), absolute).await.unwrap();
    assert_eq!(answer.status, 421, "{answer:?}");
}
