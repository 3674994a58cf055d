//! A question, and its reply as a stream of text.
use e2e::eventually;
use quadrille_core::{Close, Topic};
use serde_json::json;

use crate::{
    bed::Bed,
    client::{Client, PARTS, file, refusal, text, whole},
};

const FORM: &str = "application/x-www-form-urlencoded";

/// The data of every event, in order.
fn events(stream: &str) -> Vec<String> {
    let blocks = stream.split("\n\n");
    let data = blocks.map(|block| {
        let lines = block.lines().filter_map(|line| line.strip_prefix("data: "));
        lines.collect::<Vec<_>>().join("\n")
    });
    assert!(!stream.contains("event:"), "{stream}");
    data.filter(|it| !it.is_empty()).collect()
}

#[tokio::test]
async fn a_reply_is_streamed_raw_or_as_json_and_nothing_is_kept() {
    let bed = Bed::open().await;
    let ann = Client::nobody(&bed);
    let raw = ann.stream("/chat/stream", FORM, "message=hello+%0Athere+%C3%A4&user_id=ann").await;
    assert_eq!(events(&raw).concat(), "hello \nthere ä", "{raw}");
    let parts = [
        text("user_id", "ann"),
        text("message", "hello \nthere"),
        text("history", "[]"),
        file("image", "image/png", "x").replace("\"files\"", "\"image\""),
        text("conversation_id", ""),
    ];
    let stream = ann.stream("/chat/stream", PARTS.1, &whole(&parts)).await;
    let chunks = events(&stream);
    let chunks: Vec<String> = chunks.iter().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(chunks.concat(), "hello \nthere", "{stream}");
    let listed = Client::claiming(&bed, "ann").get("/conversations").await.json();
    assert_eq!((listed, bed.kept()), (json!({"conversations": []}), Vec::new()));
    let none = ann.post("/chat/stream", json!({"user_id": "ann", "message": " "})).await;
    assert_eq!(refusal(&none), (400, "message is required".to_owned()));
}

#[tokio::test]
async fn a_stream_that_is_ended_says_so_in_text() {
    let bed = Bed::open().await;
    let ann = Client::claiming(&bed, "ann");
    let kick = async {
        let kicked = async || (bed.core.sessions.kick(|_| true, &Close::KICKED) > 0).then_some(());
        let topic: Topic = "user:ann".parse().unwrap();
        eventually("a turn", async || bed.desk.current(&topic)).await;
        eventually("a session", kicked).await;
        bed.desk.current(&topic).expect("leaving cancels nothing")
    };
    let body = "message=silence&conversation_id=1";
    let (stream, turn) = tokio::join!(ann.stream("/chat/stream", FORM, body), kick);
    let last = events(&stream).pop().unwrap();
    assert_eq!(last, "\"Error: ended by the operator\"");
    bed.desk.cancel(&turn);
    turn.ended().await;
}

#[tokio::test]
async fn a_question_that_is_not_taken_is_an_error_in_the_stream() {
    let bed = Bed::open().await;
    bed.desk.drain(std::time::Duration::ZERO).await;
    let ann = Client::claiming(&bed, "ann");
    let raw = ann.stream("/chat/stream", FORM, "message=a").await;
    assert_eq!(events(&raw), ["Error: the gateway is shutting down"]);
    let json = ann.stream("/chat/stream", FORM, "message=a&conversation_id=1").await;
    assert_eq!(events(&json), ["\"Error: the gateway is shutting down\""]);
}
