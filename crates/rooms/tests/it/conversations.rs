//! Conversations, made, listed, changed and deleted.
use e2e::eventually;
use quadrille_agents::Ask;
use quadrille_core::Holder;
use serde_json::{Value, json};

use crate::{
    bed::Bed,
    client::{Client, JSON, file, refusal, text},
};

async fn titles(client: &Client, query: &str) -> Vec<String> {
    let list = client.get(&format!("/conversations{query}")).await.json();
    let list = list["conversations"].as_array().unwrap();
    list.iter().map(|it| it["title"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_conversation_is_made_with_whatever_body() {
    let bed = Bed::open().await;
    let ann = Client::claiming(&bed, "7");
    let made = ann.post("/conversations", json!({"title": "  plans "})).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    let conversation = &made["conversation"];
    assert_eq!(made["conversation_id"], conversation["id"]);
    assert_eq!((&conversation["title"], &conversation["user_id"]), (&json!("plans"), &json!(7)));
    assert_eq!(conversation["is_pinned"], false);
    assert_eq!(conversation["created_at"], conversation["updated_at"]);
    let empty = [
        ann.send("POST", "/conversations", &[], &[]).await,
        ann.send("POST", "/conversations", &[JSON], &[]).await,
        ann.post("/conversations", json!({})).await,
        ann.post("/conversations", json!({"title": null})).await,
        ann.post("/conversations", json!({"title": ""})).await,
    ];
    for made in empty {
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(made.json()["conversation"]["title"], "New Conversation");
    }
    // Who it is may also be in the body.
    let made = Client::nobody(&bed).post("/conversations", json!({"user_id": 7})).await;
    assert_eq!(made.status, 201);
    assert_eq!(titles(&ann, "").await.len(), 7);
}

#[tokio::test]
async fn pinned_ones_come_first_and_then_the_newest() {
    let bed = Bed::open().await;
    let ann = Client::claiming(&bed, "ann");
    let mut ids = Vec::new();
    for title in ["a", "b", "c"] {
        let made = ann.post("/conversations", json!({ "title": title })).await.json();
        ids.push(made["conversation_id"].clone());
    }
    let path = format!("/conversations/{}", ids[0]);
    let changed = ann.patch(&path, json!({"is_pinned": true, "title": "first"})).await.json();
    assert_eq!(changed["conversation"]["is_pinned"], true);
    assert_eq!(titles(&ann, "").await, ["first", "c", "b"]);
    assert_eq!(titles(&ann, "?limit=1&offset=1").await, ["c"]);
    assert_eq!(titles(&ann, "?limit=99999999").await.len(), 3);
    assert_eq!(titles(&Client::claiming(&bed, "bob"), "").await, Vec::<String>::new());
}

#[tokio::test]
async fn what_cannot_be_changed_is_named() {
    let bed = Bed::open().await;
    let ann = Client::claiming(&bed, "ann");
    let path = format!("/conversations/{}", bed.conversation("ann").await);
    let cases = [
        (json!({"title": 7}), "title must be a text"),
        (json!({"is_pinned": "maybe"}), "is_pinned must be true or false"),
        (json!({"title": "  "}), "title is required"),
        (json!({"title": "x".repeat(256)}), "title must be at most 255 characters long"),
        (json!({}), "Send title, is_pinned or both"),
    ];
    for (body, why) in cases {
        assert_eq!(refusal(&ann.patch(&path, body).await), (400, why.to_owned()));
    }
    assert_eq!(ann.patch(&path, json!({"title": "ä".repeat(255)})).await.status, 200);
    for path in
        ["/conversations/4711", "/conversations/x", "/conversations/-1", "/conversations/%FF"]
    {
        let unknown = (404, "Conversation not found".to_owned());
        assert_eq!(refusal(&ann.patch(path, json!({"title": "t"})).await), unknown, "{path}");
        assert_eq!(refusal(&ann.delete(path).await), unknown, "{path}");
    }
    for query in ["limit=0", "limit=-1", "offset=x"] {
        let refused = ann.get(&format!("/conversations?{query}")).await;
        assert_eq!(refused.status, 400, "{query}");
    }
    assert_eq!(ann.send("PUT", &path, &[], &[]).await.status, 405);
}

#[tokio::test]
async fn with_a_conversation_go_its_files_and_its_turns() {
    let bed = Bed::open().await;
    let ann = Client::claiming(&bed, "ann");
    let id = bed.conversation("ann").await;
    let other = bed.conversation("ann").await;
    for conversation in [id, id, other] {
        let parts = [text("conversation_id", &conversation.to_string()), file("a", "a/b", "x")];
        assert_eq!(ann.form("/api/upload_file", &parts).await.status, 201);
    }
    assert_eq!(bed.kept().len(), 3);
    let topic: quadrille_core::Topic = format!("room:{id}").parse().unwrap();
    let ask = |text: &str| Ask {
        topic: topic.clone(),
        user: "ann".into(),
        holder: Holder::User("ann".into()),
        text: text.into(),
        agent: None,
        key: None,
        id: None,
    };
    let running = bed.desk.ask(ask("silence")).await.unwrap();
    let waiting = bed.desk.ask(ask("later")).await.unwrap();
    // The question is stored before the agent is asked.
    eventually("the question", async || {
        bed.contents(id).await.contains(&"silence".to_owned()).then_some(())
    })
    .await;
    let deleted = ann.delete(&format!("/conversations/{id}")).await;
    assert_eq!((deleted.status, deleted.json()), (200, json!({"message": "Conversation deleted"})));
    for turn in [running, waiting] {
        let ended = turn.ended().await;
        assert!(matches!(ended.ending, quadrille_agents::Ending::Cancelled(_)), "{ended:?}");
    }
    assert_eq!(bed.kept().len(), 1);
    let gone = ann.get(&format!("/conversations/{id}/messages")).await;
    assert_eq!(refusal(&gone), (404, "Conversation not found".to_owned()));
    let left = ann.get("/api/files").await.json();
    let of: Vec<&Value> =
        left["files"].as_array().unwrap().iter().map(|it| &it["conversation_id"]).collect();
    assert_eq!(of, [&json!(other)]);
}
