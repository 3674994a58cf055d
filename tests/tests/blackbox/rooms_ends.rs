//! Connections of rooms that an operator, a stop, or their own bytes bring to an end.
use e2e::{
    Gateway, Sio, eventually, http,
    raw::{BINARY, CONTINUATION, FIN, TEXT, frame, unmasked},
    sio::{Polling, Way},
};
use serde_json::{Value, json};

use crate::{rooms_engine::sessions, survival::others_are_served};

/// Opens a session, connects, and gives the id that operators know.
async fn client(gateway: &Gateway, way: Way) -> (Sio, String) {
    let mut client = Sio::open(gateway, way).await;
    let id = client.sign_in(&json!({})).await;
    (client, id)
}

async fn kick(gateway: &Gateway, id: &str) {
    let path = format!("/api/v1/sessions/{id}");
    let answer = http::request(gateway.address(), "DELETE", &path, &[]).await;
    assert_eq!(answer.expect("an answer").status, 204);
}

#[tokio::test]
async fn who_is_sent_away_is_told_to_stay_away() {
    let gateway = Gateway::start(&[]).await;
    let (mut stays, _) = client(&gateway, Way::WebSocket).await;
    let (mut socket, id) = client(&gateway, Way::WebSocket).await;
    kick(&gateway, &id).await;
    let end = (3503, "ended by the operator".to_owned());
    assert_eq!(socket.ended().await, (["41", "1"].map(str::to_owned).to_vec(), end));
    // In the middle of a poll, and between two.
    let (mut polls, id) = client(&gateway, Way::Polling).await;
    let (poll, ()) = tokio::join!(polls.packet(), kick(&gateway, &id));
    assert_eq!((poll.as_str(), polls.packet().await.as_str()), ("41", "1"));
    assert_eq!(polls.ended().await.1.0, 400);
    let (mut between, id) = client(&gateway, Way::Polling).await;
    kick(&gateway, &id).await;
    between.emit("broadcast", &json!({"message": "not any more"})).await;
    assert_eq!([between.packet().await, between.packet().await], ["41", "1"]);
    assert_eq!(between.ended().await.1.0, 400);
    // And if it never asks.
    let (_silent, id) = client(&gateway, Way::Polling).await;
    kick(&gateway, &id).await;
    eventually("it to be gone", async || (sessions(&gateway).await == 1).then_some(())).await;
    assert_eq!(stays.settled().await, [""; 0]);
    let ended = gateway.metrics().await;
    let ended = ended.sum("quadrille_connections_ended_total", &[("code", "3503")]);
    assert_eq!(ended, 4);
}

#[tokio::test]
async fn who_has_not_connected_is_sent_away_too() {
    let gateway = Gateway::start(&[]).await;
    let mut open = Sio::open(&gateway, Way::WebSocket).await;
    let all = gateway.get("/api/v1/sessions").await.json();
    kick(&gateway, all["sessions"][0]["id"].as_str().expect("an id")).await;
    assert_eq!(open.ended().await.1.0, 3503);
}

#[tokio::test]
async fn a_stop_closes_every_connection_so_that_it_comes_back_elsewhere() {
    let gateway = Gateway::start(&[("server.drain_window", "200ms")]).await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(client(&gateway, Way::WebSocket).await.0);
    }
    let (polls, _) = client(&gateway, Way::Polling).await;
    let polls = Polling::of(gateway.address(), &polls.hello);
    // These are not there to be told, and cannot hold it up.
    let _idle = client(&gateway, Way::Polling).await;
    let _unclaimed = Polling::open(gateway.address(), "", &[]).await.expect("a session");
    let mut probing = Sio::open(&gateway, Way::Polling).await;
    probing.sign_in(&json!({})).await;
    let upgrade = Polling::of(gateway.address(), &probing.hello).upgrade_path();
    let half = e2e::Raw::knock(gateway.address(), &upgrade, &[], &[]).await;
    let mut half = half.expect("a WebSocket");
    let stop = async {
        // The other one is of who asks.
        let open = async || gateway.metrics().await.sum("quadrille_http_connections", &[]);
        eventually("the poll", async || (open().await == 2).then_some(())).await;
        gateway.signal("TERM").await;
    };
    let (poll, ()) = tokio::join!(polls.get(), stop);
    assert_eq!((poll.status, &poll.json()["code"]), (400, &json!(1)), "it is to open another one");
    for socket in &mut sockets {
        assert_eq!(socket.ended().await, (Vec::new(), (3001, "shutdown".to_owned())));
    }
    half.closed().await;
    let mut gateway = gateway;
    assert_eq!(gateway.wait().await.code, Some(0));
}

#[tokio::test]
async fn what_is_said_before_a_stop_is_delivered() {
    let gateway = Gateway::start(&[("server.drain_window", "0s")]).await;
    let (mut talker, _) = client(&gateway, Way::WebSocket).await;
    let (mut listener, _) = client(&gateway, Way::WebSocket).await;
    listener.ask("join_room", &json!({"room": "den"})).await;
    listener.expect("room_joined").await;
    for n in 0..200 {
        talker.ask("message", &json!({"room": "den", "message": n})).await;
    }
    gateway.signal("TERM").await;
    let (heard, end) = listener.ended().await;
    assert_eq!(end.0, 3001);
    let numbers = heard.iter().filter_map(|packet| {
        let event: Value = serde_json::from_str(packet.strip_prefix("42")?).ok()?;
        event[1]["message"].as_u64()
    });
    assert!(numbers.eq(0..200), "{heard:?}");
}

#[tokio::test]
async fn bytes_that_are_no_frames_of_a_client_end_their_connection_alone() {
    let gateway = Gateway::start(&[]).await;
    let (mut healthy, _) = client(&gateway, Way::WebSocket).await;
    healthy.ask("join_room", &json!({"room": "den"})).await;
    healthy.expect("room_joined").await;
    let half = frame(TEXT, b"42[\"mess");
    let cases = [
        (frame(FIN | TEXT, b"42[\"\xff\xfe\"]"), 1007),
        ([half.clone(), frame(FIN | CONTINUATION, b"\xc3\"]")].concat(), 1007),
        ([half.clone(), frame(FIN | TEXT, b"42[\"e\"]")].concat(), 1002),
        (frame(FIN | CONTINUATION, b"40"), 1002),
        (unmasked(FIN | TEXT, b"42[\"e\"]"), 1002),
        (frame(FIN | 0x40 | TEXT, b"42[\"e\"]"), 1002),
        (frame(FIN | 0x3, b""), 1002),
        (frame(FIN | TEXT, &vec![b'4'; 1_000_001]), 1009),
        (frame(FIN | BINARY, &vec![0; 1_000_001]), 1009),
    ];
    for (bytes, code) in cases {
        let (mut client, _) = client(&gateway, Way::WebSocket).await;
        client.ask("join_room", &json!({"room": "den"})).await;
        healthy.expect("room_joined").await;
        client.raw().send(&bytes).await;
        let (_, end) = client.ended().await;
        assert_eq!(end.0, code, "{end:?}");
    }
    // In pieces it is as good as whole.
    let (mut client, _) = client(&gateway, Way::WebSocket).await;
    let rest = frame(FIN | CONTINUATION, "age\",{\"room\":\"den\",\"message\":\"ü\"}]".as_bytes());
    client.raw().send(&[half, rest].concat()).await;
    assert_eq!(healthy.expect("new_message").await["message"], "ü");
    assert_eq!(healthy.settled().await, [""; 0]);
    others_are_served(&gateway).await;
    let panics = gateway.metrics().await.sum("quadrille_task_panics_total", &[]);
    assert_eq!(panics, 0);
}

#[tokio::test]
async fn who_asks_for_much_and_polls_for_none_of_it_is_closed() {
    let gateway = Gateway::start(&[]).await;
    let (polling, _) = Polling::open(gateway.address(), "", &[]).await.expect("a session");
    polling.send(&["40"]).await;
    // Each is refused in words, which nobody comes for.
    let body = vec!["42[7]"; 20_000].join("\u{1e}");
    let refused = eventually("an end", async || {
        let answer = polling.post(body.as_bytes()).await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    assert_eq!((refused.status, &refused.json()["code"]), (400, &json!(3)));
    assert_eq!(polling.get().await.json()["code"], 1);
    assert_eq!(sessions(&gateway).await, 0);
    others_are_served(&gateway).await;
}
