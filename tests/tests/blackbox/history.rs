//! Asking for what was said before.
use e2e::{Client, Form, Gateway};
use serde_json::{Value, json};

async fn with_records(gateway: &Gateway, count: usize) -> Client {
    let mut client = Client::connect(gateway).await;
    for n in 0..count {
        client.publish("c", &json!(n)).await;
    }
    client
}

fn payloads(answer: &Value) -> Vec<u64> {
    let records = answer["records"].as_array().unwrap_or_else(|| panic!("no records: {answer}"));
    records.iter().map(|record| record["payload"].as_u64().expect("a number")).collect()
}

async fn history(client: &mut Client, fields: Value) -> Value {
    client.ask(Form::Action, "history", fields).await
}

#[tokio::test]
async fn history_without_since_gives_the_newest() {
    let gateway = Gateway::start(&[]).await;
    let mut client = with_records(&gateway, 10).await;
    let answer = history(&mut client, json!({"channel": "c", "limit": 3})).await;
    assert_eq!(payloads(&answer), [7, 8, 9]);
}

#[tokio::test]
async fn history_gives_a_hundred_unless_told() {
    let gateway = Gateway::start(&[]).await;
    let mut client = with_records(&gateway, 150).await;
    let answer = history(&mut client, json!({"channel": "c"})).await;
    assert_eq!(payloads(&answer), (50..150).collect::<Vec<_>>());
}

#[tokio::test]
async fn history_pages_from_the_oldest_with_since() {
    let gateway = Gateway::start(&[]).await;
    let mut reader = Client::connect(&gateway).await;
    let mut since = reader.subscribe("c").await;
    let mut client = with_records(&gateway, 10).await;
    let mut pages = Vec::new();
    loop {
        let fields = json!({"channel": "c", "since": since, "limit": 4});
        let answer = history(&mut client, fields).await;
        assert_eq!(answer["gap"], false);
        let page = payloads(&answer);
        let Some(last) = answer["records"].as_array().unwrap().last() else { break };
        last["position"].as_str().unwrap().clone_into(&mut since);
        pages.push(page);
    }
    assert_eq!(pages, [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]);
}

#[tokio::test]
async fn every_form_of_history_is_answered_in_kind() {
    let gateway = Gateway::start(&[]).await;
    let mut client = with_records(&gateway, 2).await;
    for form in Form::ALL {
        let answer = client.ask(form, "history", json!({"channel": "c"})).await;
        let body = form.body(&answer);
        let last = body["records"][1]["position"].clone();
        assert_eq!(body["position"], last, "the log stands at its newest record");
        let records = json!([
            {"channel": "c", "payload": 0, "position": body["records"][0]["position"]},
            {"channel": "c", "payload": 1, "position": last},
        ]);
        let fields = json!({"channel": "c", "position": last, "gap": false, "records": records});
        assert_eq!(answer, form.answer("history", fields), "{form:?}");
    }
}

#[tokio::test]
async fn records_in_history_keep_their_bytes() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    client.send_text(r#"{"channel":"c","payload":{"a": 12345678901234567890,"b":1.50}}"#).await;
    client.send_text(r#"{"action":"history","channel":"c"}"#).await;
    let answer = client.next_text().await;
    assert!(answer.contains(r#""payload":{"a": 12345678901234567890,"b":1.50}"#), "{answer}");
}

#[tokio::test]
async fn the_history_of_an_unknown_channel_is_empty() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    let answer = history(&mut client, json!({"channel": "void"})).await;
    let expected = json!({
        "action": "history", "channel_name": "void", "position": null, "gap": false, "records": [],
    });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn history_says_when_records_after_since_are_gone() {
    let gateway = Gateway::start(&[("topics.chan.events", "4")]).await;
    let mut client = Client::connect(&gateway).await;
    let since = client.subscribe("c").await;
    let mut publisher = with_records(&gateway, 10).await;
    let fields = json!({"channel": "c", "since": since});
    let answer = history(&mut publisher, fields).await;
    assert_eq!((payloads(&answer), &answer["gap"]), (vec![6, 7, 8, 9], &json!(true)));
}

#[tokio::test]
async fn limits_from_1_to_1000_are_taken() {
    let gateway = Gateway::start(&[]).await;
    let mut client = with_records(&gateway, 2).await;
    for (limit, expected) in [(1, vec![1]), (1000, vec![0, 1])] {
        let answer = history(&mut client, json!({"channel": "c", "limit": limit})).await;
        assert_eq!(payloads(&answer), expected);
    }
}
