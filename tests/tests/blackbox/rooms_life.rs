//! Sessions of Engine.IO that live, fall silent, are never used, or are closed.
use std::time::{Duration, Instant};

use e2e::{
    Gateway, Sio, eventually,
    sio::{Polling, Way},
};
use serde_json::json;

use crate::rooms_engine::sessions;

async fn gone(gateway: &Gateway) {
    eventually("no session", async || (sessions(gateway).await == 0).then_some(())).await;
    assert_eq!(gateway.metrics().await.sum("quadrille_connections", &[]), 0);
}

async fn ended(gateway: &Gateway, code: &str) -> u64 {
    gateway.metrics().await.sum("quadrille_connections_ended_total", &[("code", code)])
}

#[tokio::test]
async fn a_client_is_pinged_at_its_interval_and_lives_as_long_as_it_answers() {
    let gateway = Gateway::start(&[("rooms.ping_interval", "300ms")]).await;
    for way in Way::ALL {
        let begin = Instant::now();
        let mut client = Sio::connected(&gateway, way, &json!({})).await;
        client.answers_pings = false;
        for n in 1..=4 {
            assert_eq!(client.packet().await, "2", "{way:?}");
            let least = Duration::from_millis(300) * n;
            assert!(begin.elapsed() >= least, "{way:?}: {:?} < {least:?}", begin.elapsed());
            client.send("3").await;
        }
        client.answers_pings = true;
        assert_eq!(client.settled().await, [""; 0]);
    }
}

#[tokio::test]
async fn a_silent_websocket_is_closed_with_3012() {
    let settings = [("rooms.ping_interval", "200ms"), ("rooms.ping_timeout", "300ms")];
    let gateway = Gateway::start(&settings).await;
    let begin = Instant::now();
    let mut client = Sio::guest(&gateway).await;
    client.answers_pings = false;
    let (said, end) = client.ended().await;
    assert_eq!((said, end), (vec!["2".to_owned()], (3012, "no pong".to_owned())));
    assert!(begin.elapsed() >= Duration::from_millis(500), "{:?}", begin.elapsed());
    gone(&gateway).await;
    assert_eq!(ended(&gateway, "3012").await, 1);
}

#[tokio::test]
async fn who_polls_no_more_is_forgotten() {
    let settings = [("rooms.ping_interval", "200ms"), ("rooms.ping_timeout", "300ms")];
    let gateway = Gateway::start(&settings).await;
    let mut client = Sio::connected(&gateway, Way::Polling, &json!({})).await;
    let room = json!({"room": "den"});
    client.ask("join_room", &room).await;
    client.answers_pings = false;
    client.until("room_joined").await;
    assert_eq!(client.packet().await, "2");
    gone(&gateway).await;
    assert_eq!(ended(&gateway, "3012").await, 1);
    assert_eq!(client.try_packet().await.unwrap_err().0, 400);
    // With all that it had.
    let mut other = Sio::guest(&gateway).await;
    other.ask("get_stats", &json!({})).await;
    let stats = json!({"active_users": 1, "rooms": {}, "total_connections": 1});
    assert_eq!(other.expect("stats").await, stats);
}

#[tokio::test]
async fn a_session_that_nobody_claims_is_given_back() {
    // By the time to connect, or else by the heartbeat.
    let cases = [
        [("rooms.connect_timeout", "100ms"), ("rooms.ping_interval", "1h")],
        [("rooms.ping_timeout", "100ms"), ("rooms.ping_interval", "100ms")],
    ];
    for settings in cases {
        let gateway = Gateway::start(&settings).await;
        for _ in 0..20 {
            Polling::open(gateway.address(), "", &[]).await.expect("a session");
        }
        let mut open = Sio::open(&gateway, Way::WebSocket).await;
        open.answers_pings = false;
        gone(&gateway).await;
        let code = if settings[1].1 == "1h" { 3006 } else { 3012 };
        assert_eq!(open.ended().await.1.0, code);
        assert_eq!(ended(&gateway, &code.to_string()).await, 21);
    }
}

#[tokio::test]
async fn who_says_nothing_while_it_polls_is_told_when_its_time_is_over() {
    let gateway = Gateway::start(&[("rooms.connect_timeout", "300ms")]).await;
    let (polling, _) = Polling::open(gateway.address(), "", &[]).await.expect("a session");
    assert_eq!(polling.packets().await, ["1"]);
    assert_eq!(polling.get().await.status, 400);
    gone(&gateway).await;
}

#[tokio::test]
async fn a_client_can_close_its_session() {
    let gateway = Gateway::start(&[]).await;
    let mut socket = Sio::guest(&gateway).await;
    socket.send("1").await;
    assert_eq!(socket.ended().await, (Vec::new(), (1000, String::new())));
    let (polling, _) = Polling::open(gateway.address(), "", &[]).await.expect("a session");
    polling.send(&["40"]).await;
    polling.packets().await;
    let (poll, ()) = tokio::join!(polling.get(), polling.send(&["1", "42[\"after\"]"]));
    assert!(poll.status == 400 || poll.body == "6", "{poll:?}");
    assert_eq!(polling.get().await.status, 400);
    gone(&gateway).await;
}

#[tokio::test]
async fn a_websocket_that_goes_leaves_nothing() {
    let gateway = Gateway::start(&[]).await;
    for _ in 0..10 {
        let mut client = Sio::guest(&gateway).await;
        client.ask("join_room", &json!({"room": "den"})).await;
    }
    gone(&gateway).await;
    let mut client = Sio::guest(&gateway).await;
    client.ask("join_room", &json!({"room": "den"})).await;
    assert_eq!(client.expect("room_joined").await["user_count"], 1);
}

#[tokio::test]
async fn who_leaves_the_namespace_cannot_stay_without_end() {
    let gateway = Gateway::start(&[("rooms.connect_timeout", "300ms")]).await;
    let mut client = Sio::guest(&gateway).await;
    client.send("41").await;
    assert_eq!(client.ended().await, (Vec::new(), (3006, "no CONNECT in time".to_owned())));
}
