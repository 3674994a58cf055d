//! After a client's mistake, it and everybody else must be served as before.
use e2e::{Client, Gateway, Raw};
use serde_json::json;

/// Panics unless another client can be served by the same process.
pub(crate) async fn others_are_served(gateway: &Gateway) {
    let (mut client, mut publisher) =
        (Client::connect(gateway).await, Client::connect(gateway).await);
    client.subscribe("alive").await;
    publisher.publish("alive", &json!("and well")).await;
    assert_eq!(client.next_json().await, json!({"channel": "alive", "payload": "and well"}));
    client.leave().await;
    publisher.leave().await;
}

/// Panics unless `client` can still subscribe, hear, and speak.
pub(crate) async fn still_works(gateway: &Gateway, client: &mut Client) {
    let mut other = Client::connect(gateway).await;
    client.subscribe("survivor").await;
    other.subscribe("survivor").await;
    other.publish("survivor", &json!("to it")).await;
    assert_eq!(client.next_json().await, json!({"channel": "survivor", "payload": "to it"}));
    client.publish("survivor", &json!("from it")).await;
    assert_eq!(other.next_json().await, json!({"channel": "survivor", "payload": "from it"}));
    other.leave().await;
}

#[tokio::test]
async fn clients_that_vanish_at_any_moment_harm_nobody() {
    let gateway = Gateway::start(&[]).await;
    let mut publisher = Client::connect(&gateway).await;
    for n in 0..50 {
        let mut client = Client::connect(&gateway).await;
        client.send_text(r#"{"action":"subscribe","channel":"c"}"#).await;
        if n % 2 == 0 {
            client.answer().await;
        }
        publisher.publish("c", &json!(n)).await;
    }
    others_are_served(&gateway).await;
    drop(publisher);
    e2e::eventually("all connections to be gone", async || {
        let open = gateway.metrics().await.sum("quadrille_connections", &[]);
        (open == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_frame_that_never_ends_is_forgotten_with_its_connection() {
    let gateway = Gateway::start(&[]).await;
    let mut raw = Raw::connect(&gateway).await;
    let whole = e2e::raw::frame(e2e::raw::FIN | e2e::raw::TEXT, &[b' '; 1000]);
    raw.send(&whole[..500]).await;
    drop(raw);
    others_are_served(&gateway).await;
}
