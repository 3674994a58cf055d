//! Which web pages may connect.
use e2e::{Gateway, http};

async fn status(gateway: &Gateway, origin: &str) -> u16 {
    http::knock(gateway.address(), &[("Origin", origin)]).await.status
}

#[tokio::test]
async fn pages_from_elsewhere_are_refused() {
    let gateway = Gateway::start(&[]).await;
    let foreign = [
        "https://evil.example",
        "null",
        "",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://evil.example/localhost",
        "http://localhost@evil.example",
        "http://evil.example:80",
        "file://",
    ];
    for origin in foreign {
        let answer = http::knock(gateway.address(), &[("Origin", origin)]).await;
        let expected = (403, "application/problem+json".into(), "/problems/origin".into());
        assert_eq!(answer.problem(), expected, "{origin}");
    }
}

#[tokio::test]
async fn pages_of_this_machine_and_programs_are_let_in() {
    let gateway = Gateway::start(&[]).await;
    let local = [
        "http://localhost",
        "http://localhost:3000",
        "https://127.0.0.1:8443",
        "http://[::1]:5173",
    ];
    for origin in local {
        assert_eq!(status(&gateway, origin).await, 101, "{origin}");
    }
    assert_eq!(http::knock(gateway.address(), &[]).await.status, 101, "no origin");
}

#[tokio::test]
async fn listed_pages_are_let_in_and_others_like_them_are_not() {
    let list = r#"["https://app.example", "http://other.example:8000"]"#;
    let gateway = Gateway::start(&[("server.origins", list)]).await;
    for origin in ["https://app.example", "http://other.example:8000", "http://localhost:1"] {
        assert_eq!(status(&gateway, origin).await, 101, "{origin}");
    }
    let alike = [
        "http://app.example",
        "https://app.example:8443",
        "https://app.example.evil.example",
        "https://sub.app.example",
        "http://other.example",
    ];
    for origin in alike {
        assert_eq!(status(&gateway, origin).await, 403, "{origin}");
    }
}

#[tokio::test]
async fn every_door_has_the_same_list_and_what_operators_ask_is_told_to_no_page() {
    let gateway = Gateway::start(&[("server.origins", r#"["https://app.example"]"#)]).await;
    let paths = ["/events?topic=c", "/api/v1/topics", "/openapi.json", "/api/v1/sessions"];
    for (origin, allowed) in [("https://app.example", true), ("https://evil.example", false)] {
        let sent = [("Origin", origin)];
        assert_eq!(status(&gateway, origin).await, if allowed { 101 } else { 403 });
        for path in paths {
            let answer = http::get(gateway.address(), path, &sent).await.unwrap();
            let told = answer.header("access-control-allow-origin");
            let expected = if allowed { (200, Some(origin)) } else { (403, None) };
            assert_eq!((answer.status, told), expected, "{path} for {origin}");
        }
        for path in ["/", "/healthz", "/readyz", "/metrics"] {
            let answer = http::get(gateway.address(), path, &sent).await.unwrap();
            let told = answer.header("access-control-allow-origin");
            assert_eq!((answer.status, told), (200, None), "{path} for {origin}");
        }
    }
}

#[tokio::test]
async fn two_origins_at_once_are_refused() {
    let gateway = Gateway::start(&[]).await;
    let both = [("Origin", "http://localhost"), ("Origin", "https://evil.example")];
    assert_eq!(http::knock(gateway.address(), &both).await.status, 403);
}
