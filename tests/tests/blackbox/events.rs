//! Watching topics as server-sent events, and going on where one was.
use e2e::{Client, Dice, Gateway, Sse, http};
use serde_json::{Value, json};

use crate::publish_http::published;

async fn publish(gateway: &Gateway, topic: &str, range: std::ops::Range<u64>) {
    for n in range {
        published(gateway, &json!({"topic": topic, "payload": n})).await;
    }
}

#[tokio::test]
async fn a_record_is_an_event_with_its_position_kind_and_payload() {
    let gateway = Gateway::start(&[]).await;
    let mut sse = Sse::open(&gateway, "topic=c", None).await;
    let opening = sse.opened().await;
    assert!(opening.starts_with("retry: 2000\nid: "), "{opening:?}");
    let position = published(&gateway, &json!({"channel": "c", "payload": {"a": 1}})).await;
    let event = sse.next().await.unwrap();
    let mut data = event.json();
    assert!(data["ts"].take().as_u64().is_some_and(|ts| ts > 1_700_000_000_000), "{event:?}");
    let expected = json!({
        "topic": "chan:c", "kind": "message", "position": position, "ts": null, "payload": {"a": 1},
    });
    assert_eq!((&*event.id, &*event.kind, data), (&*position, "message", expected));
    let headers = ["cache-control", "x-accel-buffering", "vary"].map(|name| sse.head.header(name));
    assert_eq!(headers, [Some("no-store, no-transform"), Some("no"), Some("Origin")]);
}

#[tokio::test]
async fn a_stream_and_a_broker_client_see_the_same_records_at_the_same_positions() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    client.subscribe_with(json!({"channel": "c", "positions": true})).await;
    let mut sse = Sse::open(&gateway, "topic=chan:c", None).await;
    sse.opened().await;
    let mut publisher = Client::connect(&gateway).await;
    for n in 0..50 {
        publisher.publish("c", &json!({"n": n})).await;
        publisher.until_pong().await;
        published(&gateway, &json!({"channel": "c", "payload": {"post": n}})).await;
    }
    for _ in 0..100 {
        let (frame, event) = (client.next_json().await, sse.next().await.unwrap());
        let data = event.json();
        assert_eq!((&frame["position"], &frame["payload"]), (&data["position"], &data["payload"]));
        assert_eq!(event.id, data["position"]);
    }
}

#[tokio::test]
async fn a_bare_frame_is_the_payload_and_line_breaks_are_those_of_the_format() {
    let gateway = Gateway::start(&[]).await;
    let mut sse = Sse::open(&gateway, "topic=c", None).await;
    sse.opened().await;
    let mut publisher = Client::connect(&gateway).await;
    publisher.send_text("{\"channel\":\"c\",\r\n\"message\":\r\"hi\",\n\n\"n\":1}").await;
    let event = sse.next().await.unwrap();
    assert!(event.data.ends_with("{\"channel\":\"c\",\n\"message\":\n\"hi\",\n\n\"n\":1}}"));
    let payload = json!({"channel": "c", "message": "hi", "n": 1});
    assert_eq!((&*event.kind, &event.json()["payload"]), ("frame", &payload));
}

#[tokio::test]
async fn fifty_random_cuts_lose_and_repeat_nothing() {
    let seed = Dice::seed();
    let mut dice = Dice::new(seed);
    let gateway = Gateway::start(&[]).await;
    let mut sse = Sse::open(&gateway, "topic=c", None).await;
    sse.opened().await;
    let (mut got, mut sent) = (Vec::new(), 0);
    for _ in 0..50 {
        let more = dice.below(20);
        publish(&gateway, "c", sent..sent + more).await;
        sent += more;
        let waiting = sent - got.len() as u64;
        for payload in sse.payloads(usize::try_from(dice.below(waiting + 1)).unwrap()).await {
            got.push(payload.as_u64().unwrap());
        }
        let last = sse.last_id().to_owned();
        sse = Sse::open(&gateway, "topic=c&since=0-0", Some(&last)).await;
    }
    let rest = sse.payloads(usize::try_from(sent).unwrap() - got.len()).await;
    got.extend(rest.iter().filter_map(Value::as_u64));
    assert_eq!(got, (0..sent).collect::<Vec<_>>(), "QUADRILLE_TEST_SEED={seed}");
    assert_eq!(gateway.metrics().await.sum("quadrille_gaps_total", &[]), 0);
}

#[tokio::test]
async fn one_id_resumes_all_topics_of_a_stream() {
    let gateway = Gateway::start(&[]).await;
    let query = "topic=a&topic=room:1&topic=b";
    let mut sse = Sse::open(&gateway, query, None).await;
    sse.opened().await;
    for n in 0..10 {
        publish(&gateway, ["b", "a", "room:1"][n % 3], n as u64..n as u64 + 1).await;
    }
    let mut got = Vec::new();
    for _ in 0..10 {
        let last = sse.last_id().to_owned();
        assert_eq!(last.split(',').count(), 3, "{last}");
        sse = Sse::open(&gateway, query, Some(&last)).await;
        got.extend(sse.payloads(1).await);
    }
    got.sort_by_key(Value::as_u64);
    assert_eq!(got, (0..10).map(Value::from).collect::<Vec<_>>());
}

#[tokio::test]
async fn since_goes_on_after_a_position_and_the_header_wins() {
    let gateway = Gateway::start(&[]).await;
    let first = published(&gateway, &json!({"channel": "c", "payload": 1})).await;
    let second = published(&gateway, &json!({"channel": "c", "payload": 2})).await;
    published(&gateway, &json!({"channel": "c", "payload": 3})).await;
    let query = format!("topic=c&since={first}");
    let mut sse = Sse::open(&gateway, &query, None).await;
    assert_eq!(sse.payloads(2).await, [2, 3]);
    let mut sse = Sse::open(&gateway, &query, Some(&second)).await;
    assert_eq!(sse.payloads(1).await, [3]);
}

#[tokio::test]
async fn a_gap_comes_first_when_the_log_no_longer_reaches_back() {
    let gateway = Gateway::start(&[("topics.chan.events", "4")]).await;
    let mut sse = Sse::open(&gateway, "topic=c", None).await;
    sse.opened().await;
    let last = sse.last_id().to_owned();
    drop(sse);
    publish(&gateway, "c", 0..10).await;
    let mut sse = Sse::open(&gateway, "topic=c", Some(&last)).await;
    let gap = sse.data("gap").await;
    let position = sse.last_id().to_owned();
    assert_eq!(gap, json!({"topic": "chan:c", "missed": 6, "position": position}));
    let mut resumed = Sse::open(&gateway, "topic=c", Some(&position)).await;
    assert_eq!(sse.payloads(4).await, [6, 7, 8, 9]);
    assert_eq!(resumed.payloads(4).await, [6, 7, 8, 9]);
}

#[tokio::test]
async fn what_cannot_be_watched_is_refused() {
    let gateway = Gateway::start(&[]).await;
    let many = (0..101).map(|n| format!("topic=t{n}")).collect::<Vec<_>>().join("&");
    let cases = [
        ("", "/problems/bad-topics"),
        ("?since=1-1", "/problems/bad-topics"),
        ("?topic=a&topic=b&topic=a", "/problems/bad-topics"),
        ("?topic=a&topic=chan:a", "/problems/bad-topics"),
        (&format!("?{many}"), "/problems/bad-topics"),
        ("?topic=", "/problems/bad-topic"),
        ("?topic=a%0D%0Ab", "/problems/bad-topic"),
        ("?topic=a%00", "/problems/bad-topic"),
        ("?topic=a%E2%80%A8b", "/problems/bad-topic"),
        ("?topic=subscription", "/problems/bad-topic"),
        ("?topic=%FF", "/problems/bad-parameter"),
        ("?topic=a&since=1-1&since=1-1", "/problems/bad-parameter"),
        ("?topic=a&since=", "/problems/bad-position"),
        ("?topic=a&since=1-1%0A", "/problems/bad-position"),
        ("?topic=a&since=1-1,1-1", "/problems/bad-position"),
        ("?topic=a&topic=b&since=1-1", "/problems/bad-position"),
        ("?topic=a&since=later", "/problems/bad-position"),
    ];
    for (query, kind) in cases {
        let answer = gateway.get(&format!("/events{query}")).await;
        let expected = (400, "application/problem+json".to_owned(), kind.to_owned());
        assert_eq!(answer.problem(), expected, "{query}");
    }
    for id in ["later", "1-1,1-1", "1-1, ", "\u{e4}"] {
        let sent = [("Last-Event-ID", id)];
        let answer = http::get(gateway.address(), "/events?topic=a", &sent).await.unwrap();
        assert_eq!((answer.problem().0, &*answer.problem().2), (400, "/problems/bad-position"));
    }
    assert_eq!(gateway.metrics().await.sum("quadrille_connections", &[]), 0);
}

#[tokio::test]
async fn only_get_and_head_watch() {
    let gateway = Gateway::start(&[]).await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "BREW"] {
        let answer =
            http::request(gateway.address(), method, "/events?topic=c", &[]).await.unwrap();
        assert_eq!((answer.problem().0, &*answer.problem().2), (405, "/problems/method"));
        assert_eq!(answer.header("allow"), Some("GET,HEAD"), "{method}");
    }
    let answer = http::request(gateway.address(), "HEAD", "/events?topic=c", &[]).await.unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!(answer.header("content-length"), None, "a stream has none");
    let answer = http::request(gateway.address(), "HEAD", "/events", &[]).await.unwrap();
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn pages_from_elsewhere_cannot_watch_and_others_are_told_that_they_can() {
    let gateway = Gateway::start(&[("server.origins", r#"["https://app.example"]"#)]).await;
    let ask = async |method, origin| {
        let sent = [("Origin", origin)];
        http::request(gateway.address(), method, "/events?topic=c", &sent).await.unwrap()
    };
    for origin in ["https://evil.example", "null", "https://app.example.evil.example"] {
        assert_eq!(ask("GET", origin).await.problem().2, "/problems/origin", "{origin}");
    }
    for origin in ["https://app.example", "http://localhost:3000"] {
        let told = ask("HEAD", origin).await;
        assert_eq!(told.header("access-control-allow-origin"), Some(origin));
    }
}
