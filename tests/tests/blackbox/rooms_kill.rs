//! Confirmed messages are kept, however the process ends.
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use e2e::{
    Gateway, Sio,
    database::Database,
    eventually,
    fake::{
        model::delta,
        upstream::{Script, Step, Upstream},
    },
    sio::Way,
};
use quadrille_store::{Message, Sender};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Clients, each in a conversation of its own, and the messages that each sends at once.
const CLIENTS: usize = 50;
const EACH: usize = 20;

/// Acknowledgements that the gateway lives to give.
const ENOUGH: usize = 200;

/// The settings of a gateway whose agent begins a reply, and does not go on.
fn settings<'a>(database: &'a Database, url: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        database.setting(),
        ("agents.default", "gpt"),
        ("agents.gpt.kind", "openai"),
        ("agents.gpt.url", url),
        ("agents.gpt.model", "m"),
    ]
}

async fn stuck_model() -> Upstream {
    let begun = delta(&json!({"content": "Mi"}));
    Upstream::start(Script::stream().chunk(&begun).then(Step::Silence)).await
}

/// Sends all of a client's messages at once, and gives the ids that were acknowledged before the
/// connection ended.
async fn send(mut client: Sio, conversation: i64, acks: Arc<AtomicUsize>) -> Vec<i64> {
    let packets: Vec<_> = (0..EACH)
        .map(|n| {
            let message = json!({
                "conversation_id": conversation, "message": format!("{n}"), "temp_id": n,
            });
            format!("42{n}{}", json!(["send_message", message]))
        })
        .collect();
    client.send_all(&packets).await;
    let mut stored = Vec::new();
    while let Ok(packet) = client.try_packet().await {
        let ack = packet.strip_prefix("43").map(|it| it.trim_start_matches(char::is_numeric));
        let ack = ack.and_then(|list| serde_json::from_str::<Value>(list).ok());
        if let Some(id) = ack.and_then(|it| it[0]["message_id"].as_i64()) {
            stored.push(id);
            acks.fetch_add(1, SeqCst);
            if stored.len() == EACH {
                break;
            }
        }
    }
    stored
}

/// Begins the sends of all clients in conversations of their own.
async fn crowd(
    gateway: &Gateway,
    database: &Database,
) -> (JoinSet<(i64, Vec<i64>)>, Vec<i64>, Arc<AtomicUsize>) {
    let (mut sends, mut all) = (JoinSet::new(), Vec::new());
    let acks = Arc::new(AtomicUsize::new(0));
    for n in 0..CLIENTS {
        let user = format!("u{n}");
        let conversation = database.conversation(&user).await;
        all.push(conversation);
        let client = Sio::connected(gateway, Way::WebSocket, &json!({"user_id": user})).await;
        let acks = Arc::clone(&acks);
        sends.spawn(async move { (conversation, send(client, conversation, acks).await) });
    }
    (sends, all, acks)
}

/// How the reply ended that a stored message is.
/// The code of the failure that a message stands for.
fn code(message: &Message) -> Option<String> {
    let metadata: Value = serde_json::from_str(message.metadata.as_deref()?).ok()?;
    Some(metadata["code"].as_str().filter(|_| metadata["status"] == "failed")?.to_owned())
}

async fn enough(acks: &AtomicUsize) {
    let enough = async || (acks.load(SeqCst) >= ENOUGH).then_some(());
    eventually("enough acknowledgements", enough).await;
}

/// Each acknowledged message is in its conversation.
async fn are_stored(database: &Database, sends: JoinSet<(i64, Vec<i64>)>) -> usize {
    let mut count = 0;
    for (conversation, acknowledged) in sends.join_all().await {
        let stored = database.messages(conversation).await;
        let stored: BTreeSet<_> = stored.iter().map(|it| it.id).collect();
        count += acknowledged.len();
        assert!(acknowledged.iter().all(|id| stored.contains(id)), "{conversation}");
    }
    count
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_and_replies_that_were_cut_off_are_marked() {
    let (database, model) = (Database::new().await, stuck_model().await);
    let url = model.url("/v1");
    let mut gateway = Gateway::start(&settings(&database, &url)).await;
    let watched = database.conversation("7").await;
    let mut reader = Sio::user(&gateway, "7").await;
    reader.ask("join_room", &json!({"conversation_id": watched, "positions": true})).await;
    let message = json!({"conversation_id": watched, "message": "Wie geht's?"});
    reader.ask("send_message", &message).await;
    let chunk = reader.until("ai_response_chunk").await.pop().unwrap().1;
    let (sends, conversations, acks) = crowd(&gateway, &database).await;
    enough(&acks).await;
    gateway.signal("KILL").await;
    gateway.wait().await;
    assert!(are_stored(&database, sends).await >= ENOUGH);

    let gateway = Gateway::start(&[database.setting()]).await;
    let mut reader = Sio::user(&gateway, "7").await;
    let since = &chunk["position"];
    let join = json!({"conversation_id": watched, "since": since, "positions": true});
    reader.emit("join_room", &join).await;
    let error = reader.until("ai_response_error").await.pop().unwrap().1;
    assert_eq!((&error["code"], &error["turn"]), (&json!("interrupted"), &chunk["turn"]));
    let stored = database.messages(watched).await;
    assert_eq!(stored.len(), 2);
    assert_eq!(
        (stored[1].sender, code(&stored[1])),
        (Sender::Assistant, Some("interrupted".into()))
    );
    assert_eq!(error["message_id"], json!(stored[1].id));
    // The text there was, if that was stored in time.
    let instead = if error["text"].is_null() { &error["error"] } else { &error["text"] };
    assert_eq!(*instead, json!(stored[1].content));
    // Nothing is left open, and the room is of use.
    let message = json!({"conversation_id": watched, "message": "Noch da?"});
    reader.ask("send_message", &message).await;
    let complete = reader.until("ai_response_complete").await.pop().unwrap().1;
    assert_eq!(complete["content"], "Noch da?");
    for conversation in conversations {
        let ended = async || {
            let stored = database.messages(conversation).await;
            let ends = stored.iter().filter(|it| it.sender == Sender::Assistant);
            assert!(ends.clone().all(|it| code(it).as_deref() == Some("interrupted")));
            let asked = stored.iter().filter(|it| it.sender == Sender::User).count();
            (ends.count() == asked).then_some(())
        };
        eventually("an end for each question", ended).await;
    }
}

#[tokio::test]
async fn a_stop_keeps_what_was_acknowledged_and_ends_every_turn() {
    let (database, model) = (Database::new().await, stuck_model().await);
    let url = model.url("/v1");
    let mut all = settings(&database, &url);
    all.extend([("server.grace", "2s"), ("server.drain_window", "0s")]);
    let gateway = Gateway::start(&all).await;
    let (sends, conversations, acks) = crowd(&gateway, &database).await;
    enough(&acks).await;
    let end = gateway.stop().await;
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(are_stored(&database, sends).await >= ENOUGH);
    for conversation in conversations {
        let stored = database.messages(conversation).await;
        let of = |sender| stored.iter().filter(|it| it.sender == sender).count();
        assert_eq!(of(Sender::User), of(Sender::Assistant), "each question has an end");
    }
}
