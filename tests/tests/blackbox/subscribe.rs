//! Subscribing and unsubscribing in each of the four forms.
use e2e::{Client, Form, Gateway};
use serde_json::json;

#[tokio::test]
async fn every_form_is_acknowledged_in_kind_with_a_position() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    for form in Form::ALL {
        let answer = client.ask(form, "subscribe", json!({"channel": "c"})).await;
        let position = form.position(&answer);
        let expected = form.answer("subscribed", json!({"channel": "c", "position": position}));
        assert_eq!(answer, expected, "{form:?}");
        assert!(!position.is_empty(), "{form:?}");
    }
}

#[tokio::test]
async fn every_form_of_unsubscribe_is_acknowledged_in_kind() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    for form in Form::ALL {
        client.subscribe("c").await;
        let answer = client.ask(form, "unsubscribe", json!({"channel": "c"})).await;
        assert_eq!(answer, form.answer("unsubscribed", json!({"channel": "c"})), "{form:?}");
    }
}

#[tokio::test]
async fn unsubscribing_from_a_channel_never_subscribed_is_acknowledged() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    let answer = client.ask(Form::Action, "unsubscribe", json!({"channel": "never"})).await;
    assert_eq!(answer, json!({"action": "unsubscribed", "channel_name": "never"}));
}

#[tokio::test]
async fn nothing_but_records_has_the_channel_of_a_page_at_the_top() {
    let small = [("topics.chan.events", "4"), ("broker.max_channels", "1")];
    let gateway = Gateway::start(&small).await;
    let mut publisher = Client::connect(&gateway).await;
    let first = publisher.subscribe("c").await;
    for n in 0..10 {
        publisher.publish("c", &json!({"n": n})).await;
    }
    // All of it is in the log.
    publisher.until_pong().await;
    for form in Form::ALL {
        let mut page = Client::connect(&gateway).await;
        // Answers, a gap, and errors of several kinds.
        let commands = [
            form.command("subscribe", json!({"channel": "c", "since": first})),
            form.command("history", json!({"channel": "c"})),
            form.command("history", json!({"channel": "c", "limit": 0})),
            form.command("presence", json!({"channel": "c"})),
            form.command("subscribe", json!({"channel": "c", "since": "never"})),
            form.command("cancel", json!({"channel": "c", "turn": first})),
            form.command("subscribe", json!({"channel": "d"})),
        ];
        for command in &commands {
            page.send_json(command).await;
        }
        let (mut records, mut others, mut gaps) = (Vec::new(), 0, 0);
        while others < commands.len() || records.len() < 4 {
            let frame = page.next_json().await;
            assert_ne!(frame["channel"], "d", "{form:?}: {frame}");
            if frame["channel"] == "c" {
                records.push(frame["payload"]["n"].clone());
            } else if frame["payload"]["action"] == "gap" {
                gaps += 1;
            } else {
                others += 1;
            }
        }
        assert_eq!(gaps, 1, "{form:?}");
        let end = page.ask(form, "unsubscribe", json!({"channel": "c"})).await;
        assert_eq!(end, form.answer("unsubscribed", json!({"channel": "c"})));
        assert!(records.iter().eq(&[6, 7, 8, 9]), "{form:?}: {records:?}");
    }
}

#[tokio::test]
async fn every_form_of_subscription_delivers() {
    let gateway = Gateway::start(&[]).await;
    let mut publisher = Client::connect(&gateway).await;
    for (form, channel) in Form::ALL.into_iter().zip(["a", "b", "c", "d"]) {
        let mut client = Client::connect(&gateway).await;
        client.ask(form, "subscribe", json!({"channel": channel})).await;
        publisher.publish(channel, &json!(1)).await;
        assert_eq!(client.next_json().await, json!({"channel": channel, "payload": 1}), "{form:?}");
    }
}

#[tokio::test]
async fn a_second_subscription_to_a_channel_does_not_double_its_records() {
    let gateway = Gateway::start(&[]).await;
    let (mut client, mut publisher) =
        (Client::connect(&gateway).await, Client::connect(&gateway).await);
    let first = client.subscribe("c").await;
    assert_eq!(client.subscribe("c").await, first);
    for n in 0..3 {
        publisher.publish("c", &json!(n)).await;
    }
    for n in 0..3 {
        assert_eq!(client.next_json().await["payload"], n);
    }
    assert_eq!(client.until_pong().await, [""; 0]);
}

#[tokio::test]
async fn the_position_of_an_acknowledgement_moves_with_the_channel() {
    let gateway = Gateway::start(&[]).await;
    let (mut client, mut publisher) =
        (Client::connect(&gateway).await, Client::connect(&gateway).await);
    let before = client.subscribe("c").await;
    publisher.publish("c", &json!(1)).await;
    client.next_json().await;
    assert_ne!(client.subscribe("c").await, before);
}

#[tokio::test]
async fn nothing_comes_after_unsubscribing() {
    let gateway = Gateway::start(&[]).await;
    let (mut client, mut publisher) =
        (Client::connect(&gateway).await, Client::connect(&gateway).await);
    client.subscribe("left").await;
    client.subscribe("kept").await;
    client.ask(Form::Envelope, "unsubscribe", json!({"channel": "left"})).await;
    publisher.publish("left", &json!("unheard")).await;
    publisher.publish("kept", &json!("heard")).await;
    assert_eq!(client.next_json().await, json!({"channel": "kept", "payload": "heard"}));
    assert_eq!(client.until_pong().await, [""; 0]);
}

#[tokio::test]
async fn commands_of_all_forms_mix_on_one_connection() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    client.ask(Form::Type, "subscribe", json!({"channel": "c"})).await;
    let answer = client.ask(Form::Action, "unsubscribe", json!({"channel": "c"})).await;
    assert_eq!(answer, json!({"action": "unsubscribed", "channel_name": "c"}));
}

#[tokio::test]
async fn each_command_gets_exactly_one_answer() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    for form in Form::ALL {
        client.send_json(&form.command("subscribe", json!({"channel": "c"}))).await;
        client.send_json(&form.command("unsubscribe", json!({"channel": "c"}))).await;
    }
    for form in Form::ALL {
        let (on, off) = (client.next_json().await, client.next_json().await);
        let on_expected = json!({"channel": "c", "position": form.position(&on)});
        assert_eq!(on, form.answer("subscribed", on_expected));
        assert_eq!(off, form.answer("unsubscribed", json!({"channel": "c"})));
    }
    assert_eq!(client.until_pong().await, [""; 0]);
}
