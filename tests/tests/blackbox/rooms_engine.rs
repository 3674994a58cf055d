//! Engine.IO, protocol 4: how sessions begin, how packets travel, and what is refused.
use std::collections::HashSet;

use e2e::{
    Gateway, Sio, eventually,
    http::{self, HANDSHAKE},
    sio::{Polling, Way},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Code and message of each refusal.
const TRANSPORT: (u16, &str) = (0, "Transport unknown");
const SESSION: (u16, &str) = (1, "Session ID unknown");
const METHOD: (u16, &str) = (2, "Bad handshake method");
const REQUEST: (u16, &str) = (3, "Bad request");
const VERSION: (u16, &str) = (5, "Unsupported protocol version");

fn refusal(answer: &http::Response, (code, message): (u16, &str)) {
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json(), json!({"code": code, "message": message}));
}

async fn polling(gateway: &Gateway) -> Polling {
    Polling::open(gateway.address(), "", &[]).await.expect("a session").0
}

/// A session that polls, connected and greeted.
async fn connected(gateway: &Gateway) -> Polling {
    let polling = polling(gateway).await;
    polling.send(&["40"]).await;
    assert_eq!(polling.packets().await.len(), 2, "CONNECT and a greeting");
    polling
}

pub(crate) async fn sessions(gateway: &Gateway) -> usize {
    let all = gateway.get("/api/v1/sessions").await.json();
    all["sessions"].as_array().expect("a list").len()
}

#[tokio::test]
async fn a_handshake_says_what_a_client_must_know() {
    let gateway = Gateway::start(&[]).await;
    let mut ids = HashSet::new();
    for path in ["/socket.io/", "/socket.io"] {
        for query in ["EIO=4&transport=polling", "transport=polling&EIO=4&t=abc&b64=1"] {
            let answer = gateway.get(&format!("{path}?{query}")).await;
            assert_eq!(answer.status, 200, "{path}?{query}: {answer:?}");
            assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
            assert_eq!(answer.header("cache-control"), Some("no-store, no-transform"));
            let hello = answer.body.strip_prefix('0').expect("an opening");
            let mut hello: Value = serde_json::from_str(hello).expect("JSON");
            assert!(ids.insert(hello["sid"].take()), "an id of its own");
            let expected = json!({
                "sid": null, "upgrades": ["websocket"],
                "pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 1_000_000,
            });
            assert_eq!(hello, expected);
        }
        let address = gateway.address();
        let path = format!("{path}?EIO=4&transport=websocket");
        let mut raw = e2e::Raw::knock(address, &path, &[], &[]).await.expect("a WebSocket");
        let (_, hello) = raw.frame().await.expect("an opening");
        let hello: Value = serde_json::from_slice(&hello[1..]).expect("JSON");
        assert!(ids.insert(hello["sid"].clone()), "an id of its own");
        assert_eq!((&hello["upgrades"], &hello["pingInterval"]), (&json!([]), &json!(25000)));
    }
}

#[tokio::test]
async fn a_handshake_says_what_is_configured() {
    let settings = [
        ("rooms.ping_interval", "7s"),
        ("rooms.ping_timeout", "1m"),
        ("rooms.max_message_size", "5000"),
    ];
    let gateway = Gateway::start(&settings).await;
    for way in Way::ALL {
        let hello = Sio::open(&gateway, way).await.hello;
        let told = ["pingInterval", "pingTimeout", "maxPayload"].map(|it| &hello[it]);
        assert_eq!(told, [7000, 60000, 5000], "{way:?}");
    }
}

#[tokio::test]
async fn each_mistake_of_a_request_has_its_code() {
    let gateway = Gateway::start(&[]).await;
    let websocket = Sio::open(&gateway, Way::WebSocket).await;
    let elsewhere = websocket.hello["sid"].as_str().expect("an id");
    let cases = [
        ("GET", "EIO=4&transport=carrier-pigeon", TRANSPORT),
        ("GET", "EIO=4", TRANSPORT),
        ("POST", "EIO=4", TRANSPORT),
        ("GET", "EIO=4&transport=", TRANSPORT),
        ("GET", "EIO=4&transport=WebSocket", TRANSPORT),
        ("GET", "EIO=4&transport=polling&sid=nobody", SESSION),
        ("POST", "EIO=4&transport=polling&sid=nobody", SESSION),
        ("GET", "EIO=4&transport=websocket&sid=nobody", SESSION),
        ("GET", "EIO=4&transport=polling&sid=", SESSION),
        ("GET", &format!("EIO=4&transport=polling&sid={elsewhere}"), SESSION),
        ("POST", &format!("EIO=4&transport=polling&sid={elsewhere}"), SESSION),
        ("POST", "EIO=4&transport=polling", METHOD),
        ("PUT", "EIO=4&transport=polling", METHOD),
        ("DELETE", "EIO=4&transport=websocket", METHOD),
        ("GET", "EIO=3&transport=polling", VERSION),
        ("GET", "EIO=5&transport=websocket", VERSION),
        ("GET", "transport=polling", VERSION),
        ("GET", "", VERSION),
        ("POST", "EIO=four", VERSION),
    ];
    for (method, query, why) in cases {
        let path = format!("/socket.io/?{query}");
        let answer = http::request(gateway.address(), method, &path, &HANDSHAKE).await;
        refusal(&answer.expect("an answer"), why);
    }
    let polling = polling(&gateway).await;
    for method in ["PUT", "DELETE", "PATCH"] {
        refusal(&polling.request(method, b"").await, METHOD);
    }
    // It was not harmed by that.
    polling.send(&["40"]).await;
    assert!(polling.packets().await[0].starts_with("40{"));
    // Not even WebSocket was asked for.
    let answer = gateway.get("/socket.io/?EIO=4&transport=websocket").await;
    assert!((400..500).contains(&answer.status), "{answer:?}");
}

#[tokio::test]
async fn several_packets_travel_in_one_body_each_way() {
    let gateway = Gateway::start(&[]).await;
    let polling = polling(&gateway).await;
    polling.send(&["40", r#"421["a"]"#, "3", r#"422["b",{"c":1}]"#]).await;
    let packets = polling.packets().await;
    assert!(packets[0].starts_with("40{") && packets[1].starts_with(r#"42["status","#));
    assert_eq!(packets[2..], ["431[]", "432[]"]);
}

#[tokio::test]
async fn bytes_travel_in_a_body_as_base64() {
    let gateway = Gateway::start(&[]).await;
    let polling = connected(&gateway).await;
    let event = r#"451-7["e",{"_placeholder":true,"num":0}]"#;
    polling.send(&[event, "bAQIDBA=="]).await;
    let packets = polling.packets().await;
    assert!(packets[0].starts_with(r#"42["error","#) && packets[1].starts_with("437["));
    // And in another body than what they belong to.
    polling.send(&[r#"452-8["e",{"_placeholder":true,"num":0}]"#]).await;
    polling.send(&["b"]).await;
    polling.send(&["bAQ==", r#"429["f"]"#]).await;
    let packets = polling.packets().await;
    assert!(packets[1].starts_with("438[") && packets[2] == "439[]", "{packets:?}");
}

#[tokio::test]
async fn a_body_that_is_no_packets_ends_the_session() {
    let gateway = Gateway::start(&[]).await;
    let bodies: [&[u8]; 9] = [
        b"",
        b"x",
        b"42[\"a\"]\x1e",
        b"\x1e42[\"a\"]",
        b"42[\"a\"]\x1e\x1e42[\"b\"]",
        b"bnot base64!",
        b"42[\"\xff\"]",
        b"0{}",
        b"99999999",
    ];
    for body in bodies {
        let polling = connected(&gateway).await;
        refusal(&polling.post(body).await, REQUEST);
        refusal(&polling.get().await, SESSION);
        refusal(&polling.post(b"40").await, SESSION);
    }
    eventually("no session", async || (sessions(&gateway).await == 0).then_some(())).await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_one_at_it_is_not() {
    let gateway = Gateway::start(&[("rooms.max_message_size", "1000")]).await;
    let polling = connected(&gateway).await;
    let body = |length: usize| format!(r#"421["{}"]"#, "e".repeat(length - 7));
    polling.send(&[&body(200)]).await;
    assert_eq!(polling.packets().await, ["431[]"]);
    polling.send(&[&format!(r#"422["e","{}"]"#, "x".repeat(1000 - 11))]).await;
    assert_eq!(polling.packets().await, ["432[]"]);
    let answer = polling.post(body(1001).as_bytes()).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    refusal(&polling.get().await, SESSION);
}

#[tokio::test]
async fn two_polls_at_once_end_the_session() {
    let gateway = Gateway::start(&[]).await;
    let polling = connected(&gateway).await;
    // Whichever of the two comes second is refused, and the other one told of the end.
    let (one, other) = tokio::join!(polling.get(), polling.get());
    let (told, refused) = if one.status == 200 { (one, other) } else { (other, one) };
    assert_eq!((told.status, &*told.body), (200, "1"));
    refusal(&refused, REQUEST);
    refusal(&polling.get().await, SESSION);
}

#[tokio::test]
async fn a_poll_that_waits_when_the_client_closes_is_told() {
    let gateway = Gateway::start(&[]).await;
    for packets in [&["1"][..], &["42[\"e\"]", "1", "42[\"e\"]"]] {
        let polling = connected(&gateway).await;
        let (waits, ()) = tokio::join!(polling.get(), polling.send(packets));
        assert_eq!(waits.status, 200, "{waits:?}");
        assert_eq!(waits.body.rsplit('\u{1e}').next(), Some("6"));
        refusal(&polling.get().await, SESSION);
        // Nobody waits, and nobody is told.
        let polling = connected(&gateway).await;
        polling.send(&["1"]).await;
        refusal(&polling.get().await, SESSION);
    }
    eventually("no session", async || (sessions(&gateway).await == 0).then_some(())).await;
}

#[tokio::test]
async fn who_was_silent_for_too_long_finds_no_session() {
    let settings = [("rooms.ping_interval", "300ms"), ("rooms.ping_timeout", "200ms")];
    let gateway = Gateway::start(&settings).await;
    let polling = polling(&gateway).await;
    // It may still be known, but not for long.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    refusal(&polling.get().await, SESSION);
    refusal(&polling.post(b"3").await, SESSION);
}

#[tokio::test]
async fn two_posts_at_once_end_the_session() {
    let gateway = Gateway::start(&[]).await;
    let (polling, hello) = Polling::open(gateway.address(), "", &[]).await.expect("a session");
    let sid = hello["sid"].as_str().expect("an id");
    let head = format!(
        "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: localhost\r\n\
         Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    );
    let mut slow = TcpStream::connect(gateway.address()).await.expect("it listens");
    slow.write_all(head.as_bytes()).await.expect("it is open");
    // It says so when it begins to read the body.
    let mut go_on = [0; 25];
    slow.read_exact(&mut go_on).await.expect("an interim response");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    refusal(&polling.post(b"40").await, REQUEST);
    refusal(&polling.get().await, SESSION);
}

#[tokio::test]
async fn a_poll_that_its_client_gives_up_ends_the_session() {
    let gateway = Gateway::start(&[]).await;
    let polling = connected(&gateway).await;
    let waits = tokio::time::timeout(std::time::Duration::from_millis(50), polling.get()).await;
    assert!(waits.is_err(), "there is nothing to say: {waits:?}");
    eventually("no session", async || (sessions(&gateway).await == 0).then_some(())).await;
    refusal(&polling.get().await, SESSION);
}
