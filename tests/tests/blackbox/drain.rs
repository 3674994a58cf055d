//! Stopping without leaving anyone in the dark.
use e2e::{Client, Gateway, Raw, eventually, http};
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

#[tokio::test]
async fn a_stop_closes_every_session_with_3001_and_ends_with_0() {
    let gateway = Gateway::start(&[("server.drain_window", "200ms")]).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = Client::connect(&gateway).await;
        client.subscribe("c").await;
        clients.push(client);
    }
    gateway.signal("TERM").await;
    let mut codes = Vec::new();
    for client in &mut clients {
        codes.push(client.closed().await.0);
    }
    assert_eq!(codes, [3001; 20]);
    drop(clients);
    let mut gateway = gateway;
    assert_eq!(gateway.wait().await.code, Some(0));
}

#[tokio::test]
async fn a_client_that_does_not_answer_the_close_cannot_hold_it_up() {
    let settings = [("server.drain_window", "0s"), ("server.grace", "1h")];
    let mut gateway = Gateway::start(&settings).await;
    let mut raw = Raw::connect(&gateway).await;
    gateway.signal("TERM").await;
    assert_eq!(raw.closed().await.0, 3001);
    assert_eq!(gateway.wait().await.code, Some(0));
}

#[tokio::test]
async fn connections_that_outlast_the_grace_period_end_it_with_2() {
    let settings = [("server.drain_window", "0s"), ("server.grace", "1ms")];
    let mut gateway = Gateway::start(&settings).await;
    let mut raw = Raw::connect(&gateway).await;
    gateway.signal("TERM").await;
    assert_eq!(raw.closed().await.0, 3001);
    assert_eq!(gateway.wait().await.code, Some(2));
}

#[tokio::test]
async fn an_interrupt_stops_it_as_well() {
    let gateway = Gateway::start(&[("server.drain_window", "0s")]).await;
    let mut client = Client::connect(&gateway).await;
    client.until_pong().await;
    gateway.signal("INT").await;
    assert_eq!(client.closed().await.0, 3001);
    let mut gateway = gateway;
    assert_eq!(gateway.wait().await.code, Some(0));
}

#[tokio::test]
async fn a_gateway_without_clients_stops_at_once() {
    let gateway = Gateway::start(&[("server.drain_window", "1h")]).await;
    assert_eq!(gateway.stop().await.code, Some(0));
}

#[tokio::test]
async fn while_the_balancer_notices_it_still_serves_but_says_it_is_not_ready() {
    let gateway = Gateway::start(&[("server.drain_delay", "1h")]).await;
    let (mut one, mut other) = (Client::connect(&gateway).await, Client::connect(&gateway).await);
    one.subscribe("c").await;
    gateway.signal("TERM").await;
    eventually("readyz to turn", async || {
        (gateway.get("/readyz").await.status == 503).then_some(())
    })
    .await;
    assert_eq!(gateway.get("/healthz").await.status, 200);
    other.publish("c", &json!(1)).await;
    assert_eq!(one.next_json().await, json!({"channel": "c", "payload": 1}));
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let gateway = Gateway::start(&[("server.drain_delay", "1h")]).await;
    let _client = Client::connect(&gateway).await;
    gateway.signal("TERM").await;
    eventually("readyz to turn", async || {
        (gateway.get("/readyz").await.status == 503).then_some(())
    })
    .await;
    gateway.signal("TERM").await;
    let mut gateway = gateway;
    assert_eq!(gateway.wait().await.code, Some(2));
}

#[tokio::test]
async fn nobody_new_is_let_in_while_sessions_are_closed() {
    let settings = [("server.drain_window", "1h"), ("server.grace", "1h")];
    let gateway = Gateway::start(&settings).await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(Client::connect(&gateway).await);
    }
    gateway.signal("TERM").await;
    eventually("the door to be shut", async || {
        match http::get(gateway.address(), "/ws", &http::HANDSHAKE).await {
            Err(_) => Some(()),
            Ok(answer) if answer.status == 503 => {
                assert_eq!(answer.problem().2, "/problems/draining");
                Some(())
            }
            Ok(_) => None,
        }
    })
    .await;
}

#[tokio::test]
async fn a_restarted_gateway_takes_the_same_port_again() {
    let first = Gateway::start(&[]).await;
    let address = first.address().to_string();
    let mut client = Client::connect(&first).await;
    client.until_pong().await;
    first.stop().await;
    let second = Gateway::start(&[("server.listen", &address)]).await;
    assert_eq!(second.address().to_string(), address);
    drop(client);
    Client::connect(&second).await.until_pong().await;
}

#[tokio::test]
async fn who_never_sends_the_whole_head_of_a_first_request_cannot_hold_it_up() {
    let settings = [("server.header_timeout", "1h"), ("server.grace", "1h")];
    let mut gateway = Gateway::start(&settings).await;
    let mut half = TcpStream::connect(gateway.address()).await.unwrap();
    half.write_all(b"GET /heal").await.unwrap();
    eventually("its place", async || {
        // The other one is of who asks.
        (gateway.metrics().await.sum("quadrille_http_connections", &[]) == 2).then_some(())
    })
    .await;
    gateway.signal("TERM").await;
    assert_eq!(gateway.wait().await.code, Some(0));
}
