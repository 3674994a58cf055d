//! Publishing with a POST.
use e2e::{
    Client, Gateway,
    http::{self, Response},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const PATH: &str = "/api/v1/publish";
const JSON: (&str, &str) = ("Content-Type", "application/json");

pub(crate) async fn post(gateway: &Gateway, body: impl ToString) -> Response {
    let body = body.to_string();
    let sent = http::send(gateway.address(), "POST", PATH, &[JSON], body.as_bytes()).await;
    sent.expect("the gateway answers")
}

/// Publishes, and gives the position.
pub(crate) async fn published(gateway: &Gateway, body: &Value) -> String {
    let answer = post(gateway, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["position"].as_str().expect("a position").to_owned()
}

async fn held(gateway: &Gateway, topic: &str) -> usize {
    let answer = gateway.get(&format!("/api/v1/topics/{topic}/history?limit=1000")).await;
    answer.json()["records"].as_array().expect("records").len()
}

/// The problem type of each of these bodies.
async fn refused(gateway: &Gateway, status: u16, kind: &str, bodies: &[&str]) {
    for body in bodies {
        let expected = (status, "application/problem+json".to_owned(), kind.to_owned());
        assert_eq!(post(gateway, body).await.problem(), expected, "{body:?}");
    }
}

#[tokio::test]
async fn a_record_reaches_the_channel_and_the_answer_says_where_it_is() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    client.subscribe_with(json!({"channel": "c", "positions": true})).await;
    let answer = post(&gateway, r#"{"channel":"c","payload":{ "big" : 12345678901234567890.50 }}"#);
    let answer = answer.await.json();
    let position = answer["position"].as_str().unwrap();
    assert_eq!(answer, json!({"position": position, "subscribers": 1}));
    let payload = r#"{ "big" : 12345678901234567890.50 }"#;
    let frame = format!(r#"{{"channel":"c","payload":{payload},"position":"{position}"}}"#);
    assert_eq!(client.next_text().await, frame, "byte for byte");
}

#[tokio::test]
async fn a_topic_is_named_as_at_every_door() {
    let gateway = Gateway::start(&[]).await;
    let names = [("topic", "a"), ("channel", "chan:a"), ("topic", "room:1"), ("topic", "odd:1")];
    for (member, name) in names {
        published(&gateway, &json!({member: name, "payload": null})).await;
    }
    let held = [
        held(&gateway, "chan:a").await,
        held(&gateway, "room:1").await,
        held(&gateway, "chan:odd:1").await,
    ];
    assert_eq!(held, [2, 1, 1]);
}

#[tokio::test]
async fn a_key_makes_it_one_record_however_often_it_is_sent() {
    let gateway = Gateway::start(&[]).await;
    let body = json!({"channel": "c", "payload": {"n": 1}, "key": "order-1"});
    let first = published(&gateway, &body).await;
    let again = published(&gateway, &body).await;
    let other = published(&gateway, &json!({"topic": "d", "payload": 2, "key": "order-1"})).await;
    let renewed = json!({"channel": "c", "payload": {"n": 2}, "key": "order-1"}).to_string();
    refused(&gateway, 409, "/problems/key-reused", &[&renewed]).await;
    assert_eq!((&again, held(&gateway, "c").await), (&first, 1));
    assert_ne!(first, other, "a key is of one topic");
}

#[tokio::test]
async fn equal_keys_at_the_same_time_publish_once() {
    let gateway = std::sync::Arc::new(Gateway::start(&[]).await);
    let mut tasks = JoinSet::new();
    for n in 0..64 {
        let gateway = std::sync::Arc::clone(&gateway);
        tasks.spawn(async move {
            let key = format!("k{}", n % 2);
            published(&gateway, &json!({"channel": "c", "payload": 1, "key": key})).await
        });
    }
    let mut positions = tasks.join_all().await;
    positions.sort();
    positions.dedup();
    assert_eq!((positions.len(), held(&gateway, "c").await), (2, 2));
}

#[tokio::test]
async fn a_body_that_is_no_record_is_refused() {
    let gateway = Gateway::start(&[]).await;
    let (nested, wide) = ("[".repeat(100_000), "]".repeat(100_000));
    let deep = format!(r#"{{"channel":"c","payload":{nested}{wide}}}"#);
    let bodies = [
        "",
        "hello",
        "[]",
        "null",
        "{}",
        r#"{"channel":"c"}"#,
        r#"{"payload":1}"#,
        r#"{"channel":"c","topic":"c","payload":1}"#,
        r#"{"channel":7,"payload":1}"#,
        r#"{"channel":"c","payload":1,"paylaod":1}"#,
        r#"{"channel":"c","payload":1,"payload":2}"#,
        r#"{"channel":"c","payload":01}"#,
        r#"{"channel":"c","payload":1} x"#,
        &deep,
    ];
    refused(&gateway, 400, "/problems/bad-body", &bodies).await;
    let not_utf8 = b"{\"channel\":\"c\",\"payload\":\"\xFF\"}";
    let answer = http::send(gateway.address(), "POST", PATH, &[JSON], not_utf8).await.unwrap();
    assert_eq!(answer.problem().2, "/problems/bad-body");
}

#[tokio::test]
async fn nesting_is_accepted_up_to_128_levels() {
    let gateway = Gateway::start(&[]).await;
    let body = |depth| {
        let payload = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"channel":"c","payload":{payload}}}"#)
    };
    let statuses = [post(&gateway, body(127)).await.status, post(&gateway, body(128)).await.status];
    assert_eq!(statuses, [200, 400]);
}

#[tokio::test]
async fn names_and_keys_with_control_characters_are_refused() {
    let gateway = Gateway::start(&[]).await;
    let topics = [
        r#"{"channel":"","payload":1}"#,
        r#"{"channel":"a\r\nb","payload":1}"#,
        r#"{"topic":"chan:a\u0000b","payload":1}"#,
        r#"{"topic":"a\u2028b","payload":1}"#,
        r#"{"topic":"room:","payload":1}"#,
        r#"{"channel":"subscription","payload":1}"#,
    ];
    let long = format!(r#"{{"topic":"{}","payload":1}}"#, "x".repeat(251));
    refused(&gateway, 400, "/problems/bad-topic", &topics).await;
    refused(&gateway, 400, "/problems/bad-topic", &[&long]).await;
    let keys = [
        r#"{"channel":"c","payload":1,"key":""}"#,
        r#"{"channel":"c","payload":1,"key":"a\r\nb"}"#,
        r#"{"channel":"c","payload":1,"key":"a\u007fb"}"#,
    ];
    let long = json!({"channel": "c", "payload": 1, "key": "k".repeat(256)}).to_string();
    refused(&gateway, 400, "/problems/bad-key", &keys).await;
    refused(&gateway, 400, "/problems/bad-key", &[&long]).await;
    assert_eq!(held(&gateway, "c").await, 0);
}

#[tokio::test]
async fn a_mebibyte_is_taken_and_more_is_refused() {
    let gateway = Gateway::start(&[]).await;
    let body = |size: usize| {
        let frame = r#"{"channel":"c","payload":""}"#;
        format!(r#"{{"channel":"c","payload":"{}"}}"#, "x".repeat(size - frame.len()))
    };
    assert_eq!(post(&gateway, body(1 << 20)).await.status, 200);
    let too_large = (413, "application/problem+json".into(), "/problems/body-too-large".into());
    let told = [JSON, ("Content-Length", "1048577")];
    let answer = http::request(gateway.address(), "POST", PATH, &told).await.unwrap();
    assert_eq!(answer.problem(), too_large, "before anything of it is read");
    let text = body((1 << 20) + 1);
    let chunked = format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
    let headers = [JSON, ("Transfer-Encoding", "chunked")];
    let answer =
        http::request_with(gateway.address(), "POST", PATH, &headers, chunked.as_bytes()).await;
    assert_eq!(answer.unwrap().problem(), too_large, "of unknown size");
    assert_eq!(held(&gateway, "c").await, 1);
}

#[tokio::test]
async fn only_json_that_says_so_is_taken() {
    let gateway = Gateway::start(&[]).await;
    let body = br#"{"channel":"c","payload":1}"#;
    let send = async |headers: &[(&str, &str)]| {
        http::send(gateway.address(), "POST", PATH, headers, body).await.unwrap()
    };
    let good = ["application/json", "Application/JSON; charset=utf-8"];
    for media in good {
        assert_eq!(send(&[("Content-Type", media)]).await.status, 200, "{media}");
    }
    let form = "application/x-www-form-urlencoded";
    for media in ["text/plain", form, "multipart/form-data", "application/jsonp", ""] {
        let answer = send(&[("Content-Type", media)]).await;
        assert_eq!((answer.problem().0, &*answer.problem().2), (415, "/problems/media-type"));
    }
    let others =
        [&[][..], &[JSON, ("Content-Type", "text/plain")], &[JSON, ("Content-Encoding", "gzip")]];
    for headers in others {
        assert_eq!(send(headers).await.status, 415, "{headers:?}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_publishes_nothing() {
    let gateway = Gateway::start(&[]).await;
    let body = br#"{"channel":"c","payload":1}"#;
    for cut in [0, 1, body.len() - 1] {
        let headers = [JSON, ("Content-Length", "27")];
        let sent = http::broken_off(gateway.address(), PATH, &headers, &body[..cut]).await;
        sent.unwrap();
    }
    assert_eq!((held(&gateway, "c").await, gateway.get("/healthz").await.status), (0, 200));
}

#[tokio::test]
async fn pages_from_elsewhere_cannot_publish() {
    let gateway = Gateway::start(&[]).await;
    let body = br#"{"channel":"c","payload":1}"#;
    for origin in ["https://evil.example", "null", "http://localhost.evil.example"] {
        let headers = [JSON, ("Origin", origin)];
        let answer = http::send(gateway.address(), "POST", PATH, &headers, body).await.unwrap();
        assert_eq!((answer.problem().0, &*answer.problem().2), (403, "/problems/origin"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
        let asked = [("Origin", origin), ("Access-Control-Request-Method", "POST")];
        let answer = http::request(gateway.address(), "OPTIONS", PATH, &asked).await.unwrap();
        assert_eq!(answer.status, 403, "{origin}");
    }
    assert_eq!(held(&gateway, "c").await, 0);
}

#[tokio::test]
async fn a_page_that_may_is_told_so() {
    let gateway = Gateway::start(&[("server.origins", r#"["https://app.example"]"#)]).await;
    let page = ("Origin", "https://app.example");
    let asked = [page, ("Access-Control-Request-Method", "POST")];
    let answer = http::request(gateway.address(), "OPTIONS", PATH, &asked).await.unwrap();
    let told = [
        answer.header("access-control-allow-origin"),
        answer.header("access-control-allow-credentials"),
        answer.header("access-control-allow-methods"),
    ];
    let expected = [page.1, "true", "GET, HEAD, POST, PUT, PATCH, DELETE"];
    assert_eq!((answer.status, told), (204, expected.map(Some)));
    let body = br#"{"channel":"c","payload":1}"#;
    let answer = http::send(gateway.address(), "POST", PATH, &[JSON, page], body).await.unwrap();
    let told = answer.header("access-control-allow-origin");
    assert_eq!((answer.status, told), (200, Some(page.1)));
}

#[tokio::test]
async fn a_full_server_says_when_to_come_back() {
    let gateway = Gateway::start(&[("limits.topics", "1")]).await;
    let mut client = Client::connect(&gateway).await;
    client.subscribe("in use").await;
    let answer = post(&gateway, json!({"channel": "c", "payload": 1, "key": "k"})).await;
    assert_eq!((answer.problem().0, &*answer.problem().2), (503, "/problems/too-many-topics"));
    assert_eq!(answer.header("retry-after"), Some("5"));
    client.leave().await;
    e2e::eventually("room for a topic", async || {
        let answer = post(&gateway, json!({"channel": "c", "payload": 1, "key": "k"})).await;
        (answer.status == 200).then_some(())
    })
    .await;
}
