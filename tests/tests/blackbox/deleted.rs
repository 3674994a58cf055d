//! A deletion ends the watchers: each protocol tells them in its own terms, and shows them
//! nothing of what has the same name later.
use e2e::{
    Client, Form, Gateway, Sio, Sse,
    chat::{Chat, FORM, people},
    fake::cat::{Cat, Gate, Step},
    http,
    relay::{gateway, post},
};
use serde_json::{Value, json};

async fn delete(gateway: &Gateway, path: &str) {
    let answer = http::send(gateway.address(), "DELETE", path, &[], b"").await.expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// A run that waits for a worker.
async fn begin(chat: &Chat) -> Value {
    let steps = json!([{"operation": "translate", "kind": "external"}]);
    let begun = chat.post("/runs", &json!({ "steps": steps })).await;
    assert!((200..300).contains(&begun.status), "{begun:?}");
    begun.json()["data"]["job_id"].clone()
}

/// The archive of a chat.
async fn dump(gateway: &Gateway, chat: &Chat) -> Vec<u8> {
    let dumped = chat.post("/dump", &Value::Null).await.json();
    let name = dumped["data"]["dump_file"].as_str().expect("a name");
    let path = format!("/api/v1/chat/downloads/{name}");
    http::get_bytes(gateway.address(), &path, &[]).await.expect("an answer").1
}

async fn restore(gateway: &Gateway, archive: &[u8]) {
    let head = "--b\r\nContent-Disposition: form-data; name=\"dump_file\"; filename=\"a\"\r\n\r\n";
    let body = [head.as_bytes(), archive, b"\r\n--b--\r\n"].concat();
    let path = "/api/v1/chat/workflows/restore";
    let answer = http::send(gateway.address(), "POST", path, &[FORM], &body).await;
    assert_eq!(answer.expect("an answer").status, 200);
}

#[tokio::test]
async fn every_door_tells_of_a_chat_that_is_deleted_and_nothing_of_the_next_one() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    let topic = format!("chat:{}", chat.id);
    chat.upload("a.csv", &people(3)).await;
    let archive = dump(&gateway, &chat).await;
    let mut watcher = chat.watch(&gateway).await;
    let mut reader = Client::connect(&gateway).await;
    reader.subscribe(&topic).await;
    reader.subscribe("another").await;
    let mut page = Sio::guest(&gateway).await;
    page.ask("watch", &json!({ "topic": topic })).await;
    page.expect("watching").await;
    let mut one = Sse::open(&gateway, &format!("topic={topic}"), None).await;
    let mut two = Sse::open(&gateway, &format!("topic=another&topic={topic}"), None).await;
    let job = begin(&chat).await;

    delete(&gateway, &chat.path("")).await;
    let is_end = |frame: &Value| frame["type"] == "workflow_cancelled" && frame["run_id"] == job;
    while !is_end(&watcher.next_json().await) {}
    let gone = json!({"type": "unsubscribed", "chat_id": chat.id, "reason": "deleted"});
    assert_eq!(watcher.next_json().await, gone);
    while !is_end(&reader.next_json().await["payload"]) {}
    let gone = json!({"action": "unsubscribed", "channel": topic, "reason": "deleted"});
    assert_eq!(reader.next_json().await, json!({"channel": "subscription", "payload": gone}));
    page.until("workflow_cancelled").await;
    assert_eq!(page.expect("unwatched").await, json!({"topic": topic, "reason": "deleted"}));
    for stream in [&mut one, &mut two] {
        while stream.next().await.expect("an event").kind != "workflow_cancelled" {}
        let gone = json!({"topic": topic, "reason": "deleted"});
        assert_eq!(stream.data("unsubscribed").await, gone);
    }
    assert_eq!(one.data("end").await, json!({"code": 3520, "reason": "deleted"}));
    assert_eq!(one.next().await, None);

    // Somebody makes it again, and works in it; and there is something for who is still there.
    restore(&gateway, &archive).await;
    begin(&chat).await;
    let mut other = Client::connect(&gateway).await;
    other.publish("another", &json!("still here")).await;
    watcher.send_json(&json!({"type": "ping"})).await;
    assert_eq!(watcher.next_json().await["type"], "pong");
    assert_eq!(reader.next_json().await["channel"], "another");
    assert_eq!(page.settled().await, [""; 0]);
    assert_eq!(two.payloads(1).await, ["still here"]);
    let presence = reader.ask(Form::Action, "presence", json!({ "channel": topic })).await;
    assert_eq!(presence["count"], 0);
}

#[tokio::test]
async fn every_door_tells_of_a_conversation_that_is_deleted_and_of_the_end_of_its_turn() {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[]).await;
    let made = post(&gateway, "/conversations?user_id=7", &[], &json!({})).await.json();
    let id = made["conversation_id"].as_i64().expect("an id");
    let mut page = Sio::user(&gateway, "7").await;
    page.ask("join_room", &json!({ "conversation_id": id })).await;
    let mut reader = Client::connect(&gateway).await;
    reader.subscribe(&format!("room:{id}")).await;
    let gate = Gate::new();
    cat.on("a riddle", [Step::token("Half"), Step::Hold(gate.clone()), Step::reply("Half of it")]);
    let body = json!({"user_id": "7", "message": "a riddle", "topic": format!("room:{id}")});
    let body = body.to_string();
    let length = body.len().to_string();
    let headers = [
        ("Accept", "text/event-stream"),
        ("Content-Type", "application/json"),
        ("Content-Length", &*length),
    ];
    let mut turn = Sse::request(&gateway, "POST", "/send", &headers, &body).await;
    while turn.next().await.expect("an event").kind != "token" {}

    delete(&gateway, &format!("/conversations/{id}?user_id=7")).await;
    gate.open();
    assert_eq!(turn.next().await.expect("an event").kind, "cancelled");
    assert_eq!(turn.next().await, None);
    let left = page.until("left_room").await.pop().expect("it").1;
    let expected =
        json!({"conversation_id": id, "message": "Conversation deleted", "reason": "deleted"});
    assert_eq!(left, expected);
    let unwatched = json!({"topic": format!("room:{id}"), "reason": "deleted"});
    assert_eq!(page.expect("unwatched").await, unwatched);
    let gone = loop {
        let frame = reader.next_json().await;
        if frame["channel"] == "subscription" {
            break frame["payload"].clone();
        }
    };
    assert_eq!((&gone["action"], &gone["reason"]), (&json!("unsubscribed"), &json!("deleted")));
    // Whoever writes to that name now is heard by nobody.
    reader.publish(&format!("room:{id}"), &json!("is anybody there?")).await;
    assert_eq!((page.settled().await, reader.until_pong().await), (vec![], vec![]));
}
