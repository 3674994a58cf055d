//! Messages, added without asking an agent, and read.
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    bed::Bed,
    client::{Client, file, refusal, text},
};

#[tokio::test]
async fn a_message_is_stored_answered_and_shown_to_the_room() {
    let bed = Bed::open().await;
    let ann = Client::claiming(&bed, "7");
    let id = bed.conversation("7").await;
    let mut room = bed.watch(id);
    let body = json!({
        "conversation_id": id, "sender": "user", "content": "hello there",
        "metadata": {"n": 1}, "temp_id": "t1",
    });
    let answer = ann.post("/messages", body).await;
    assert_eq!(answer.status, 201);
    let answer = answer.json();
    let message = &answer["message"];
    assert_eq!((&message["sender"], &message["role"]), (&json!("user"), &json!("user")));
    assert_eq!((&message["content"], &message["user_id"]), (&json!("hello there"), &json!(7)));
    assert_eq!((&message["metadata"], &message["uploaded_files"]), (&json!({"n": 1}), &json!([])));
    assert_eq!(message["created_at"], message["timestamp"]);
    assert_eq!(answer["conversation"]["title"], "hello there");
    assert_eq!(answer["temp_id"], "t1");
    let expected = json!({"message": message, "conversation_id": id, "temp_id": "t1"});
    assert_eq!(room.next().await, ("new_message".to_owned(), expected));
    let said = json!({"conversation_id": id.to_string(), "sender": "assistant", "content": "hi"});
    let answer = ann.post("/messages", said).await.json();
    assert!(answer.get("temp_id").is_none(), "{answer}");
    let (_, shown) = room.next().await;
    assert_eq!(
        (&shown["temp_id"], &shown["message"]["sender"]),
        (&Value::Null, &json!("assistant"))
    );
    // Nobody was asked.
    assert!(room.is_quiet() && bed.contents(id).await == ["hello there", "hi"]);
}

#[tokio::test]
async fn a_form_is_as_good_and_brings_files() {
    let bed = Bed::open().await;
    let ann = Client::nobody(&bed);
    let id = bed.conversation("ann").await;
    let mut room = bed.watch(id);
    let parts = [
        file("a.txt", "text/plain", "content"),
        text("user_id", "ann"),
        text("metadata", "{\"a\":1}"),
        text("conversation_id", &id.to_string()),
    ];
    let answer = ann.form("/messages", &parts).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let message = answer.json()["message"].clone();
    assert_eq!(
        (&message["content"], &message["metadata"]),
        (&json!("[File attachment]"), &json!({"a": 1}))
    );
    let uploaded = &message["uploaded_files"][0];
    assert_eq!((&uploaded["filename"], &uploaded["size"]), (&json!("a.txt"), &json!(7)));
    assert_eq!(uploaded["message_id"], message["id"]);
    assert_eq!(room.next().await.1["message"], message);
    let url = Client::path_of(uploaded["url"].as_str().unwrap());
    assert_eq!(Client::claiming(&bed, "ann").get(&url).await.body, "content");
    let body = format!("conversation_id={id}&content=a+b&user_id=ann");
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(ann.send("POST", "/messages", &[form], body.as_bytes()).await.status, 201);
    assert_eq!(bed.contents(id).await, ["[File attachment]", "a b"]);
}

#[tokio::test]
async fn one_temp_id_raced_by_many_is_one_message_shown_once() {
    let bed = Bed::open().await;
    let id = bed.conversation("ann").await;
    let mut room = bed.watch(id);
    let ann = Client::claiming(&bed, "ann");
    let say = async || {
        let parts = [
            text("conversation_id", &id.to_string()),
            text("content", "once"),
            text("temp_id", "t"),
            file("a", "a/b", "x"),
        ];
        ann.form("/messages", &parts).await
    };
    let answers = join_all((0..20).map(|_| say())).await;
    let made = answers.iter().filter(|it| it.status == 201).count();
    let known = answers.iter().filter(|it| it.status == 200).count();
    assert_eq!((made, known), (1, 19), "{answers:?}");
    let messages: Vec<_> = answers.iter().map(|it| it.json()["message"].clone()).collect();
    assert!(messages.iter().all(|it| *it == messages[0]), "{messages:?}");
    assert_eq!(room.next().await.1["message"], messages[0]);
    assert!(room.is_quiet());
    assert_eq!((bed.contents(id).await.len(), bed.kept().len()), (1, 1));
    let other = json!({"conversation_id": id, "content": "twice", "temp_id": "t"});
    assert_eq!(ann.post("/messages", other).await.status, 409);
}

#[tokio::test]
async fn messages_are_read_backwards_page_by_page() {
    let bed = Bed::open().await;
    let ann = Client::claiming(&bed, "ann");
    let id = bed.conversation("ann").await;
    for n in 0..5 {
        let body = json!({"conversation_id": id, "content": n.to_string()});
        assert_eq!(ann.post("/messages", body).await.status, 201);
    }
    let page = async |query: &str| {
        let page = ann.get(&format!("/conversations/{id}/messages?{query}")).await.json();
        let messages = page["messages"].as_array().unwrap().clone();
        let said: String = messages.iter().map(|it| it["content"].as_str().unwrap()).collect();
        (said, page["has_more"].as_bool().unwrap(), messages[0]["id"].to_string())
    };
    let (said, more, before) = page("limit=2").await;
    assert_eq!((said.as_str(), more), ("34", true));
    let (said, more, before) = page(&format!("limit=2&before={before}")).await;
    assert_eq!((said.as_str(), more), ("12", true));
    let (said, more, _) = page(&format!("limit=2&before={before}")).await;
    assert_eq!((said.as_str(), more), ("0", false));
    let (said, more, _) = page("").await;
    assert_eq!((said.as_str(), more), ("01234", false));
    let bad = ann.get(&format!("/conversations/{id}/messages?before=x")).await;
    assert_eq!(refusal(&bad), (400, "before must be a whole number".to_owned()));
}
