//! A web page with a WebSocket of its own, and the first revision of the protocol.
use std::path::Path;

use e2e::{
    Client, Gateway,
    program::{Program, prepared},
};
use serde_json::{Value, json};

fn node(gateway: &Gateway, script: &str, args: &[&str]) -> Program {
    let modules = prepared("QUADRILLE_TEST_NODE_MODULES").to_string_lossy().into_owned();
    let env = [("NODE_PATH".to_owned(), modules)];
    Program::start(Path::new("node"), script, gateway, args, &env)
}

fn shown(lines: &[String]) -> Vec<Value> {
    let payloads = lines.iter().filter_map(|line| line.strip_prefix("shown "));
    payloads.map(|json| serde_json::from_str(json).unwrap_or(Value::Null)).collect()
}

fn update(n: usize, final_message: bool) -> Value {
    json!({"message": format!("{n} ça va 😀"), "type": "response", "final_message": final_message})
}

/// A subscriber to the page's channel that has heard its hello.
async fn greeted(gateway: &Gateway, hook: impl FnOnce() -> Program) -> (Client, Program) {
    let mut client = Client::connect(gateway).await;
    client.subscribe("page").await;
    let hook = hook();
    let hello = r#"{"channel":"page","message":"hello","message_id":"hello-1"}"#;
    assert_eq!(client.next_text().await, hello);
    (client, hook)
}

#[tokio::test]
async fn a_page_shows_what_is_published_and_nothing_else() {
    let gateway = Gateway::start(&[]).await;
    let hook = || node(&gateway, "js/hook.cjs", &["page", "3000"]);
    let (mut client, hook) = greeted(&gateway, hook).await;
    let updates: Vec<_> = (0..100).map(|n| update(n, n == 99)).collect();
    client.publish("another", &json!("unseen")).await;
    for payload in &updates {
        client.publish("page", payload).await;
    }
    let lines = hook.lines().await;
    assert_eq!((shown(&lines), lines.last().unwrap().as_str()), (updates, "closed 1000"));
}

#[tokio::test]
async fn a_page_comes_back_after_a_restart_of_the_gateway() {
    let gateway = Gateway::start(&[("server.drain_window", "0s")]).await;
    let address = gateway.address().to_string();
    let hook = || node(&gateway, "js/hook.cjs", &["page", "10"]);
    let (mut client, hook) = greeted(&gateway, hook).await;
    client.publish("page", &update(1, false)).await;
    client.leave().await;
    gateway.stop().await;
    let gateway = Gateway::start(&[("server.listen", &address)]).await;
    let mut client = Client::connect(&gateway).await;
    // The page's hello may come before this subscription, and is then in the history.
    let position = client.subscribe("page").await;
    let history = json!({"action": "history", "channel": "page"});
    client.send_json(&history).await;
    let answer = client.answer().await;
    if answer["records"].as_array().is_none_or(Vec::is_empty) {
        assert_eq!(client.next_json().await["message_id"], "hello-2", "after {position}");
    }
    client.publish("page", &update(2, true)).await;
    let lines = hook.lines().await;
    assert_eq!(shown(&lines), [update(1, false), update(2, true)]);
    assert!(lines.contains(&"closed 3001".to_owned()), "{lines:#?}");
}

#[tokio::test]
async fn the_first_revision_is_acknowledged_published_and_delivered() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    client.subscribe("old").await;
    let program = node(&gateway, "js/first_revision.cjs", &["old"]);
    let published = r#"{"type":"old","payload":{"message":"from the first revision"}}"#;
    assert_eq!(client.next_text().await, published);
    client.send_text(r#"{"type":"old","payload":{"n":1.50}}"#).await;
    let expected =
        ["subscribed old subscribed", r#"got {"n":1.5}"#, "unsubscribed old unsubscribed"];
    let mut expected = expected.map(str::to_owned).to_vec();
    expected.push("closed 1000".to_owned());
    assert_eq!(program.lines().await, expected);
}
