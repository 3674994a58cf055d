//! Search finds what the caller may see, and nothing else.
use serde_json::json;

use crate::{
    bed::Bed,
    client::{Client, refusal},
};

#[tokio::test]
async fn messages_are_found_in_the_callers_conversations_alone() {
    let bed = Bed::jwt().await;
    let (ann, bob) = (Client::signed_in(&bed, "ann"), Client::signed_in(&bed, "bob"));
    for (client, user, word) in [(&ann, "ann", "apples"), (&bob, "bob", "pears")] {
        let id = bed.conversation(user).await;
        for n in 0..3 {
            let content = format!("{word} and plums {n}");
            let said = client.post("/messages", json!({"conversation_id": id, "content": content}));
            assert_eq!(said.await.status, 201);
        }
    }
    let found = async |client: &Client, query: &str| {
        let answer = client.get(&format!("/api/v1/search?{query}")).await.json();
        let messages = answer["messages"].as_array().unwrap().clone();
        messages.iter().map(|it| it["content"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found(&ann, "q=plums").await.len(), 3);
    assert_eq!(found(&ann, "q=plums&limit=1&offset=1").await, ["apples and plums 1"]);
    assert_eq!(found(&ann, "q=pears").await, Vec::<String>::new());
    assert_eq!(found(&bob, "q=pears+plums").await.len(), 3);
    for odd in ["q=%22", "q=*", "q=%00", "q=NEAR(", "q=content:x", "q=%27%20OR%201=1"] {
        assert_eq!(found(&ann, odd).await, Vec::<String>::new(), "{odd}");
    }
    assert_eq!(ann.get("/api/v1/search?q=plums").await.json()["query"], "plums");
    for none in ["", "?q=", "?q=+"] {
        let refused = ann.get(&format!("/api/v1/search{none}")).await;
        assert_eq!(refusal(&refused), (400, "q is required".to_owned()));
    }
    assert_eq!(Client::nobody(&bed).get("/api/v1/search?q=plums").await.status, 401);
}
