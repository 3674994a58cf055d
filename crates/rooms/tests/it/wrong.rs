//! Bodies that make no sense are refused with a reason, and change nothing.
use serde_json::json;

use crate::{
    bed::Bed,
    client::{Client, JSON, refusal},
};

#[tokio::test]
async fn a_field_that_cannot_be_used_is_named() {
    let bed = Bed::open().await;
    let ann = Client::claiming(&bed, "ann");
    let id = bed.conversation("ann").await;
    let cases = [
        (json!({"content": "a"}), "conversation_id is required"),
        (json!({"conversation_id": "", "content": "a"}), "conversation_id is required"),
        (json!({"conversation_id": 1.5, "content": "a"}), "conversation_id must be a whole number"),
        (
            json!({"conversation_id": [id], "content": "a"}),
            "conversation_id must be a whole number",
        ),
        (json!({"conversation_id": id}), "content is required"),
        (json!({"conversation_id": id, "content": " \n"}), "content is required"),
        (json!({"conversation_id": id, "content": {"a": 1}}), "content must be a text"),
        (
            json!({"conversation_id": id, "content": "a", "sender": "system"}),
            "sender must be user or assistant",
        ),
        (json!({"conversation_id": id, "content": "a", "sender": 1}), "sender must be a text"),
        (
            json!({"conversation_id": id, "content": "a", "temp_id": {}}),
            "temp_id must be a text or a number",
        ),
        (
            json!({"conversation_id": id, "content": "a", "temp_id": "t".repeat(256)}),
            "temp_id must be at most 255 bytes long",
        ),
    ];
    for (body, why) in cases {
        assert_eq!(refusal(&ann.post("/messages", body).await), (400, why.to_owned()));
    }
    assert_eq!(bed.contents(id).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_body_that_is_not_what_it_says_is_refused() {
    let bed = Bed::open().await;
    let ann = Client::claiming(&bed, "ann");
    let deep = "[".repeat(200) + &"]".repeat(200);
    let deep = format!("{{\"conversation_id\":1,\"metadata\":{deep}}}");
    let large = format!("{{\"content\":\"{}\"}}", "x".repeat(1_000_000));
    let cases: [(&str, &[u8], u16); 8] = [
        ("application/json", b"{", 400),
        ("application/json", b"[1]", 400),
        ("application/json", b"\"text\"", 400),
        ("application/json", b"{\"content\":\"\xff\"}", 400),
        ("application/json", deep.as_bytes(), 400),
        ("application/json", large.as_bytes(), 413),
        ("text/plain", b"{}", 415),
        ("multipart/form-data", b"--b--", 400),
    ];
    for (media, body, status) in cases {
        for path in ["/messages", "/chat/stream", "/api/upload_file"] {
            let answer = ann.send("POST", path, &[("Content-Type", media)], body).await;
            assert_eq!(refusal(&answer).0, status, "{path} {media} {answer:?}");
        }
    }
    let unnamed = ann.send("POST", "/messages", &[], b"{}").await;
    assert_eq!(refusal(&unnamed).0, 415);
    let packed = [JSON, ("Content-Encoding", "gzip")];
    assert_eq!(refusal(&ann.send("POST", "/messages", &packed, b"{}").await).0, 415);
}
