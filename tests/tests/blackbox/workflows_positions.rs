//! A watcher of a chat that reconnects goes on exactly where it was.
use e2e::{
    Client, Gateway,
    chat::{Chat, people},
    http,
};
use serde_json::{Value, json};

const NUMBERS: &str =
    r#"{"n":12345678901234567890123, "price":1.50,"e":1E400,"u":"\u00e9\/","n":2}"#;

async fn watch(gateway: &Gateway, chat: &Chat, query: &str) -> (Client, Value) {
    let mut client = Client::at(gateway, &format!("/chat/{}?{query}", chat.id)).await;
    let connected = client.next_json().await;
    assert_eq!(connected["type"], "connected", "{connected}");
    (client, connected)
}

/// Everything until a frame of this type.
async fn until(client: &mut Client, last: &str) -> Vec<Value> {
    let mut frames = Vec::new();
    loop {
        frames.push(client.next_json().await);
        if frames.last().is_some_and(|it| it["type"] == last) {
            return frames;
        }
    }
}

/// These frames come, and no other.
async fn expect(client: &mut Client, frames: &[Value]) {
    for expected in frames {
        assert_eq!(client.next_json().await, *expected);
    }
    client.send_json(&json!({"type": "ping"})).await;
    assert_eq!(client.next_json().await["type"], "pong", "nothing comes twice");
}

fn position(frame: &Value) -> &str {
    frame["position"].as_str().unwrap_or_else(|| panic!("no position in {frame}"))
}

async fn publish(gateway: &Gateway, chat: &Chat, payload: &str) {
    let body = format!(r#"{{"channel":"chat:{}","payload":{payload}}}"#, chat.id);
    let json = [("Content-Type", "application/json")];
    let path = "/api/v1/publish";
    let sent = http::send(gateway.address(), "POST", path, &json, body.as_bytes()).await;
    let sent = sent.expect("an answer");
    assert_eq!(sent.status, 200, "{}", sent.body);
}

fn steps() -> Value {
    json!([{"operation": "csv/convert-to-excel"}, {"operation": "json/generate", "arguments": {}}])
}

#[tokio::test]
async fn who_comes_back_at_any_frame_gets_the_rest_and_nothing_twice() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    chat.upload("a.csv", people(3)).await;
    let (mut watcher, connected) = watch(&gateway, &chat, "positions=true").await;
    publish(&gateway, &chat, "1").await;
    assert_eq!(chat.execute(&steps()).await.status, 200);
    let mut frames = until(&mut watcher, "workflow_completed").await;
    publish(&gateway, &chat, "2").await;
    frames.push(watcher.next_json().await);
    assert!(frames.len() > 8, "{frames:?}");
    assert_eq!((&frames[0]["data"], &frames.last().unwrap()["data"]), (&json!(1), &json!(2)));
    let stations = std::iter::once(&connected).chain(&frames);
    for (seen, from) in stations.enumerate() {
        let query = format!("positions=true&since={}", position(from));
        let (mut again, told) = watch(&gateway, &chat, &query).await;
        assert_eq!(position(&told), position(from), "nothing was delivered yet");
        expect(&mut again, &frames[seen..]).await;
        // The same by command.
        let command = json!({"type": "subscribe", "chat_id": chat.id, "since": position(from)});
        again.send_json(&command).await;
        assert_eq!(position(&again.next_json().await), position(from));
        expect(&mut again, &frames[seen..]).await;
    }
    // Who did not ask for positions gets the frames as they always were.
    let since = position(&connected);
    let (mut plain, _) = watch(&gateway, &chat, &format!("since={since}")).await;
    let without = |frame: &Value| {
        let mut frame = frame.clone();
        frame.as_object_mut().unwrap().remove("position");
        frame
    };
    expect(&mut plain, &frames.iter().map(without).collect::<Vec<_>>()).await;
    let command =
        json!({"type": "subscribe", "chat_id": chat.id, "since": since, "positions": true});
    plain.send_json(&command).await;
    assert_eq!(position(&plain.next_json().await), since);
    expect(&mut plain, &frames).await;
}

#[tokio::test]
async fn a_snapshot_and_what_follows_it_can_be_gone_on_from() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    chat.upload("a.csv", people(3)).await;
    assert_eq!(chat.execute(&steps()).await.status, 200);
    let (mut late, _) = watch(&gateway, &chat, "snapshot=true&positions=1").await;
    let snapshot = late.next_json().await;
    assert_eq!(
        (&snapshot["type"], &snapshot["run"]["status"]),
        (&json!("snapshot"), &json!("completed"))
    );
    let query = format!("positions=true&since={}", position(&snapshot));
    let (mut again, _) = watch(&gateway, &chat, &query).await;
    expect(&mut again, &[]).await;
    publish(&gateway, &chat, "3").await;
    let (one, other) = (late.next_json().await, again.next_json().await);
    assert_eq!((&one["data"], &one), (&json!(3), &other));
}

#[tokio::test]
async fn a_gap_says_where_it_goes_on_and_the_rest_comes_once() {
    let gateway =
        Gateway::start(&[("topics.chat.events", "4"), ("topics.chat.on_slow", "skip")]).await;
    let chat = Chat::create(&gateway).await;
    let (_kept, connected) = watch(&gateway, &chat, "positions=true").await;
    for n in 0..10 {
        publish(&gateway, &chat, &n.to_string()).await;
    }
    let query = format!("positions=true&since={}", position(&connected));
    let (mut again, _) = watch(&gateway, &chat, &query).await;
    let mut frames = Vec::new();
    for _ in 0..5 {
        frames.push(again.next_json().await);
    }
    expect(&mut again, &[]).await;
    assert_eq!((&frames[0]["type"], &frames[0]["missed"]), (&json!("gap"), &json!(6)));
    let data: Vec<_> = frames[1..].iter().map(|it| it["data"].clone()).collect();
    assert_eq!(data, [6, 7, 8, 9]);
    for seen in 0..frames.len() {
        let query = format!("positions=true&since={}", position(&frames[seen]));
        let (mut again, _) = watch(&gateway, &chat, &query).await;
        expect(&mut again, &frames[seen + 1..]).await;
    }
}

#[tokio::test]
async fn what_others_publish_comes_byte_for_byte() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    let (mut plain, _) = watch(&gateway, &chat, "").await;
    let (mut positioned, _) = watch(&gateway, &chat, "positions=true").await;
    publish(&gateway, &chat, NUMBERS).await;
    let begin = format!(r#"{{"type":"message","chat_id":"{}","data":{NUMBERS}"#, chat.id);
    assert_eq!(plain.next_text().await, format!("{begin}}}"));
    let told = positioned.next_text().await;
    assert!(told.starts_with(&format!(r#"{begin},"position":""#)), "{told}");
}
