//! A database that is locked.
use serde_json::json;
use sqlx::{ConnectOptions, Executor, sqlite::SqliteConnectOptions};

use crate::{
    bed::Bed,
    client::{Client, file, refusal, text},
};

#[tokio::test]
async fn a_locked_database_is_busy_and_leaves_nothing_behind() {
    let bed = Bed::open().await;
    let ann = Client::claiming(&bed, "ann");
    let id = bed.conversation("ann").await;
    let options = SqliteConnectOptions::new().filename(&bed.database);
    let mut holder = options.connect().await.unwrap();
    holder.execute("BEGIN IMMEDIATE").await.unwrap();
    let path = format!("/conversations/{id}");
    let say = json!({"conversation_id": id, "content": "hello", "temp_id": "t"});
    let parts = [text("conversation_id", &id.to_string()), file("a", "a/b", "x")];
    let refused = [
        ann.post("/messages", say.clone()).await,
        ann.form("/api/upload_file", &parts).await,
        ann.post("/conversations", json!({})).await,
        ann.patch(&path, json!({"title": "t"})).await,
        ann.delete(&path).await,
    ];
    for answer in refused {
        let told = (503, "The database is busy; try again later".to_owned());
        assert_eq!(refusal(&answer), told);
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
    assert_eq!(bed.kept(), Vec::<String>::new());
    // Readers do not wait.
    let list = ann.get(&format!("{path}/messages")).await.json();
    assert_eq!(list["messages"], json!([]));
    holder.execute("ROLLBACK").await.unwrap();
    assert_eq!(ann.post("/messages", say).await.status, 201);
    assert_eq!(ann.form("/api/upload_file", &parts).await.status, 201);
    assert_eq!(bed.kept().len(), 1);
}
