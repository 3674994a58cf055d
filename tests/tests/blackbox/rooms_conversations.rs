//! Conversations over Socket.IO: who sees what, in which order, and what is kept of it.
use e2e::{
    Gateway, Sio,
    database::Database,
    fake::{
        model::{delta, stream},
        upstream::{Script, Step, Upstream},
    },
    http,
    sio::Way,
    token::{JWT, token},
};
use quadrille_store::Sender;
use serde_json::{Value, json};

/// A gateway on this database whose agent is a model there.
async fn with_model(database: &Database, model: &Upstream, more: &[(&str, &str)]) -> Gateway {
    let url = model.url("/v1");
    let mut settings = vec![
        database.setting(),
        ("agents.default", "gpt"),
        ("agents.gpt.kind", "openai"),
        ("agents.gpt.url", &*url),
        ("agents.gpt.model", "m"),
        ("agents.gpt.window", "4"),
    ];
    settings.extend_from_slice(more);
    Gateway::start(&settings).await
}

async fn on(database: &Database) -> Gateway {
    Gateway::start(&[database.setting()]).await
}

/// A user in a conversation.
async fn member(gateway: &Gateway, user: &str, conversation: i64) -> Sio {
    let mut client = Sio::user(gateway, user).await;
    client.ask("join_room", &json!({"conversation_id": conversation, "positions": true})).await;
    client.expect("joined_room").await;
    client
}

fn names(events: &[(String, Value)]) -> Vec<&str> {
    let mut names: Vec<_> = events.iter().map(|(name, _)| name.as_str()).collect();
    names.dedup();
    names
}

#[tokio::test]
async fn a_reply_is_its_chunks_put_together_as_it_is_stored() {
    let tokens = [" Ich", " sah", "\n\nzwei ", "🐈", "\u{200d}⬛", "  Katzen. "];
    let model = Upstream::start(Script::sse(&stream(&tokens))).await;
    let database = Database::new().await;
    let id = database.conversation("7").await;
    let gateway = with_model(&database, &model, &[]).await;
    let mut client = member(&gateway, "7", id).await;
    let message = json!({"message": "  Was sahst du? ", "conversation_id": id, "user_id": 7});
    client.emit("send_message", &message).await;
    let events = client.until("ai_response_complete").await;
    let order = ["new_message", "ai_thinking", "ai_response_chunk", "ai_response_complete"];
    assert_eq!(names(&events), order);
    let (shown, complete) = (&events[0].1, &events.last().unwrap().1);
    let chunks = events.iter().filter(|(name, _)| name == "ai_response_chunk");
    let text: String = chunks.map(|(_, it)| it["chunk"].as_str().unwrap()).collect();
    assert_eq!((text.as_str(), complete["content"].as_str()), (&*tokens.concat(), Some(&*text)));
    assert_eq!(shown["content"], "Was sahst du?");
    for (name, twin) in [("role", "sender"), ("timestamp", "created_at")] {
        assert_eq!((&shown[name], &complete[name]), (&shown[twin], &complete[twin]));
    }
    let stored = database.messages(id).await;
    let stored: Vec<_> = stored.iter().map(|it| (json!(it.id), it.content.as_str())).collect();
    let expected =
        [(shown["message_id"].clone(), "Was sahst du?"), (complete["message_id"].clone(), &*text)];
    assert_eq!(stored, expected);
}

#[tokio::test]
async fn an_agent_is_reminded_of_a_conversation_after_a_restart() {
    let model = Upstream::start(Script::sse(&stream(&["Miau"]))).await;
    let database = Database::new().await;
    let id = database.conversation("7").await;
    for question in ["Eins?", "Zwei?"] {
        let gateway = with_model(&database, &model, &[]).await;
        let mut client = member(&gateway, "7", id).await;
        client.emit("send_message", &json!({"message": question, "conversation_id": id})).await;
        client.until("ai_response_complete").await;
        gateway.stop().await;
    }
    let last = model.asked().pop().expect("a question").body;
    let expected = json!([
        {"role": "user", "content": "Eins?"},
        {"role": "assistant", "content": "Miau"},
        {"role": "user", "content": "Zwei?"},
    ]);
    assert_eq!(last["messages"], expected);
}

#[tokio::test]
async fn a_reply_that_fails_is_told_and_kept() {
    let model = Upstream::start(Script::whole("500 Oops", "", "geheim")).await;
    let database = Database::new().await;
    let id = database.conversation("7").await;
    let gateway = with_model(&database, &model, &[]).await;
    let mut client = member(&gateway, "7", id).await;
    client.emit("send_message", &json!({"message": "Hi", "conversation_id": id})).await;
    let events = client.until("ai_response_error").await;
    assert_eq!(names(&events), ["new_message", "ai_thinking", "ai_response_error"]);
    let (error, stored) = (&events.last().unwrap().1, database.messages(id).await);
    let text = "Sorry, I encountered an error: the agent failed";
    assert_eq!((error["error"].as_str(), stored[1].content.as_str()), (Some(text), text));
    assert_eq!(
        (error["message_id"].as_i64(), error["conversation_id"].as_i64()),
        (Some(stored[1].id), Some(id))
    );
}

#[tokio::test]
async fn anybody_in_the_room_can_cancel_and_all_see_what_there_was() {
    let begun = delta(&json!({"content": "Es war"}));
    let model = Upstream::start(Script::stream().chunk(&begun).then(Step::Silence)).await;
    let database = Database::new().await;
    let id = database.conversation("7").await;
    let gateway = with_model(&database, &model, &[]).await;
    let (mut first, mut second) =
        (member(&gateway, "7", id).await, member(&gateway, "7", id).await);
    first.emit("send_message", &json!({"message": "Erzähl!", "conversation_id": id})).await;
    for client in [&mut first, &mut second] {
        client.until("ai_response_chunk").await;
    }
    second.emit("cancel", &json!({"conversation_id": id})).await;
    let ends = [
        first.until("ai_response_complete").await.pop().unwrap().1,
        second.until("ai_response_complete").await.pop().unwrap().1,
    ];
    assert_eq!(ends[0], ends[1]);
    assert_eq!((&ends[0]["cancelled"], &ends[0]["content"]), (&json!(true), &json!("Es war")));
    model.left(1).await;
    let nothing = second.ask("cancel", &json!({"conversation_id": id})).await;
    assert_eq!(nothing, json!([{"error": "no turn runs there"}]));
}

#[tokio::test]
async fn a_message_that_is_sent_again_is_stored_and_answered_once() {
    let database = Database::new().await;
    let id = database.conversation("7").await;
    let gateway = on(&database).await;
    let mut client = member(&gateway, "7", id).await;
    let message = json!({"message": "Einmal", "conversation_id": id, "temp_id": "t1"});
    let first = client.ask("send_message", &message).await;
    client.until("ai_response_complete").await;
    let again = client.ask("send_message", &message).await;
    assert_eq!(
        (&again[0]["message_id"], &again[0]["duplicate"]),
        (&first[0]["message_id"], &json!(true))
    );
    let other = json!({"message": "Anders", "conversation_id": id, "temp_id": "t1"});
    let refused = client.ask("send_message", &other).await;
    let why = "Failed to send message: its temp_id came with another message; take a new one";
    assert_eq!(refused, json!([{"error": why}]));
    assert_eq!(client.expect("error").await, json!({"message": why}));
    assert_eq!(client.settled().await, [""; 0]);
    assert_eq!(database.messages(id).await.len(), 2);
}

#[tokio::test]
async fn a_question_through_another_door_is_seen_and_kept_as_a_message() {
    let database = Database::new().await;
    let id = database.conversation("7").await;
    let gateway = on(&database).await;
    let mut client = member(&gateway, "7", id).await;
    let body = json!({"user_id": "7", "message": "Von drüben", "topic": format!("room:{id}")});
    let headers = [("Content-Type", "application/json")];
    let body = body.to_string();
    let sent = http::send(gateway.address(), "POST", "/send", &headers, body.as_bytes()).await;
    assert_eq!(sent.unwrap().json(), json!({"response": "Von drüben"}));
    let events = client.until("ai_response_complete").await;
    let order = ["new_message", "ai_thinking", "ai_response_chunk", "ai_response_complete"];
    assert_eq!(names(&events), order);
    let stored = database.messages(id).await;
    let stored: Vec<_> = stored.iter().map(|it| (it.sender, it.content.as_str())).collect();
    assert_eq!(stored, [(Sender::User, "Von drüben"), (Sender::Assistant, "Von drüben")]);
}

#[tokio::test]
async fn what_is_not_yours_is_as_if_it_were_not_there() {
    let database = Database::new().await;
    let (mine, theirs) = (database.conversation("7").await, database.conversation("8").await);
    let settings = [&JWT[..], &[database.setting()]].concat();
    let gateway = Gateway::start(&settings).await;
    let auth = json!({"token": token(json!({"sub": "7"}))});
    let mut client = Sio::connected(&gateway, Way::WebSocket, &auth).await;
    let missing = theirs + 1000;
    let mut answers = Vec::new();
    for id in [theirs, missing] {
        let mut all = Vec::new();
        let calls = [
            ("join_room", json!({"conversation_id": id})),
            ("join_room", json!({"conversation_id": id.to_string(), "since": "1-1"})),
            ("leave_room", json!({"conversation_id": id})),
            ("send_message", json!({"conversation_id": id, "message": "Hallo", "user_id": 8})),
            ("typing", json!({"conversation_id": id, "user_id": 8, "is_typing": true})),
            ("cancel", json!({"conversation_id": id})),
            ("watch", json!({"topic": format!("room:{id}")})),
            ("unwatch", json!({"topic": format!("room:{id}")})),
        ];
        for (name, payload) in calls {
            let ack = client.ask(name, &payload).await;
            let rest = client.settled().await;
            let answer = format!("{name} {ack} {rest:?}").replace("42[", "[");
            all.push(answer.replace(&id.to_string(), "ID"));
        }
        answers.push(all);
    }
    assert_eq!(answers[0], answers[1]);
    assert!(answers[0][0].contains("Conversation not found"), "{answers:?}");
    assert!(database.messages(theirs).await.is_empty());
    let ack = client.ask("join_room", &json!({"conversation_id": mine})).await;
    assert!(ack[0]["position"].is_string());
}

#[tokio::test]
async fn typing_is_shown_to_the_others_alone() {
    let database = Database::new().await;
    let id = database.conversation("7").await;
    let gateway = on(&database).await;
    let (mut first, mut second) =
        (member(&gateway, "7", id).await, member(&gateway, "7", id).await);
    let typing = json!({"conversation_id": id, "user_id": 7, "is_typing": true});
    first.ask("typing", &typing).await;
    let mut seen = second.expect("user_typing").await;
    seen.as_object_mut().unwrap().remove("position");
    let expected = json!({"user_id": 7, "username": "7", "is_typing": true, "conversation_id": id});
    assert_eq!(seen, expected);
    assert_eq!(first.settled().await, [""; 0]);
}

#[tokio::test]
async fn who_was_away_too_long_is_told_what_it_missed() {
    let database = Database::new().await;
    let id = database.conversation("7").await;
    let gateway = Gateway::start(&[database.setting(), ("topics.room.events", "4")]).await;
    let mut client = member(&gateway, "7", id).await;
    client.emit("send_message", &json!({"message": "a b c d", "conversation_id": id})).await;
    let first = client.until("new_message").await.pop().unwrap().1;
    client.until("ai_response_complete").await;
    client.emit("send_message", &json!({"message": "e f g h", "conversation_id": id})).await;
    client.until("ai_response_complete").await;
    let mut late = Sio::user(&gateway, "7").await;
    let join = json!({"conversation_id": id, "since": first["position"], "positions": true});
    late.emit("join_room", &join).await;
    assert_eq!(late.expect("joined_room").await["position"], first["position"]);
    let gap = late.expect("gap").await;
    assert!(gap["conversation_id"] == json!(id) && gap["missed"].as_u64() > Some(0), "{gap}");
    assert_eq!(late.until("ai_response_complete").await.last().unwrap().1["content"], "e f g h");
}

#[tokio::test]
async fn what_is_missing_is_said_in_the_words_that_clients_know() {
    let database = Database::new().await;
    let id = database.conversation("7").await;
    let settings = [&JWT[..], &[database.setting()]].concat();
    let gateway = Gateway::start(&settings).await;
    let auth = json!({"token": token(json!({"sub": "7"}))});
    let mut client = Sio::connected(&gateway, Way::Polling, &auth).await;
    let cases = [
        ("join_room", json!({}), "conversation_id is required"),
        ("join_room", json!({"conversation_id": null}), "conversation_id is required"),
        ("join_room", json!({"conversation_id": "abc"}), "Conversation not found"),
        ("join_room", json!({"conversation_id": -1}), "Conversation not found"),
        ("join_room", json!({"conversation_id": [1]}), "Conversation not found"),
        ("join_room", json!([1]), "Failed to join room"),
        ("join_room", json!("7"), "Failed to join room"),
        (
            "join_room",
            json!({"conversation_id": id, "since": "yesterday"}),
            "since is not a position; send one back exactly as it was received",
        ),
        ("leave_room", json!({}), "conversation_id is required"),
        ("leave_room", json!(null), "Failed to leave room"),
        ("send_message", json!({"conversation_id": id}), "Message text is required"),
        (
            "send_message",
            json!({"conversation_id": id, "message": " \n"}),
            "Message text is required",
        ),
        ("send_message", json!({"message": "Hi"}), "conversation_id and user_id are required"),
        (
            "send_message",
            json!({"message": "Hi", "conversation_id": "x"}),
            "Conversation not found",
        ),
        ("send_message", json!("Hi"), "Failed to send message: send an object"),
        ("auth_refresh", json!({}), "Authentication token required"),
        ("auth_refresh", json!({"token": "a.b.c"}), "Invalid token"),
    ];
    for (name, payload, message) in cases {
        assert_eq!(client.ask(name, &payload).await, json!([{"error": message}]), "{payload}");
        assert_eq!(client.expect("error").await, json!({"message": message}));
    }
    let ack = client.ask("join_room", &json!({"conversation_id": id.to_string()})).await;
    assert!(ack[0]["position"].is_string(), "and the connection is as good as before");
}

#[tokio::test]
async fn who_types_has_the_name_that_the_token_says() {
    let database = Database::new().await;
    let id = database.conversation("7").await;
    let settings = [&[database.setting()][..], &JWT].concat();
    let gateway = Gateway::start(&settings).await;
    let names = [
        (json!({"name": " Ada ", "username": "ada7"}), "Ada"),
        (json!({"username": "ada7"}), "ada7"),
        (json!({"name": 7, "username": ""}), "7"),
        (json!({}), "7"),
    ];
    let mut reader = None;
    for (mut claims, name) in names {
        claims["sub"] = "7".into();
        let auth = json!({"token": token(claims)});
        let mut typer = Sio::connected(&gateway, Way::WebSocket, &auth).await;
        if reader.is_none() {
            let mut sio = Sio::connected(&gateway, Way::WebSocket, &auth).await;
            sio.ask("join_room", &json!({"conversation_id": id})).await;
            reader = Some(sio);
        }
        let reader = reader.as_mut().expect("it has joined");
        typer.ask("typing", &json!({"conversation_id": id, "is_typing": true})).await;
        let seen = reader.until("user_typing").await.pop().expect("an event").1;
        assert_eq!((&seen["username"], &seen["user_id"]), (&json!(name), &json!(7)));
    }
}
