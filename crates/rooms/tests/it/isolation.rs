//! Another user's data looks as if it did not exist, over every endpoint.
use e2e::{http::Response, token::token};
use serde_json::json;

use crate::{
    bed::Bed,
    client::{Client, file, text},
};

/// The answers of every endpoint that takes the id of a conversation.
async fn through_all_doors(client: &Client, id: i64) -> Vec<Response> {
    let (path, id) = (format!("/conversations/{id}"), id.to_string());
    vec![
        client.get(&format!("{path}/messages")).await,
        client.patch(&path, json!({"title": "mine"})).await,
        client.delete(&path).await,
        client.post("/messages", json!({"conversation_id": id, "content": "hello"})).await,
        client.form("/messages", &[text("conversation_id", &id), text("content", "a")]).await,
        client.form("/messages", &[file("a", "a/b", "x"), text("conversation_id", &id)]).await,
        client
            .form("/api/upload_file", &[text("conversation_id", &id), file("a", "a/b", "x")])
            .await,
        client
            .form("/api/upload_file", &[file("a", "a/b", "x"), text("conversation_id", &id)])
            .await,
    ]
}

fn without_date(answers: Vec<Response>) -> Vec<Response> {
    let clean = |mut answer: Response| {
        answer.headers.retain(|(name, _)| name != "date");
        answer
    };
    answers.into_iter().map(clean).collect()
}

#[tokio::test]
async fn somebody_elses_conversation_is_answered_as_one_that_does_not_exist() {
    let bed = Bed::jwt().await;
    let (ann, bob) = (Client::signed_in(&bed, "ann"), Client::signed_in(&bed, "bob"));
    let id = bed.conversation("ann").await;
    let theirs = without_date(through_all_doors(&bob, id).await);
    let none = without_date(through_all_doors(&bob, id + 1000).await);
    assert_eq!(theirs, none);
    for answer in theirs {
        let body = json!({"error": "Conversation not found"});
        assert_eq!((answer.status, answer.json()), (404, body));
    }
    assert_eq!((bed.kept(), bed.contents(id).await), (Vec::new(), Vec::new()));
    // The owner has it still.
    assert_eq!(ann.get(&format!("/conversations/{id}/messages")).await.status, 200);
}

#[tokio::test]
async fn a_file_is_for_its_owner_for_its_conversation_and_for_a_grant() {
    let bed = Bed::jwt().await;
    let ann = Client::signed_in(&bed, "ann");
    let id = bed.conversation("ann").await;
    let parts = [text("conversation_id", &id.to_string()), file("a.txt", "text/plain", "secret")];
    let url = ann.form("/api/upload_file", &parts).await.json()["files"][0].clone();
    let url = &*Client::path_of(url.as_str().unwrap());
    assert_eq!(ann.get(url).await.body, "secret");
    let claims = json!({"sub": "cid", "rooms": [format!("{id}")]});
    let granted = Client::nobody(&bed).bearer(&token(claims));
    assert_eq!(granted.get(url).await.body, "secret");
    let bob = Client::signed_in(&bed, "bob");
    let unknown = url.replace("a.txt", "b.txt");
    let other = [
        "/files/x",
        "/files/a/b/c/d",
        "/files/../rooms.db",
        "/files/%2e%2e/rooms.db",
        "/files/%FF",
    ];
    let none = without_date(vec![bob.get(&unknown).await]);
    assert_eq!(without_date(vec![bob.get(url).await]), none);
    assert_eq!((none[0].status, none[0].json()), (404, json!({"error": "File not found"})));
    for path in other {
        assert_eq!(without_date(vec![bob.get(path).await]), none, "{path}");
    }
    assert_eq!(bob.get("/api/files").await.json(), json!({"files": []}));
    let listed = ann.get("/api/files").await.json();
    assert_eq!(Client::path_of(listed["files"][0]["url"].as_str().unwrap()), url);
    // A grant lets in, but deleting is the owner's.
    assert_eq!(granted.get(&format!("/conversations/{id}/messages")).await.status, 200);
    assert_eq!(granted.delete(&format!("/conversations/{id}")).await.status, 404);
}
