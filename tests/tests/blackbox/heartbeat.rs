//! Telling a silent client from a dead one.
use e2e::{
    Client, Gateway, Raw,
    raw::{FIN, PING, PONG, TEXT, frame},
};

const PINGS: [(&str, &str); 2] =
    [("broker.ping_interval", "100ms"), ("broker.ping_timeout", "300ms")];

#[tokio::test]
async fn a_client_that_answers_no_ping_is_closed_with_3012() {
    let gateway = Gateway::start(&PINGS).await;
    let mut raw = Raw::connect(&gateway).await;
    let (first, _) = raw.frame().await.unwrap();
    assert_eq!(first, FIN | PING);
    assert_eq!(raw.closed().await.0, 3012);
    let ended =
        gateway.metrics().await.sum("quadrille_connections_ended_total", &[("code", "3012")]);
    assert_eq!(ended, 1);
}

#[tokio::test]
async fn a_client_that_answers_pings_stays() {
    let gateway = Gateway::start(&[("broker.ping_interval", "50ms")]).await;
    let mut raw = Raw::connect(&gateway).await;
    for _ in 0..10 {
        let (first, payload) = raw.frame().await.unwrap();
        assert_eq!(first, FIN | PING);
        raw.send(&frame(FIN | PONG, &payload)).await;
    }
    raw.send(&frame(FIN | TEXT, br#"{"action":"ping"}"#)).await;
    while raw.frame().await.unwrap().0 != FIN | TEXT {}
}

#[tokio::test]
async fn a_client_that_was_closed_for_silence_can_come_back_and_resume() {
    let gateway = Gateway::start(&PINGS).await;
    let mut client = Client::connect(&gateway).await;
    let since = client.subscribe("c").await;
    // Whoever does not read does not answer pings either.
    e2e::eventually("the silent client to be closed", async || {
        let metrics = gateway.metrics().await;
        let ended = metrics.sum("quadrille_connections_ended_total", &[("code", "3012")]);
        (ended >= 1).then_some(())
    })
    .await;
    assert_eq!(client.closed().await.0, 3012);
    let mut publisher = Client::connect(&gateway).await;
    publisher.publish("c", &serde_json::json!("missed")).await;
    publisher.leave().await;
    let mut client = Client::connect(&gateway).await;
    client.subscribe_with(serde_json::json!({"channel": "c", "since": since})).await;
    assert_eq!(client.next_json().await["payload"], "missed");
}
