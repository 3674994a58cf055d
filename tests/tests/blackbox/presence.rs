//! Presence in a channel.
use e2e::{Client, Form, Gateway, eventually};
use serde_json::json;

#[tokio::test]
async fn presence_counts_and_lists_the_subscribers() {
    let gateway = Gateway::start(&[]).await;
    let (mut one, mut two) = (Client::connect(&gateway).await, Client::connect(&gateway).await);
    one.subscribe("c").await;
    two.subscribe("c").await;
    two.subscribe("other").await;
    for form in Form::ALL {
        let answer = one.ask(form, "presence", json!({"channel": "c"})).await;
        let body = form.body(&answer);
        let members = body["members"].as_array().unwrap();
        let sessions: Vec<_> = members.iter().map(|m| m["session"].as_str().unwrap()).collect();
        assert_eq!(sessions.len(), 2, "{answer}");
        assert_ne!(sessions[0], sessions[1], "{answer}");
        assert!(members.iter().all(|m| m.get("user").is_none()), "guests have no user: {answer}");
        let fields = json!({"channel": "c", "count": 2, "members": members});
        assert_eq!(answer, form.answer("presence", fields), "{form:?}");
    }
}

#[tokio::test]
async fn those_who_leave_are_no_longer_present() {
    let gateway = Gateway::start(&[]).await;
    let mut watcher = Client::connect(&gateway).await;
    let mut leaver = Client::connect(&gateway).await;
    let mut vanisher = Client::connect(&gateway).await;
    leaver.subscribe("c").await;
    vanisher.subscribe("c").await;
    leaver.ask(Form::Action, "unsubscribe", json!({"channel": "c"})).await;
    drop(vanisher);
    eventually("an empty channel", async || {
        let answer = watcher.ask(Form::Action, "presence", json!({"channel": "c"})).await;
        (answer["count"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_unknown_channel_has_nobody() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    let answer = client.ask(Form::Action, "presence", json!({"channel": "void"})).await;
    let expected = json!({"action": "presence", "channel_name": "void", "count": 0, "members": []});
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn a_ping_is_answered_with_the_time_in_its_form() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    for form in Form::ALL {
        let answer = client.ask(form, "ping", json!({})).await;
        let timestamp = &form.body(&answer)["timestamp"];
        assert!(timestamp.as_f64().is_some_and(|t| t > 1.7e9), "{answer}");
        assert!(timestamp.is_f64(), "a float, like Python's time.time(): {answer}");
        assert_eq!(answer, form.answer("pong", json!({"timestamp": timestamp})), "{form:?}");
    }
}
