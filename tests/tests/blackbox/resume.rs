//! Coming back and going on where one was.
use e2e::{Client, Gateway};
use serde_json::{Value, json};

async fn publish(client: &mut Client, range: std::ops::Range<u64>) {
    for n in range {
        client.publish("c", &json!(n)).await;
    }
}

async fn payloads(client: &mut Client, count: usize) -> Vec<u64> {
    let mut got = Vec::new();
    while got.len() < count {
        let frame = client.next_json().await;
        got.push(frame["payload"].as_u64().unwrap_or_else(|| panic!("not a record: {frame}")));
    }
    got
}

async fn resume(gateway: &Gateway, since: &str) -> Client {
    let mut client = Client::connect(gateway).await;
    client.subscribe_with(json!({"channel": "c", "since": since, "positions": true})).await;
    client
}

/// `missed` of a gap frame, after checking the rest of it.
fn missed(frame: &Value) -> &Value {
    let payload = &frame["payload"];
    let (missed, position) = (&payload["missed"], &payload["position"]);
    assert!(position.is_string(), "{frame}");
    let expected = json!({"action": "gap", "channel": "c", "missed": missed, "position": position});
    assert_eq!(frame, &json!({"channel": "subscription", "payload": expected}));
    missed
}

#[tokio::test]
async fn since_gives_exactly_what_was_missed_and_then_what_is_new() {
    let gateway = Gateway::start(&[]).await;
    let mut publisher = Client::connect(&gateway).await;
    let mut client = Client::connect(&gateway).await;
    client.subscribe_with(json!({"channel": "c", "positions": true})).await;
    publish(&mut publisher, 0..5).await;
    payloads(&mut client, 2).await;
    let third = client.next_json().await;
    drop(client);
    publish(&mut publisher, 5..10).await;
    let mut client = resume(&gateway, third["position"].as_str().unwrap()).await;
    assert_eq!(payloads(&mut client, 7).await, [3, 4, 5, 6, 7, 8, 9]);
    publish(&mut publisher, 10..12).await;
    assert_eq!(payloads(&mut client, 2).await, [10, 11]);
}

#[tokio::test]
async fn the_position_of_an_acknowledgement_can_be_resumed_from() {
    let gateway = Gateway::start(&[]).await;
    let mut publisher = Client::connect(&gateway).await;
    let mut client = Client::connect(&gateway).await;
    let since = client.subscribe("c").await;
    drop(client);
    publish(&mut publisher, 0..3).await;
    let mut client = resume(&gateway, &since).await;
    assert_eq!(payloads(&mut client, 3).await, [0, 1, 2]);
}

#[tokio::test]
async fn subscribing_again_with_since_starts_over_from_there() {
    let gateway = Gateway::start(&[]).await;
    let mut publisher = Client::connect(&gateway).await;
    let mut client = Client::connect(&gateway).await;
    let since = client.subscribe("c").await;
    publish(&mut publisher, 0..3).await;
    payloads(&mut client, 3).await;
    client.subscribe_with(json!({"channel": "c", "since": since})).await;
    assert_eq!(payloads(&mut client, 3).await, [0, 1, 2]);
    publish(&mut publisher, 3..4).await;
    assert_eq!(payloads(&mut client, 1).await, [3]);
}

#[tokio::test]
async fn without_since_nothing_old_comes() {
    let gateway = Gateway::start(&[]).await;
    let mut publisher = Client::connect(&gateway).await;
    publish(&mut publisher, 0..3).await;
    publisher.until_pong().await;
    let mut client = Client::connect(&gateway).await;
    client.subscribe("c").await;
    publish(&mut publisher, 3..4).await;
    assert_eq!(payloads(&mut client, 1).await, [3]);
}

#[tokio::test]
async fn a_gap_comes_first_when_the_log_no_longer_reaches_back() {
    let gateway = Gateway::start(&[("topics.chan.events", "4")]).await;
    let mut publisher = Client::connect(&gateway).await;
    let mut client = Client::connect(&gateway).await;
    let since = client.subscribe("c").await;
    drop(client);
    publish(&mut publisher, 0..10).await;
    publisher.until_pong().await;
    let mut client = resume(&gateway, &since).await;
    assert_eq!(missed(&client.next_json().await), 6);
    assert_eq!(payloads(&mut client, 4).await, [6, 7, 8, 9]);
}

#[tokio::test]
async fn the_position_of_a_gap_can_be_resumed_from() {
    let gateway = Gateway::start(&[("topics.chan.events", "4")]).await;
    let mut publisher = Client::connect(&gateway).await;
    let mut client = Client::connect(&gateway).await;
    let since = client.subscribe("c").await;
    publish(&mut publisher, 0..10).await;
    publisher.until_pong().await;
    let mut client = resume(&gateway, &since).await;
    let gap = client.next_json().await;
    let mut client = resume(&gateway, gap["payload"]["position"].as_str().unwrap()).await;
    assert_eq!(payloads(&mut client, 4).await, [6, 7, 8, 9]);
}

#[tokio::test]
async fn a_position_of_a_forgotten_channel_gives_a_gap_of_unknown_size() {
    let gateway = Gateway::start(&[("topics.chan.keep", "10ms")]).await;
    let mut publisher = Client::connect(&gateway).await;
    let mut client = Client::connect(&gateway).await;
    let since = client.subscribe("c").await;
    publish(&mut publisher, 0..1).await;
    payloads(&mut client, 1).await;
    drop(client);
    e2e::eventually("the channel to be dropped", async || {
        let dropped = gateway.metrics().await.sum("quadrille_topics_expired_total", &[]);
        (dropped >= 1).then_some(())
    })
    .await;
    let mut client = resume(&gateway, &since).await;
    assert_eq!(missed(&client.next_json().await), &Value::Null);
    publish(&mut publisher, 1..2).await;
    assert_eq!(payloads(&mut client, 1).await, [1]);
}

#[tokio::test]
async fn a_position_from_before_a_restart_gives_a_gap_of_unknown_size() {
    let before = Gateway::start(&[]).await;
    let since = Client::connect(&before).await.subscribe("c").await;
    before.stop().await;
    let gateway = Gateway::start(&[]).await;
    let mut client = resume(&gateway, &since).await;
    assert_eq!(missed(&client.next_json().await), &Value::Null);
    let mut publisher = Client::connect(&gateway).await;
    publish(&mut publisher, 0..2).await;
    assert_eq!(payloads(&mut client, 2).await, [0, 1]);
}

#[tokio::test]
async fn positions_are_given_only_to_those_who_ask() {
    let gateway = Gateway::start(&[]).await;
    let mut publisher = Client::connect(&gateway).await;
    let (mut with, mut without) =
        (Client::connect(&gateway).await, Client::connect(&gateway).await);
    with.subscribe_with(json!({"channel": "c", "positions": true})).await;
    without.subscribe_with(json!({"channel": "c", "positions": false})).await;
    publish(&mut publisher, 0..1).await;
    let (with, without) = (with.next_json().await, without.next_json().await);
    let expected = json!({"channel": "c", "payload": 0, "position": with["position"]});
    assert_eq!((with["position"].is_string(), &with), (true, &expected));
    assert_eq!(without, json!({"channel": "c", "payload": 0}));
}
