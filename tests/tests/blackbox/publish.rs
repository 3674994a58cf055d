//! A publish reaches the others as it was sent, and never its sender.
use e2e::{Client, Gateway};
use serde_json::json;

/// Frames that a gateway which parses and prints again would change.
const TOUCHY: [&str; 10] = [
    r#"{"channel": "c", "payload": {"message": "Python spacing", "final_message": false}}"#,
    r#"{"channel":"c","payload":12345678901234567890}"#,
    r#"{"channel":"c","payload":[1.50,1e3,-0,0.10,1E-7]}"#,
    r#"{"channel":"c","payload":"\u00e9\ud83d\ude00 é 😀 \/ \u0000"}"#,
    "  {\t\"payload\" :\n[ 1 , 2 ]\r\n, \"channel\":\"c\" }  ",
    r#"{"channel":"c","payload":null}"#,
    r#"{"channel":"c","payload":{"b":1,"a":2,"b":3},"extra":[{}]}"#,
    r#"{"channel":"c","message":"hello","message_id":"m-1"}"#,
    r#"{"type":"c","payload":{"first":"revision"}}"#,
    r#"{"channel":"\u0063","payload":"an escaped name"}"#,
];

#[tokio::test]
async fn frames_reach_others_byte_for_byte() {
    let gateway = Gateway::start(&[]).await;
    let (mut client, mut publisher) =
        (Client::connect(&gateway).await, Client::connect(&gateway).await);
    client.subscribe("c").await;
    for frame in TOUCHY {
        publisher.send_text(frame).await;
        assert_eq!(client.next_text().await, frame);
    }
}

#[tokio::test]
async fn a_position_is_added_as_the_last_member_and_nothing_else_changes() {
    let gateway = Gateway::start(&[]).await;
    let (mut client, mut publisher) =
        (Client::connect(&gateway).await, Client::connect(&gateway).await);
    client.subscribe_with(json!({"channel": "c", "positions": true})).await;
    for frame in TOUCHY {
        publisher.send_text(frame).await;
        let got = client.next_text().await;
        let (kept, position) = got.rsplit_once(r#","position":"#).expect("a position");
        let sent = frame.trim_end().strip_suffix('}').unwrap();
        assert_eq!(kept.trim(), sent.trim());
        let position = position.trim_end().strip_suffix('}').unwrap();
        assert!(serde_json::from_str::<String>(position).is_ok(), "{got}");
    }
}

#[tokio::test]
async fn a_publisher_never_hears_itself() {
    let gateway = Gateway::start(&[]).await;
    let (mut one, mut other) = (Client::connect(&gateway).await, Client::connect(&gateway).await);
    one.subscribe("c").await;
    other.subscribe("c").await;
    for frame in TOUCHY {
        one.send_text(frame).await;
        assert_eq!(other.next_text().await, frame);
    }
    // The order of a channel is the same for all, so an echo would come before this.
    other.publish("c", &json!("from the other")).await;
    assert_eq!(one.next_json().await, json!({"channel": "c", "payload": "from the other"}));
    assert_eq!(one.until_pong().await, [""; 0]);
}

#[tokio::test]
async fn publishing_needs_no_subscription_and_is_not_acknowledged() {
    let gateway = Gateway::start(&[]).await;
    let (mut client, mut publisher) =
        (Client::connect(&gateway).await, Client::connect(&gateway).await);
    client.subscribe("c").await;
    publisher.publish("c", &json!(1)).await;
    publisher.publish("nobody listens here", &json!(2)).await;
    assert_eq!(client.next_json().await["payload"], 1);
    assert_eq!(publisher.until_pong().await, [""; 0]);
}

#[tokio::test]
async fn a_publication_reaches_every_subscriber_and_no_other_channel() {
    let gateway = Gateway::start(&[]).await;
    let mut publisher = Client::connect(&gateway).await;
    let mut clients = Vec::new();
    for n in 0..20 {
        let mut client = Client::connect(&gateway).await;
        client.subscribe(if n % 2 == 0 { "even" } else { "odd" }).await;
        clients.push(client);
    }
    publisher.publish("even", &json!(0)).await;
    publisher.publish("odd", &json!(1)).await;
    for (n, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.next_json().await["payload"], n % 2);
        assert_eq!(client.until_pong().await, [""; 0]);
    }
}

#[tokio::test]
async fn a_full_name_means_the_topic_itself() {
    let gateway = Gateway::start(&[]).await;
    let (mut client, mut publisher) =
        (Client::connect(&gateway).await, Client::connect(&gateway).await);
    client.subscribe("chan:news").await;
    publisher.publish("news", &json!(1)).await;
    assert_eq!(client.next_json().await, json!({"channel": "news", "payload": 1}));
}

#[tokio::test]
async fn an_unknown_prefix_is_part_of_the_name() {
    let gateway = Gateway::start(&[]).await;
    let (mut client, mut publisher) =
        (Client::connect(&gateway).await, Client::connect(&gateway).await);
    client.subscribe("chan:app:news").await;
    publisher.publish("app:news", &json!(1)).await;
    assert_eq!(client.next_json().await, json!({"channel": "app:news", "payload": 1}));
}

#[tokio::test]
async fn spaces_and_foreign_letters_are_fine_in_a_name() {
    let gateway = Gateway::start(&[]).await;
    let (mut client, mut publisher) =
        (Client::connect(&gateway).await, Client::connect(&gateway).await);
    for name in ["käse 42", "频道", "a/b?c=d#e", "\"quoted\\", "😀"] {
        client.subscribe(name).await;
        publisher.publish(name, &json!(name)).await;
        assert_eq!(client.next_json().await, json!({"channel": name, "payload": name}));
    }
}
