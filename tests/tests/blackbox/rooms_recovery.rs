//! Clients of Socket.IO that lost their connection and go on where they were.
use e2e::{
    Gateway, Sio, eventually,
    fake::cat::{Cat, Gate, Step},
    relay,
    returning::{Returning, connected},
    rooms::{Surroundings, slow_reply},
    sio::Way,
};
use serde_json::{Value, json};

use crate::rooms_engine::sessions;

const ON: (&str, &str) = ("rooms.recovery", "10m");

/// How a client comes back: over what, and whether its old connection is still open.
const RETURNS: [(Way, bool); 4] =
    [(Way::WebSocket, false), (Way::WebSocket, true), (Way::Polling, false), (Way::Polling, true)];

async fn say(client: &mut Sio, room: &str, message: impl Into<Value>) {
    let message: Value = message.into();
    client.ask("message", &json!({"room": room, "message": message})).await;
}

/// The next message: its room, and what it says.
async fn heard(client: &mut Returning) -> (String, Value) {
    let mut message = client.expect("new_message").await;
    (message["room"].as_str().expect("a room").to_owned(), message["message"].take())
}

#[tokio::test]
async fn without_the_key_there_is_neither_a_pid_nor_an_offset() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Sio::open(&gateway, Way::WebSocket).await;
    client.send(r#"40{"pid":"p","offset":"1-1 room:@den"}"#).await;
    let connected = connected(&client.packet().await);
    let members: Vec<_> = connected.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["sid"]);
    client.expect("status").await;
    client.ask("join_room", &json!({"room": "den"})).await;
    client.expect("room_joined").await;
    say(&mut client, "den", "hello").await;
    // With one argument.
    assert_eq!(client.expect("new_message").await["message"], "hello");
}

#[tokio::test]
async fn what_was_missed_in_two_rooms_comes_without_another_join() {
    let gateway = Gateway::start(&[ON]).await;
    for (way, is_open) in RETURNS {
        let mut talker = Sio::guest(&gateway).await;
        let mut client = Returning::connect(&gateway, way, json!({})).await;
        client.join(&json!({"room": "den"})).await;
        client.join(&json!({"room": "attic", "positions": true})).await;
        let (sid, pid) = (client.sid.clone(), client.pid.clone());
        for (n, room) in (0..5).zip(["den", "den", "attic", "den", "attic"]) {
            say(&mut talker, room, n).await;
        }
        // Two of these are looked at.
        let seen = [heard(&mut client).await, heard(&mut client).await];
        if !is_open {
            client.lose();
        }
        for n in 5..8 {
            say(&mut talker, "attic", n).await;
            say(&mut talker, "den", n).await;
        }
        talker.ask("broadcast", &json!({"message": "to all"})).await;
        assert!(client.back(&gateway, way).await, "{way:?} {is_open}");
        assert_eq!((&client.sid, &client.pid), (&sid, &pid));
        let mut by_room = [("den", Vec::new()), ("attic", Vec::new()), ("", Vec::new())];
        let mut take = |room: &str, said: Value| {
            by_room.iter_mut().find(|(it, _)| *it == room).expect("a room").1.push(said);
        };
        for (room, said) in seen {
            take(&room, said);
        }
        for _ in 0..10 {
            let (name, mut event) = client.event().await;
            let room = event["room"].as_str().unwrap_or_default().to_owned();
            assert_eq!(name, if room.is_empty() { "broadcast_message" } else { "new_message" });
            assert_eq!(event["position"].is_string(), room == "attic", "{event}");
            take(&room, event["message"].take());
        }
        let [den, attic, all] = by_room.map(|(_, said)| Value::from(said));
        assert_eq!(den, json!([0, 1, 3, 5, 6, 7]), "{way:?} {is_open}");
        assert_eq!((attic, all), (json!([2, 4, 5, 6, 7]), json!(["to all"])));
        // And so it goes on, in the rooms that it never left.
        say(&mut talker, "den", "more").await;
        assert_eq!(heard(&mut client).await, ("den".to_owned(), json!("more")));
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn the_connection_that_was_lost_ends_and_its_seat_is_the_others() {
    let gateway = Gateway::start(&[ON]).await;
    let mut other = Sio::guest(&gateway).await;
    let stats = async |other: &mut Sio| {
        other.emit("get_stats", &json!({})).await;
        other.expect("stats").await["rooms"].take()
    };
    let mut client = Returning::guest(&gateway).await;
    client.join(&json!({"room": "den"})).await;
    assert_eq!(stats(&mut other).await, json!({"den": 1}));
    client.lose();
    // Who is gone is gone.
    eventually("nobody", async || (stats(&mut other).await == json!({})).then_some(())).await;
    assert!(client.back(&gateway, Way::Polling).await);
    assert_eq!(stats(&mut other).await, json!({"den": 1}));
    // While the other one is open.
    assert!(client.back(&gateway, Way::WebSocket).await);
    eventually("one of them", async || (sessions(&gateway).await == 2).then_some(())).await;
    let one = json!({"den": 1});
    eventually("one seat", async || (stats(&mut other).await == one).then_some(())).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn who_was_given_up_goes_on_too() {
    let impatient = [("rooms.ping_interval", "1s"), ("rooms.ping_timeout", "1s")];
    let gateway = Gateway::start(&[&impatient[..], &[ON]].concat()).await;
    let mut clients = Vec::new();
    for way in Way::ALL {
        let mut client = Returning::connect(&gateway, way, json!({})).await;
        client.join(&json!({"room": "den"})).await;
        clients.push((client, way));
    }
    // They answer no pings, for they do not read.
    eventually("nobody", async || (sessions(&gateway).await == 0).then_some(())).await;
    let mut talker = Sio::guest(&gateway).await;
    say(&mut talker, "den", 1).await;
    for (client, way) in &mut clients {
        assert!(client.back(&gateway, *way).await, "{way:?}");
        while client.event().await.1["message"] != 1 {}
    }
}

#[tokio::test]
async fn a_connection_that_is_taken_over_is_told_so() {
    let gateway = Gateway::start(&[ON]).await;
    let mut old = Sio::open(&gateway, Way::WebSocket).await;
    old.send("40").await;
    let connected = connected(&old.packet().await);
    old.expect("status").await;
    let mut new = Sio::open(&gateway, Way::WebSocket).await;
    new.send(&format!("40{}", json!({"pid": connected["pid"]}))).await;
    assert_eq!(new.packet().await, format!("40{connected}"));
    let end = (3000, "goes on over another connection".to_owned());
    assert_eq!(old.ended().await, (Vec::new(), end));
}

#[tokio::test]
async fn what_a_client_says_itself_is_not_shown_to_it_later() {
    let gateway = Gateway::start(&[ON]).await;
    let mut other = Sio::guest(&gateway).await;
    other.ask("join_room", &json!({"room": "den"})).await;
    other.shown().await;
    let mut client = Returning::guest(&gateway).await;
    client.join(&json!({"room": "den"})).await;
    let typing = json!({"room": "den", "user_name": "Ada", "is_typing": true});
    client.ask("typing", &typing).await;
    say(&mut other, "den", 1).await;
    client.ask("typing", &typing).await;
    client.lose();
    say(&mut other, "den", 2).await;
    assert!(client.back(&gateway, Way::WebSocket).await);
    assert_eq!([heard(&mut client).await.1, heard(&mut client).await.1], [1, 2]);
    // Neither what it says now, nor that on yet another connection.
    client.ask("typing", &typing).await;
    client.expect_nothing().await;
    assert!(client.back(&gateway, Way::Polling).await);
    client.expect_nothing().await;
    let mut names = Vec::new();
    while names.len() < 6 {
        names.push(other.shown().await.0);
    }
    let [join, typing, message] = ["room_joined", "user_typing", "new_message"];
    assert_eq!(names, [join, typing, message, typing, message, typing]);
}

#[tokio::test]
async fn a_client_that_saw_nothing_goes_on_from_where_it_joined() {
    let gateway = Gateway::start(&[ON]).await;
    let mut talker = Sio::guest(&gateway).await;
    let mut client = Returning::guest(&gateway).await;
    say(&mut talker, "den", "too early").await;
    client.join(&json!({"room": "den"})).await;
    say(&mut talker, "den", 1).await;
    for way in [Way::WebSocket, Way::Polling, Way::WebSocket] {
        // Over and over, for it looks at nothing.
        assert!(client.back(&gateway, way).await);
        assert_eq!(client.offset, None);
    }
    assert_eq!(heard(&mut client).await.1, 1);
    for _ in 0..3 {
        assert!(client.back(&gateway, Way::WebSocket).await);
    }
    say(&mut talker, "den", 2).await;
    assert_eq!(heard(&mut client).await.1, 2);
    client.expect_nothing().await;
}

#[tokio::test]
async fn an_offset_from_before_the_socket_does_no_harm() {
    let settings = [ON, ("server.drain_window", "0s")];
    let first = Gateway::start(&settings).await;
    let mut client = Returning::guest(&first).await;
    client.join(&json!({"room": "den"})).await;
    say(client.sio(), "den", 1).await;
    heard(&mut client).await;
    drop(first);
    let gateway = Gateway::start(&settings).await;
    assert!(!client.back(&gateway, Way::WebSocket).await, "another process knows nobody");
    client.join(&json!({"room": "den"})).await;
    let mut talker = Sio::guest(&gateway).await;
    say(&mut talker, "den", 2).await;
    // It names the offset that it has, and that is of the time before.
    assert!(client.back(&gateway, Way::WebSocket).await);
    assert_eq!(heard(&mut client).await.1, 2);
}

#[tokio::test]
async fn a_log_that_does_not_reach_back_says_so() {
    let gateway = Gateway::start(&[ON, ("topics.room.events", "4")]).await;
    let mut talker = Sio::guest(&gateway).await;
    let mut client = Returning::guest(&gateway).await;
    client.join(&json!({"room": "den"})).await;
    say(&mut talker, "den", 0).await;
    heard(&mut client).await;
    client.lose();
    for n in 1..=10 {
        say(&mut talker, "den", n).await;
    }
    assert!(client.back(&gateway, Way::WebSocket).await);
    let gap = client.expect("gap").await;
    assert_eq!((&gap["room"], &gap["missed"]), (&json!("den"), &json!(6)));
    for n in 7..=10 {
        assert_eq!(heard(&mut client).await.1, n);
    }
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_reply_to_the_client_alone_goes_on() {
    let cat = Cat::start().await;
    for auth in [json!({}), json!({"user_id": 7})] {
        let gateway = relay::gateway(&cat, &[ON]).await;
        let gate = Gate::new();
        let mut client = Returning::connect(&gateway, Way::WebSocket, auth).await;
        let steps =
            [Step::token("a"), Step::token(" b"), Step::Hold(gate.clone()), Step::token(" c")];
        cat.next([&steps[..], &[Step::reply("a b c")]].concat());
        client.ask("llm_request", &json!({"message": "?"})).await;
        let mut text = client.expect("llm_token").await["token"].take().to_string();
        client.lose();
        gate.open();
        eventually("the end", async || {
            let ended = gateway.metrics().await;
            (ended.sum("quadrille_turns_total", &[]) > 0).then_some(())
        })
        .await;
        assert!(client.back(&gateway, Way::Polling).await);
        let complete = loop {
            let (name, mut event) = client.event().await;
            if name == "llm_complete" {
                break event;
            }
            assert_eq!(name, "llm_token");
            text += &event["token"].take().to_string();
        };
        assert_eq!(
            (text.replace('"', ""), &complete["text"]),
            ("a b c".to_owned(), &json!("a b c"))
        );
        // It has ended, and is not shown again.
        assert!(client.back(&gateway, Way::WebSocket).await);
        client.expect_nothing().await;
        // Another one is as good.
        cat.next([Step::reply("d")]);
        client.ask("llm_request", &json!({"message": "?"})).await;
        while client.event().await.0 != "llm_complete" {}
    }
}

/// Times that each client loses its connection, and events after each of which it does.
const CUTS: usize = 50;
const EVERY: usize = 3;

/// Events up to the end of a reply, for a client that loses its connection over and over.
async fn read(
    gateway: &Gateway,
    client: &mut Returning,
    (way, is_open): (Way, bool),
) -> Vec<Shown> {
    let (mut events, mut cuts) = (Vec::new(), 0);
    loop {
        events.push(client.event().await);
        if events.last().is_some_and(|(name, _)| name == "ai_response_complete") {
            assert_eq!(cuts, CUTS, "the reply is long enough");
            client.expect_nothing().await;
            return events;
        }
        if events.len() % EVERY == 0 && cuts < CUTS {
            cuts += 1;
            if !is_open {
                client.lose();
            }
            assert!(client.back(gateway, way).await, "{way:?} {is_open} {cuts}");
        }
    }
}

type Shown = (String, Value);

#[tokio::test]
async fn fifty_lost_connections_during_a_reply_lose_nothing() {
    let around = Surroundings::new().await;
    around.model.play(slow_reply());
    let id = around.database.conversation("7").await;
    let gateway = around.gateway(&[ON]).await;
    let join = json!({"conversation_id": id, "positions": true});
    let mut clients = Vec::new();
    for (way, is_open) in RETURNS {
        let mut client = Returning::connect(&gateway, way, json!({"user_id": 7})).await;
        client.join(&join).await;
        clients.push((client, (way, is_open)));
    }
    let mut stays = Sio::user(&gateway, "7").await;
    stays.ask("join_room", &join).await;
    stays.expect("joined_room").await;
    stays.emit("send_message", &json!({"conversation_id": id, "message": "Erzähl!"})).await;
    let mut all: Vec<Shown> = Vec::new();
    let read_all = async {
        while all.last().is_none_or(|(name, _)| name != "ai_response_complete") {
            let (name, event, _) = stays.shown().await;
            all.push((name, event));
        }
    };
    let mut each = clients.iter_mut().map(|(client, how)| read(&gateway, client, *how));
    let mut next = || each.next().expect("a client");
    let (a, b, c, d, ()) = tokio::join!(next(), next(), next(), next(), read_all);
    for (seen, how) in [a, b, c, d].iter().zip(RETURNS) {
        assert_eq!(*seen, all, "{how:?}");
    }
}
