//! Limits of one client, and of all clients together.
use e2e::{
    Client, Form, Gateway, Raw, eventually, http,
    raw::{FIN, TEXT, frame},
};
use serde_json::{Value, json};

use crate::survival::others_are_served;

const PROBLEM: &str = "application/problem+json";

#[tokio::test]
async fn a_connection_has_only_so_many_subscriptions() {
    let gateway = Gateway::start(&[("broker.max_channels", "3")]).await;
    let mut client = Client::connect(&gateway).await;
    for channel in ["a", "b", "c"] {
        client.subscribe(channel).await;
    }
    let answer = client.ask(Form::Action, "subscribe", json!({"channel": "d"})).await;
    assert_eq!(answer["payload"]["code"], "too_many_channels", "{answer}");
    assert_eq!(answer["payload"]["channel"], "d", "{answer}");
    client.subscribe("a").await;
    client.ask(Form::Action, "unsubscribe", json!({"channel": "a"})).await;
    client.subscribe("d").await;
}

#[tokio::test]
async fn a_publisher_that_sends_too_much_is_told_when_to_come_back() {
    let gateway = Gateway::start(&[("limits.publishes_per_second", "5")]).await;
    let (mut reader, mut publisher) =
        (Client::connect(&gateway).await, Client::connect(&gateway).await);
    reader.subscribe("c").await;
    for n in 0..100 {
        publisher.publish("c", &json!(n)).await;
    }
    let refusals = publisher.until_pong().await;
    let refusal: serde_json::Value = serde_json::from_str(&refusals[0]).unwrap();
    assert_eq!(refusal["payload"]["code"], "rate_limited", "{refusal}");
    assert!(refusal["payload"]["retry_after"].as_f64().is_some_and(|s| s > 0.0), "{refusal}");
    // One is accepted again, and says how many came before it.
    eventually("a publication to be accepted again", async || {
        publisher.publish("c", &json!("again")).await;
        publisher.until_pong().await.is_empty().then_some(())
    })
    .await;
    let mut accepted = 0;
    while reader.next_json().await["payload"] != "again" {
        accepted += 1;
    }
    assert_eq!(accepted + refusals.len(), 100, "each is published or refused, never both");
}

#[tokio::test]
async fn a_full_server_says_so_until_someone_leaves() {
    let gateway = Gateway::start(&[("limits.connections", "2")]).await;
    let (first, _second) = (Client::connect(&gateway).await, Client::connect(&gateway).await);
    let refused = http::knock(gateway.address(), &[]).await;
    assert_eq!(refused.problem(), (503, PROBLEM.into(), "/problems/server-full".into()));
    let counted = gateway.metrics().await.sum("quadrille_connections_refused_total", &[]);
    assert_eq!(counted, 1);
    first.leave().await;
    let mut third =
        eventually("room for a third", async || Client::open(gateway.address(), None).await.ok())
            .await;
    third.until_pong().await;
}

#[tokio::test]
async fn one_address_has_only_so_many_connections() {
    let gateway = Gateway::start(&[("limits.connections_per_ip", "2")]).await;
    let (mut first, _second) = (Client::connect(&gateway).await, Client::connect(&gateway).await);
    let refused = http::knock(gateway.address(), &[]).await;
    let expected = (429, PROBLEM.into(), "/problems/too-many-connections".into());
    assert_eq!(refused.problem(), expected);
    first.until_pong().await;
}

#[tokio::test]
async fn topics_in_use_are_not_dropped_for_new_ones() {
    let gateway = Gateway::start(&[("limits.topics", "2")]).await;
    let mut client = Client::connect(&gateway).await;
    client.subscribe("a").await;
    client.subscribe("b").await;
    let mut publisher = Client::connect(&gateway).await;
    publisher.publish("c", &json!(1)).await;
    let answer = publisher.next_json().await;
    assert_eq!(answer["payload"]["code"], "too_many_topics", "{answer}");
    assert_eq!(answer["payload"]["channel"], "c", "{answer}");
    let answer = client.ask(Form::Action, "subscribe", json!({"channel": "c"})).await;
    assert_eq!(answer["payload"]["code"], "too_many_topics", "{answer}");
    publisher.publish("a", &json!(1)).await;
    assert_eq!(client.next_json().await, json!({"channel": "a", "payload": 1}));
    client.ask(Form::Action, "unsubscribe", json!({"channel": "a"})).await;
    eventually("room for a topic in the place of one that nobody uses", async || {
        let answer = client.ask(Form::Action, "subscribe", json!({"channel": "c"})).await;
        (answer["action"] == "subscribed").then_some(())
    })
    .await;
}

#[tokio::test]
async fn idle_topics_make_room_for_new_ones() {
    let gateway = Gateway::start(&[("limits.topics", "10")]).await;
    let mut publisher = Client::connect(&gateway).await;
    for n in 0..1000 {
        publisher.publish(&format!("c{n}"), &json!(n)).await;
    }
    assert_eq!(publisher.until_pong().await, [""; 0]);
    let held = gateway.metrics().await.sum("quadrille_topics", &[]);
    assert!(held <= 10, "{held} topics are held");
}

#[tokio::test]
async fn a_hundred_thousand_subscriptions_on_one_socket_are_each_answered() {
    const COMMANDS: usize = 100_000;
    let gateway = Gateway::start(&[]).await;
    let mut flood = Vec::new();
    for n in 0..COMMANDS {
        let command = json!({"action": "subscribe", "channel": format!("c{n}")}).to_string();
        flood.extend(frame(FIN | TEXT, command.as_bytes()));
    }
    let mut raw = Raw::connect(&gateway).await;
    let before = gateway.rss_kib();
    // Others have their turn while it goes on; all of it is answered in the end.
    let (answers, ()) =
        tokio::join!(raw.flood(&flood, COMMANDS), async { others_are_served(&gateway).await });
    let grown = gateway.rss_kib().saturating_sub(before);
    let answers = answers.iter().map(|it| serde_json::from_slice::<Value>(it).expect("JSON"));
    let (good, bad): (Vec<_>, Vec<_>) = answers.partition(|it| it["action"] == "subscribed");
    assert_eq!((good.len(), bad.len()), (1000, COMMANDS - 1000));
    assert!(bad.iter().all(|it| it["payload"]["code"] == "too_many_channels"));
    assert!(grown < 32 << 10, "{grown} KiB for 1000 subscriptions");
    assert_eq!(gateway.metrics().await.sum("quadrille_task_panics_total", &[]), 0);
}

#[tokio::test]
async fn a_full_server_says_so_in_its_log_and_not_for_each_client() {
    let gateway = Gateway::start(&[("limits.connections", "1")]).await;
    let _client = Client::connect(&gateway).await;
    for _ in 0..50 {
        assert_eq!(http::knock(gateway.address(), &[]).await.status, 503);
    }
    let end = gateway.stop().await;
    let told = end.stderr.iter().filter(|line| line.contains("raise limits.connections")).count();
    assert!((1..50).contains(&told), "{end:#?}");
}
