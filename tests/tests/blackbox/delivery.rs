//! Order and fan-out when there is a lot to deliver.
use e2e::{Client, Gateway};
use serde_json::{Value, json};
use tokio::task::JoinSet;

#[tokio::test]
async fn a_publisher_faster_than_its_readers_costs_them_nothing() {
    const RECORDS: usize = 20_000;
    let gateway = Gateway::start(&[("topics.chan.patience", "60s")]).await;
    let mut readers = JoinSet::new();
    for _ in 0..4 {
        let mut client = Client::connect(&gateway).await;
        client.subscribe("c").await;
        readers.spawn(async move {
            for n in 0..RECORDS {
                let frame = client.next_json().await;
                assert_eq!(frame["payload"]["n"], n, "{frame}");
            }
        });
    }
    let mut publisher = Client::connect(&gateway).await;
    let padding = "x".repeat(200);
    for n in 0..RECORDS {
        let frame = json!({"channel": "c", "payload": {"n": n, "padding": padding}});
        publisher.feed_text(frame.to_string()).await;
    }
    publisher.flush().await;
    while let Some(reader) = readers.join_next().await {
        reader.unwrap();
    }
}

#[tokio::test]
async fn many_publishers_on_one_channel_are_heard_in_one_order_by_all() {
    const EACH: usize = 200;
    let gateway = Gateway::start(&[("topics.chan.events", "4096")]).await;
    let mut readers = JoinSet::new();
    for _ in 0..3 {
        let mut client = Client::connect(&gateway).await;
        client.subscribe("c").await;
        readers.spawn(async move {
            let mut got = Vec::new();
            while got.len() < 5 * EACH {
                got.push(client.next_json().await["payload"].clone());
            }
            got
        });
    }
    let mut publishers = JoinSet::new();
    for who in 0..5 {
        let mut client = Client::connect(&gateway).await;
        publishers.spawn(async move {
            for n in 0..EACH {
                client.publish("c", &json!([who, n])).await;
            }
            client.leave().await;
        });
    }
    publishers.join_all().await;
    let heard = readers.join_all().await;
    assert_eq!(heard[0], heard[1]);
    assert_eq!(heard[0], heard[2]);
    for who in 0..5 {
        let of: Vec<Value> = heard[0].iter().filter(|p| p[0] == who).cloned().collect();
        assert_eq!(of, (0..EACH).map(|n| json!([who, n])).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn one_connection_follows_many_channels() {
    let gateway = Gateway::start(&[]).await;
    let (mut client, mut publisher) =
        (Client::connect(&gateway).await, Client::connect(&gateway).await);
    let names: Vec<_> = (0..100).map(|n| format!("c{n}")).collect();
    for name in &names {
        client.subscribe(name).await;
    }
    for round in 0..5 {
        for name in &names {
            publisher.publish(name, &json!(round)).await;
        }
    }
    let mut got = vec![Vec::new(); names.len()];
    for _ in 0..5 * names.len() {
        let frame = client.next_json().await;
        let at = names.iter().position(|name| frame["channel"] == **name).unwrap();
        got[at].push(frame["payload"].as_u64().unwrap());
    }
    assert_eq!(got, vec![vec![0, 1, 2, 3, 4]; names.len()]);
}
