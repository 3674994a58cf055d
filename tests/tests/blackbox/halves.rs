//! Half of a surrogate pair in the JSON of clients, which send a text that was cut by UTF-16 units, is
//! no reason to refuse them, on any door.
use e2e::{Client, Gateway, Sio, chat::Chat, http, relay};
use serde_json::{Value, json};

/// Text that clients write, and the text that is read from it.
const HALF: &str = r"a\ud83d";
const READ: &str = "a\u{fffd}";

async fn post(gateway: &Gateway, path: &str, body: &str) -> http::Response {
    let headers = [("Content-Type", "application/json")];
    let sent = http::send(gateway.address(), "POST", path, &headers, body.as_bytes()).await;
    sent.expect("an answer")
}

#[tokio::test]
async fn a_question_over_http_is_taken() {
    let gateway = Gateway::start(&[]).await;
    let body = format!(r#"{{"user_id":"7","message":"{HALF}","\ude00":1}}"#);
    let sent = post(&gateway, "/send", &body).await;
    assert_eq!((sent.status, sent.json()), (200, json!({"response": READ})));
    assert_eq!(relay::chat_stream(&gateway, &body).await, READ);
}

#[tokio::test]
async fn a_message_and_what_is_kept_with_it_is_taken() {
    let gateway = Gateway::start(&[]).await;
    let made = post(&gateway, "/conversations", r#"{"user_id":"7","title":"a\ud83d"}"#).await;
    let conversation = made.json()["conversation"].clone();
    assert_eq!((made.status, &conversation["title"]), (201, &json!(READ)), "{}", made.body);
    let id = &conversation["id"];
    let body = format!(
        r#"{{"user_id":"7","conversation_id":{id},"sender":"user","content":"{HALF}","metadata":{{"m":"{HALF}"}}}}"#
    );
    let sent = post(&gateway, "/messages", &body).await;
    assert_eq!(sent.status, 201, "{}", sent.body);
    let message = sent.json()["message"].clone();
    assert_eq!((&message["content"], &message["metadata"]["m"]), (&json!(READ), &json!(READ)));
}

#[tokio::test]
async fn a_question_over_socket_io_is_taken_and_what_is_passed_on_stays() {
    let gateway = Gateway::start(&[]).await;
    let mut ann = Sio::guest(&gateway).await;
    ann.send(&format!(r#"42["llm_request",{{"message":"{HALF}"}}]"#)).await;
    let told = ann.until("llm_complete").await;
    assert_eq!(told.last().map(|(_, it)| &it["text"]), Some(&json!(READ)));
    ann.send(r#"42["join_room",{"room":"r"}]"#).await;
    ann.expect("room_joined").await;
    ann.send(&format!(r#"42["message",{{"room":"r","message":"/ai {HALF}"}}]"#)).await;
    loop {
        let packet = ann.packet().await;
        if packet.contains("new_message") {
            assert!(packet.contains(&format!(r#""message":"/ai {HALF}""#)), "{packet}");
            break;
        }
    }
}

#[tokio::test]
async fn a_frame_of_a_channel_is_passed_on_as_it_was_written() {
    let gateway = Gateway::start(&[]).await;
    let (mut ann, mut bob) = (Client::connect(&gateway).await, Client::connect(&gateway).await);
    bob.subscribe("c").await;
    let frame =
        format!(r#"{{"channel":"c","payload":{{"message":"{HALF}","message_id":"{HALF}"}}}}"#);
    ann.send_text(frame.clone()).await;
    assert_eq!(bob.next_text().await, frame);
    ann.send_text(format!(r#"{{"action":"subscribe","channel":"{HALF}"}}"#)).await;
    let answer: Value = ann.next_json().await;
    assert_ne!(answer["code"], "not_json", "{answer}");
}

#[tokio::test]
async fn a_chat_and_its_steps_are_taken() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    let mut watcher = chat.watch(&gateway).await;
    watcher.send_text(r#"{"type":"ping","x":"\ud83d"}"#).await;
    loop {
        let frame = watcher.next_json().await;
        assert_ne!(frame["message"], "Invalid JSON");
        if frame["type"] == "pong" {
            break;
        }
    }
    let begun = post(&gateway, "/api/v1/chat/bot/conversations", "{}").await;
    let id = begun.json()["data"]["chat_id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/chat/bot/conversations/{id}/message");
    let said = post(&gateway, &path, &format!(r#"{{"message":"{HALF}"}}"#)).await;
    assert_eq!(said.status, 200, "{}", said.body);
}
