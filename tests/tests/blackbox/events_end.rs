//! How a stream of events ends, and what one costs that is not read.
use e2e::{Client, Gateway, Sse, eventually};
use serde_json::json;

use crate::publish_http::published;

/// Bytes of one record.
const SIZE: usize = 64 << 10;

const SMALL: [(&str, &str); 3] = [
    ("topics.chan.events", "32"),
    ("topics.chan.bytes", "16777216"),
    ("topics.chan.patience", "0s"),
];

/// Publishes `count` large records, more than the kernel takes for a reader that does not read.
async fn flood(gateway: &Gateway, count: usize) {
    let mut publisher = Client::connect(gateway).await;
    let payload = json!("x".repeat(SIZE));
    for _ in 0..count {
        publisher.publish("c", &payload).await;
        publisher.until_pong().await;
    }
    publisher.leave().await;
}

async fn streams(gateway: &Gateway) -> u64 {
    gateway.metrics().await.sum("quadrille_connections", &[("protocol", "sse")])
}

#[tokio::test]
async fn a_stop_ends_every_stream_with_3001_and_the_process_with_0() {
    let gateway = Gateway::start(&[("server.drain_window", "100ms")]).await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(Sse::open(&gateway, "topic=c", None).await);
    }
    gateway.signal("TERM").await;
    for sse in &mut streams {
        assert_eq!(sse.data("end").await, json!({"code": 3001, "reason": "shutdown"}));
        assert_eq!(sse.next().await, None);
    }
    let mut gateway = gateway;
    assert_eq!(gateway.wait().await.code, Some(0));
}

#[tokio::test]
async fn a_stream_counts_as_a_connection_until_its_client_leaves() {
    let gateway = Gateway::start(&[("limits.connections", "2")]).await;
    let mut one = Sse::open(&gateway, "topic=c", None).await;
    one.opened().await;
    let _client = Client::connect(&gateway).await;
    let refused = gateway.get("/events?topic=c").await;
    assert_eq!((refused.problem().0, &*refused.problem().2), (503, "/problems/server-full"));
    assert_eq!(streams(&gateway).await, 1);
    drop(one);
    eventually("the place to be free", async || (streams(&gateway).await == 0).then_some(())).await;
    Sse::open(&gateway, "topic=c", None).await;
}

#[tokio::test]
async fn disconnect_ends_a_slow_stream_with_3008_and_it_can_resume() {
    let settings = [&SMALL[..], &[("topics.chan.on_slow", "disconnect")]].concat();
    let gateway = Gateway::start(&settings).await;
    let mut sse = Sse::narrow(&gateway, "topic=c").await;
    flood(&gateway, 400).await;
    let end = loop {
        let event = sse.next().await.expect("an end that is told");
        if event.kind != "message" {
            break event;
        }
    };
    assert_eq!(end.json(), json!({"code": 3008, "reason": "slow"}));
    assert_eq!((end.kind.as_str(), sse.next().await), ("end", None));
    let mut sse = Sse::open(&gateway, "topic=c", Some(&end.id)).await;
    let missed = sse.data("gap").await["missed"].as_u64().unwrap();
    let (_, read) = end.id.split_once('-').unwrap();
    assert_eq!(read.parse::<u64>().unwrap() + missed + 32, 400, "nothing is lost in silence");
    sse.payloads(32).await;
}

#[tokio::test]
async fn streams_that_are_not_read_cost_bounded_memory_and_do_not_keep_the_process() {
    let gateway = Gateway::start(&SMALL).await;
    let mut stuck = Vec::new();
    for _ in 0..10 {
        stuck.push(Sse::narrow(&gateway, "topic=c").await);
    }
    flood(&gateway, 100).await;
    let before = gateway.rss_kib();
    flood(&gateway, 1000).await;
    let grown = gateway.rss_kib().saturating_sub(before);
    let published = 1000 * SIZE / 1024;
    assert!(grown < 16 << 10, "grew by {grown} KiB while {published} KiB were published");
    let end = gateway.stop().await;
    assert_eq!(end.code, Some(0), "{end:?}");
}

#[tokio::test]
async fn an_operator_can_end_a_stream_that_is_not_read() {
    let gateway = Gateway::start(&SMALL).await;
    let sse = Sse::narrow(&gateway, "topic=c").await;
    flood(&gateway, 200).await;
    let listed = gateway.get("/api/v1/sessions").await.json();
    let id = listed["sessions"].as_array().unwrap().iter().find(|it| it["protocol"] == "sse");
    let path = format!("/api/v1/sessions/{}", id.unwrap()["id"].as_str().unwrap());
    let answer = e2e::http::request(gateway.address(), "DELETE", &path, &[]).await.unwrap();
    assert_eq!(answer.status, 204);
    eventually("the stream to be cut", async || (streams(&gateway).await == 0).then_some(())).await;
    drop(sse);
    published(&gateway, &json!({"channel": "c", "payload": 1})).await;
}
