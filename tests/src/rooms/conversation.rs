//! Two users in one conversation.
use quadrille_store::{Message, Sender};
use serde_json::{Value, json};

use super::{REPLY, Reply, Surroundings, TOKENS, reply};
use crate::{
    Gateway,
    puppet::{Library, Page, Puppet, Way, data},
    token::{JWT, token},
};

/// A page of this user, which has its hello and listens to everything.
async fn page(
    gateway: &Gateway,
    library: Library,
    way: Way,
    user: &str,
    rooms: &[String],
) -> Puppet {
    let mut page = Puppet::start(gateway, library, way, Page::Manager);
    page.hear(&["connected", "status", "joined_room", "left_room", "user_typing", "stats"]).await;
    page.hear(&["error", "gap"]).await;
    page.hear(&REPLY).await;
    let token = token(json!({"sub": user, "rooms": rooms}));
    let happened = page.connect(json!([token]), &["connected", "status"]).await;
    let hello =
        json!({"status": "success", "message": "Connected to chat server", "user_id": user});
    assert_eq!(*data(&happened, "connected"), hello);
    assert_eq!(data(&happened, "status")["sid"], data(&happened, "connect")["id"]);
    page
}

/// A message and its reply are in the store as they were shown.
fn is_stored(shown: &Reply, stored: &[Message]) {
    let Reply { message, complete } = shown;
    assert_eq!(stored.len(), 2);
    for (shown, stored) in [message, complete].into_iter().zip(stored) {
        assert_eq!(
            (&shown["message_id"], &shown["content"]),
            (&json!(stored.id), &json!(stored.content))
        );
        assert_eq!(shown["role"], shown["sender"]);
        assert_eq!(shown["timestamp"], shown["created_at"]);
    }
    let senders = [&stored[0], &stored[1]].map(|it| it.sender);
    assert_eq!(senders, [Sender::User, Sender::Assistant]);
    assert_eq!([&message["role"], &complete["role"]], ["user", "assistant"]);
}

/// Two who are in a conversation see the same; who is not, or has left, sees nothing.
pub async fn a_conversation(library: Library, way: Way) {
    let around = Surroundings::new().await;
    let database = &around.database;
    let (id, foreign) = (database.conversation("7").await, database.conversation("8").await);
    let gateway = around.gateway(&JWT).await;
    let mut owner = page(&gateway, library, way, "7", &[]).await;
    let mut guest = page(&gateway, library, way, "ada", &[id.to_string()]).await;

    owner.call("joinRoom", json!([foreign])).await;
    assert_eq!(owner.expect("error").await, json!({"message": "Conversation not found"}));
    for (page, id) in [(&mut owner, json!(id)), (&mut guest, json!(id.to_string()))] {
        page.call("joinRoom", json!([id])).await;
        let joined = page.expect("joined_room").await;
        let expected = json!({
            "conversation_id": id.as_str().map_or(id.clone(), |it| json!(it.parse::<i64>().expect("digits"))),
            "room": format!("conversation_{}", joined["conversation_id"]),
            "message": "Joined conversation: Katzen",
            "position": joined["position"],
        });
        assert_eq!(joined, expected);
    }

    owner.call("sendTypingIndicator", json!([id, 7, true])).await;
    let typing = json!({"user_id": 7, "username": "7", "is_typing": true, "conversation_id": id});
    assert_eq!(guest.expect("user_typing").await, typing);

    owner.call("sendMessage", json!(["  Wie geht's? 😀\n", id, 7])).await;
    let (one, other) = (reply(&mut owner).await, reply(&mut guest).await);
    assert_eq!((&one.message, &one.complete), (&other.message, &other.complete));
    assert_eq!(one.message["content"], "Wie geht's? 😀");
    assert_eq!(one.complete["content"], TOKENS.concat());
    is_stored(&one, &database.messages(id).await);

    owner.call("leaveRoom", json!([id])).await;
    let left = json!({"conversation_id": id, "message": "Left conversation"});
    assert_eq!(owner.expect("left_room").await, left);
    guest.call("unhear", json!(["user_typing"])).await;
    // Acknowledged, and so done.
    owner.ask("typing", json!({"conversation_id": id, "is_typing": false})).await;
    guest.expect_nothing().await;
    owner.call("sendMessage", json!(["Und jetzt?", id, 7])).await;
    reply(&mut guest).await;
    owner.expect_nothing().await;
    owner.end().await;
    guest.end().await;
}

/// Every event that asks for it is acknowledged, after what it does is done.
pub async fn acknowledgements(library: Library, way: Way) {
    let around = Surroundings::new().await;
    let id = around.database.conversation("7").await;
    let gateway = around.gateway(&JWT).await;
    let mut page = page(&gateway, library, way, "7", &[]).await;

    let joined = page.ask("join_room", json!({"conversation_id": id})).await;
    assert_eq!(page.expect("joined_room").await["position"], joined["position"]);
    let miau = json!({"message": "Miau", "conversation_id": id, "temp_id": "t-1"});
    let sent = page.ask("send_message", miau.clone()).await;
    let stored = around.database.messages(id).await;
    assert_eq!((&sent["message_id"], &*stored[0].content), (&json!(stored[0].id), "Miau"));
    let shown = reply(&mut page).await;
    assert_eq!((&shown.message["turn"], &shown.message["temp_id"]), (&sent["turn"], &json!("t-1")));

    let again = page.ask("send_message", miau).await;
    let expected =
        json!({"message_id": sent["message_id"], "turn": sent["turn"], "duplicate": true});
    assert_eq!(again, expected);
    let refused = page.ask("send_message", json!({"message": " ", "conversation_id": id})).await;
    assert_eq!(refused, json!({"error": "Message text is required"}));
    assert_eq!(page.expect("error").await, json!({"message": "Message text is required"}));
    for (event, payload) in [("typing", json!({})), ("nobody knows it", json!([1, null]))] {
        assert_eq!(page.ask(event, payload).await, Value::Null, "{event}");
    }
    assert_eq!(page.ask("leave_room", json!({"conversation_id": id})).await, Value::Null);
    page.expect("left_room").await;
    assert_eq!(around.database.messages(id).await.len(), 2);
    page.end().await;
}
