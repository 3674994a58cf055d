//! Text that was shown is kept, however its turn or the process ends, and the agent is told of it.
use e2e::{
    Gateway, Sio, Sse,
    database::Database,
    eventually,
    fake::{
        model::{delta, stream},
        upstream::{Script, Step, Upstream},
    },
    relay::{cancel, post, send, turn},
};
use quadrille_store::Sender;
use serde_json::{Value, json};

/// A model that says `Miau` and does not go on.
async fn stuck_model() -> Upstream {
    Upstream::start(begun().then(Step::Silence)).await
}

fn begun() -> Script {
    let [one, two] = ["Mi", "au"].map(|token| delta(&json!({"content": token})));
    Script::stream().chunk(&one).chunk(&two)
}

async fn start(database: &Database, model: &Upstream, more: &[(&str, &str)]) -> Gateway {
    let url = model.url("/v1");
    let settings = [
        database.setting(),
        ("server.grace", "2s"),
        ("server.drain_window", "0s"),
        ("agents.default", "gpt"),
        ("agents.gpt.kind", "openai"),
        ("agents.gpt.url", &url),
        ("agents.gpt.model", "m"),
        ("agents.gpt.window", "10"),
    ];
    Gateway::start(&[&settings, more].concat()).await
}

/// The messages that the model was sent last.
fn told(model: &Upstream) -> Vec<(String, String)> {
    let asked = model.asked();
    let messages = asked.last().expect("it was asked").body["messages"].clone();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let messages = messages.as_array().expect("a list").iter();
    messages.map(|message| (text(&message["role"]), text(&message["content"]))).collect()
}

fn said(role: &str, text: &str) -> (String, String) {
    (role.to_owned(), text.to_owned())
}

async fn begins(gateway: &Gateway, user: &str, question: &str) -> String {
    let ask = json!({"user_id": user, "message": question});
    let begun = post(gateway, "/api/v1/turns", &[], &ask).await;
    assert_eq!(begun.status, 202, "{begun:?}");
    begun.json()["turn"].as_str().expect("an id").to_owned()
}

/// Waits until the reply is stored as far as it was shown.
async fn is_stored(database: &Database, turn: &str) {
    eventually("the text in the store", async || {
        let stored = database.turn(turn).await?;
        (stored.text == "Miau").then_some(())
    })
    .await;
}

async fn a_turn_of_a_user_is_kept(signal: &str) {
    let (database, model) = (Database::new().await, stuck_model().await);
    let mut gateway = start(&database, &model, &[]).await;
    let mut reader = Sse::open(&gateway, "topic=user:7", None).await;
    let id = begins(&gateway, "7", "Wie geht's?").await;
    reader.data("turn.started").await;
    let shown = reader.next().await.expect("a part of the reply");
    is_stored(&database, &id).await;
    let running = turn(&gateway, &id).await;
    assert_eq!((&running["status"], &running["response"]), (&json!("running"), &json!("Miau")));
    drop(reader);
    gateway.signal(signal).await;
    gateway.wait().await;

    model.play(Script::sse(&stream(&["Gut."])));
    let gateway = start(&database, &model, &[]).await;
    assert_eq!(gateway.get("/readyz").await.status, 200);
    let kept = turn(&gateway, &id).await;
    assert_eq!((&kept["status"], &kept["code"]), (&json!("failed"), &json!("interrupted")));
    assert_eq!((&kept["response"], &kept["user"]), (&json!("Miau"), &json!("7")));
    // A reader that comes back is told once.
    let mut reader = Sse::open(&gateway, "topic=user:7", Some(&shown.id)).await;
    assert_eq!(reader.next().await.expect("a gap").kind, "gap");
    let last = reader.next().await.expect("the end");
    assert_eq!(
        (last.kind.as_str(), &last.json()["payload"]["text"]),
        ("turn.failed", &json!("Miau"))
    );
    assert_eq!(last.json()["payload"]["turn"], json!(id));
    // The agent is told as well.
    let next = send(&gateway, "7", "Weiter!").await;
    assert_eq!(next.json(), json!({"response": "Gut."}));
    let expected =
        [said("user", "Wie geht's?"), said("assistant", "Miau"), said("user", "Weiter!")];
    assert_eq!(told(&model), expected);
    assert_eq!(reader.next().await.expect("the next turn").kind, "turn.started");
}

#[tokio::test]
async fn a_killed_gateway_keeps_what_it_showed_in_a_users_topic() {
    a_turn_of_a_user_is_kept("KILL").await;
}

#[tokio::test]
async fn a_stopped_gateway_keeps_what_it_showed_in_a_users_topic() {
    a_turn_of_a_user_is_kept("TERM").await;
}

async fn a_reply_in_a_conversation_is_kept(signal: &str) {
    let (database, model) = (Database::new().await, stuck_model().await);
    let conversation = database.conversation("7").await;
    let mut gateway = start(&database, &model, &[]).await;
    let mut page = Sio::user(&gateway, "7").await;
    page.ask("join_room", &json!({"conversation_id": conversation, "positions": true})).await;
    let message = json!({"conversation_id": conversation, "message": "Wie geht's?"});
    let sent = page.ask("send_message", &message).await;
    let id = sent[0]["turn"].as_str().expect("an id").to_owned();
    let chunk = page.until("ai_response_chunk").await.pop().expect("a chunk").1;
    is_stored(&database, &id).await;
    let path = format!("/conversations/{conversation}/messages?user_id=7");
    let list = gateway.get(&path).await.json();
    let running = &list["messages"][1];
    assert_eq!((&running["id"], &running["content"]), (&Value::Null, &json!("Miau")));
    assert_eq!(running["metadata"], json!({"turn": id, "status": "running"}));
    drop(page);
    gateway.signal(signal).await;
    gateway.wait().await;

    model.play(Script::sse(&stream(&["Gut."])));
    let gateway = start(&database, &model, &[]).await;
    assert_eq!(gateway.get("/readyz").await.status, 200);
    let stored = database.messages(conversation).await;
    assert_eq!((stored.len(), stored[1].sender), (2, Sender::Assistant));
    assert_eq!(stored[1].content, "Miau");
    let metadata: Value =
        serde_json::from_str(stored[1].metadata.as_deref().expect("metadata")).expect("JSON");
    let expected = json!({"turn": id, "status": "failed", "code": "interrupted"});
    assert_eq!(metadata, expected);
    let mut page = Sio::user(&gateway, "7").await;
    let join = json!({"conversation_id": conversation, "since": chunk["position"]});
    page.emit("join_room", &join).await;
    let error = page.until("ai_response_error").await.pop().expect("an error").1;
    assert_eq!((&error["text"], &error["message_id"]), (&json!("Miau"), &json!(stored[1].id)));
    let message = json!({"conversation_id": conversation, "message": "Weiter!"});
    page.ask("send_message", &message).await;
    let events = page.until("ai_response_complete").await;
    assert!(events.iter().all(|(name, _)| name != "ai_response_error"), "{events:?}");
    let expected =
        [said("user", "Wie geht's?"), said("assistant", "Miau"), said("user", "Weiter!")];
    assert_eq!(told(&model), expected);
}

#[tokio::test]
async fn a_killed_gateway_keeps_what_it_showed_in_a_conversation() {
    a_reply_in_a_conversation_is_kept("KILL").await;
}

#[tokio::test]
async fn a_stopped_gateway_keeps_what_it_showed_in_a_conversation() {
    a_reply_in_a_conversation_is_kept("TERM").await;
}

#[tokio::test]
async fn of_a_reply_that_breaks_off_or_is_cancelled_all_that_was_shown_is_stored() {
    let (database, model) = (Database::new().await, stuck_model().await);
    let conversation = database.conversation("7").await;
    let gateway = start(&database, &model, &[]).await;
    let topic = format!("room:{conversation}");
    let ask = json!({"user_id": "7", "message": "Wie geht's?", "topic": topic});
    let cancelled = post(&gateway, "/api/v1/turns", &[], &ask).await.json();
    let id = cancelled["turn"].as_str().expect("an id");
    eventually("some text", async || {
        (turn(&gateway, id).await["response"] == "Miau").then_some(())
    })
    .await;
    assert_eq!(cancel(&gateway, id).await.json()["response"], "Miau");
    model.play(begun().then(Step::Cut));
    let ask = json!({"user_id": "7", "message": "Und jetzt?", "topic": topic});
    let broken = post(&gateway, "/send", &[], &ask).await;
    assert_eq!(broken.problem().2, "/problems/agent-broken-off");
    let id = broken.header("quadrille-turn").expect("an id");
    let told_of = turn(&gateway, id).await;
    assert_eq!((&told_of["code"], &told_of["response"]), (&json!("broken_off"), &json!("Miau")));
    model.play(Script::whole("500 No", "", ""));
    let ask = json!({"user_id": "7", "message": "Hallo?", "topic": topic});
    assert_eq!(post(&gateway, "/send", &[], &ask).await.status, 502);
    let stored = database.messages(conversation).await;
    let stored: Vec<_> = stored.iter().map(|message| message.content.as_str()).collect();
    let sorry = "Sorry, I encountered an error: the agent failed";
    assert_eq!(stored, ["Wie geht's?", "Miau", "Und jetzt?", "Miau", "Hallo?", sorry]);
    model.play(Script::sse(&stream(&["Gut."])));
    let ask = json!({"user_id": "7", "message": "Weiter!", "topic": topic});
    post(&gateway, "/send", &[], &ask).await;
    let expected = [
        said("user", "Wie geht's?"),
        said("assistant", "Miau"),
        said("user", "Und jetzt?"),
        said("assistant", "Miau"),
        said("user", "Hallo?"),
        said("user", "Weiter!"),
    ];
    assert_eq!(told(&model), expected);
}

#[tokio::test]
async fn the_window_counts_turns_however_long_the_log_is() {
    let (database, model) = (Database::new().await, stuck_model().await);
    let more = [("topics.user.events", "3"), ("agents.gpt.window", "2")];
    let gateway = start(&database, &model, &more).await;
    for n in ["1", "2", "3", "4"] {
        model.play(Script::sse(&stream(&["re ", n])));
        assert_eq!(send(&gateway, "7", n).await.status, 200);
    }
    let expected = [
        said("user", "2"),
        said("assistant", "re 2"),
        said("user", "3"),
        said("assistant", "re 3"),
        said("user", "4"),
    ];
    assert_eq!(told(&model), expected);
}
