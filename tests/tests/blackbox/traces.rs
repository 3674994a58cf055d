//! Spans of requests, at a collector. The binary needs the feature `otel`.
use e2e::{Client, Gateway, collector::Collector, eventually, http, token};
use serde_json::json;

const TRACE: [u8; 16] = *b"sixteen bytes ok";
const PARENT: [u8; 8] = *b"caller-1";

fn traceparent() -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().concat();
    format!("00-{}-{}-01", hex(&TRACE), hex(&PARENT))
}

async fn publish(gateway: &Gateway, headers: &[(&str, &str)]) -> u16 {
    let record = json!({"channel": "hush-channel", "payload": "hush", "key": "hush"}).to_string();
    let headers = [&[("Content-Type", "application/json")][..], headers].concat();
    let path = "/api/v1/publish?hush=1";
    let sent = http::send(gateway.address(), "POST", path, &headers, record.as_bytes()).await;
    sent.expect("the gateway answers").status
}

#[tokio::test]
async fn a_publication_is_a_span_of_its_callers_trace() {
    let collector = Collector::start(Some("200 OK")).await;
    let url = collector.url();
    let settings = [&token::JWT[..], &[("otel.endpoint", &*url)]].concat();
    let gateway = Gateway::start(&settings).await;
    let token = token::token(json!({"sub": "hush", "topics": ["chan:*"]}));
    let bearer = format!("Bearer {token}");
    let long = format!("vendor={}", "hush".repeat(1000));
    let headers =
        [("traceparent", &*traceparent()), ("tracestate", &*long), ("Authorization", &*bearer)];
    assert_eq!(publish(&gateway, &headers).await, 200);
    // Not waited for: what is left is sent at the end.
    let end = gateway.stop().await;
    assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{end:#?}");
    let posts = collector.posted(1).await;
    assert_eq!((posts.len(), &*posts[0].request), (1, "post /v1/traces"));
    let told = [
        &TRACE[..],
        &PARENT,
        b"POST /api/v1/publish",
        b"http.request.method",
        b"http.response.status_code",
        b"http.route",
        b"service.name",
        b"quadrille",
    ];
    for word in told {
        assert!(posts[0].has(word), "{}", String::from_utf8_lossy(word));
    }
    assert!(!posts[0].has(b"hush") && !posts[0].has(token.as_bytes()));
}

#[tokio::test]
async fn a_connection_is_a_span_as_long_as_its_handshake_and_probes_are_none() {
    let collector = Collector::start(Some("200 OK")).await;
    let gateway = Gateway::start(&[("otel.endpoint", &collector.url())]).await;
    let mut client = Client::connect(&gateway).await;
    client.subscribe("c").await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(gateway.get(path).await.status, 200);
    }
    let posts = collector.posted(1).await;
    assert!(posts[0].has(b"GET /ws"), "while it is connected");
    for _ in 0..100 {
        client.publish("c", &json!(1)).await;
    }
    client.until_pong().await;
    assert_eq!(gateway.get("/nowhere").await.status, 404);
    gateway.stop().await;
    let posts = collector.posts();
    assert_eq!(posts.len(), 2, "one more for the last request");
    let all = |bytes: &[u8]| posts.iter().filter(|post| post.has(bytes)).count();
    let route = all(b"/nowhere") + all(b"/healthz") + all(b"/readyz") + all(b"/metrics");
    assert_eq!((all(b"GET /ws"), route), (1, 0));
}

#[tokio::test]
async fn a_collector_that_fails_costs_one_warning() {
    let collector = Collector::start(Some("503 Oops")).await;
    let gateway = Gateway::start(&[("otel.endpoint", &collector.url())]).await;
    for posts in 1..=2 {
        assert_eq!(publish(&gateway, &[]).await, 200);
        collector.posted(posts).await;
    }
    let warned = |line: &String| line.contains("WARN") && line.contains("otel.endpoint");
    eventually("the warning", async || gateway.stderr().iter().any(warned).then_some(())).await;
    let end = gateway.stop().await;
    assert_eq!((end.code, end.stderr.len()), (Some(0), 1), "{end:#?}");
}

#[tokio::test]
async fn a_collector_that_does_not_answer_holds_nothing_up() {
    let collector = Collector::start(None).await;
    let url = collector.url();
    let settings = [("otel.endpoint", &*url), ("server.grace", "1s")];
    let gateway = Gateway::start(&settings).await;
    assert_eq!(publish(&gateway, &[]).await, 200);
    collector.posted(1).await;
    assert_eq!(publish(&gateway, &[]).await, 200);
    let end = gateway.stop().await;
    assert_eq!(end.code, Some(0), "{end:#?}");
}
