//! Clients of Socket.IO that come back and get a new socket, or not all that they had.
use e2e::{
    Gateway, Sio,
    database::Database,
    eventually, http,
    returning::Returning,
    sio::{Polling, Way},
    token::{JWT, now, token},
};
use serde_json::{Value, json};

const ON: (&str, &str) = ("rooms.recovery", "10m");

/// Somebody in the room `den`, who has heard something.
async fn in_den(gateway: &Gateway, way: Way, auth: Value) -> Returning {
    let mut client = Returning::connect(gateway, way, auth).await;
    client.join(&json!({"room": "den"})).await;
    client.ask("message", &json!({"room": "den", "message": "hello"})).await;
    client.expect("new_message").await;
    client
}

/// A new socket is in no room.
async fn is_new(gateway: &Gateway, client: &mut Returning, way: Way) {
    let before = client.pid.clone();
    assert!(!client.back(gateway, way).await);
    assert!(client.pid.is_some() && client.pid != before, "with a pid of its own");
    let mut talker = Sio::guest(gateway).await;
    talker.ask("message", &json!({"room": "den", "message": "for those in it"})).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn what_is_unknown_is_a_new_socket() {
    let gateway = Gateway::start(&[ON]).await;
    for way in Way::ALL {
        let strange = ["", "x", "1-1 room:@den", "0-0 ", "1-18446744073709551616 a", "\u{1e}"];
        for offset in strange {
            let mut client = in_den(&gateway, way, json!({})).await;
            client.offset = Some(offset.to_owned());
            is_new(&gateway, &mut client, way).await;
        }
        let mut client = in_den(&gateway, way, json!({})).await;
        client.pid = client.pid.map(|pid| format!("{pid}x"));
        is_new(&gateway, &mut client, way).await;
    }
}

#[tokio::test]
async fn members_of_the_application_are_not_taken_for_those_of_a_client_that_comes_back() {
    let gateway = Gateway::start(&[ON]).await;
    for auth in [json!({"pid": 7, "offset": [1]}), json!({"pid": "x".repeat(10_000)})] {
        let mut client = Returning::connect(&gateway, Way::WebSocket, auth).await;
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_pid_is_of_no_use_to_another_user() {
    let gateway = Gateway::start(&[ON]).await;
    let mut client = in_den(&gateway, Way::WebSocket, json!({"user_id": 7})).await;
    client.lose();
    for auth in [json!({"user_id": 8}), json!({})] {
        let mut thief = Returning::connect(&gateway, Way::WebSocket, auth).await;
        (thief.pid, thief.offset) = (client.pid.clone(), client.offset.clone());
        is_new(&gateway, &mut thief, Way::WebSocket).await;
    }
    assert!(client.back(&gateway, Way::WebSocket).await, "it is still whose it was");
}

#[tokio::test]
async fn who_comes_too_late_is_new() {
    let gateway = Gateway::start(&[("rooms.recovery", "1ns")]).await;
    let mut other = Sio::guest(&gateway).await;
    for way in Way::ALL {
        let mut client = in_den(&gateway, way, json!({})).await;
        if way == Way::Polling {
            let polling = Polling::of(gateway.address(), &client.sio().hello);
            polling.send(&["1"]).await;
        }
        client.lose();
        eventually("an empty room", async || {
            other.emit("get_stats", &json!({})).await;
            (other.expect("stats").await["rooms"] == json!({})).then_some(())
        })
        .await;
        is_new(&gateway, &mut client, way).await;
    }
}

#[tokio::test]
async fn who_left_or_was_sent_away_is_new() {
    let gateway = Gateway::start(&[ON]).await;
    for way in Way::ALL {
        let mut client = in_den(&gateway, way, json!({})).await;
        client.leave().await;
        is_new(&gateway, &mut client, way).await;
        for has_read in [true, false] {
            let mut client = in_den(&gateway, way, json!({})).await;
            let path = format!("/api/v1/sessions/{}", client.sid);
            let ended = http::request(gateway.address(), "DELETE", &path, &[]).await;
            assert_eq!(ended.expect("an answer").status, 204);
            if has_read {
                client.sio().ended().await;
            }
            is_new(&gateway, &mut client, way).await;
        }
    }
}

#[tokio::test]
async fn whose_token_has_ended_is_new() {
    let gateway = Gateway::start(&[&JWT[..], &[ON]].concat()).await;
    let auth = |claims: Value| json!({"token": token(claims)});
    let long = auth(json!({"sub": "7", "rooms": ["@den"]}));
    for way in Way::ALL {
        let mut client = in_den(&gateway, way, long.clone()).await;
        let short = auth(json!({"sub": "7", "exp": now() + 1}));
        client.ask("auth_refresh", &short).await;
        let (last, _) = client.sio().ended().await;
        assert!(last.iter().any(|it| it.contains("Token has expired")), "{last:?}");
        assert!(!client.back(&gateway, way).await);
    }
}

#[tokio::test]
async fn rooms_that_a_token_does_not_open_any_more_are_not_given_back() {
    let database = Database::new().await;
    let (mine, theirs) = (database.conversation("7").await, database.conversation("8").await);
    let gateway = Gateway::start(&[&JWT[..], &[database.setting(), ON]].concat()).await;
    let auth = |claims: Value| json!({"token": token(claims)});
    let more = json!({"sub": "7", "channels": ["a"], "rooms": [theirs.to_string(), "@den"]});
    let talk = auth(json!({"sub": "8", "channels": ["a"], "rooms": ["*", "@den", "@"]}));
    let mut talker = Sio::connected(&gateway, Way::WebSocket, &talk).await;
    for way in Way::ALL {
        let mut client = Returning::connect(&gateway, way, auth(more.clone())).await;
        for id in [mine, theirs] {
            client.join(&json!({"conversation_id": id})).await;
        }
        client.join(&json!({"room": "den"})).await;
        for topic in ["a", "user:7"] {
            client.ask("watch", &json!({"topic": topic})).await;
            client.expect("watching").await;
        }
        client.lose();
        talker.ask("message", &json!({"room": "den", "message": "not for it"})).await;
        talker.ask("broadcast", &json!({"message": "to all"})).await;
        let typing = json!({"conversation_id": theirs, "is_typing": true});
        talker.ask("typing", &typing).await;
        client.with_auth(auth(json!({"sub": "7"})));
        assert!(client.back(&gateway, way).await);
        let mut told = Vec::new();
        while told.len() < 4 {
            let (name, argument) = client.event().await;
            told.push(match name.as_str() {
                "broadcast_message" => name,
                _ => format!("{name} {argument}"),
            });
        }
        told.sort();
        let expected = [
            "broadcast_message".to_owned(),
            format!("left_room {}", json!({"conversation_id": theirs})),
            r#"unwatched {"topic":"chan:a"}"#.to_owned(),
            r#"unwatched {"topic":"room:@den"}"#.to_owned(),
        ];
        assert_eq!(told, expected, "{way:?}");
        // What is left is as it was.
        client.sio().emit("send_message", &json!({"conversation_id": mine, "message": "m"})).await;
        while client.event().await.0 != "ai_response_complete" {}
        client.expect_nothing().await;
    }
    // Without a good token there is nothing at all.
    let mut client = Returning::connect(&gateway, Way::WebSocket, auth(more)).await;
    client.lose();
    let mut other = Sio::open(&gateway, Way::WebSocket).await;
    let pid = client.pid.as_ref().expect("a pid");
    other.send(&format!("40{}", json!({"pid": pid, "token": "rubbish"}))).await;
    assert_eq!(other.packet().await, r#"44{"message":"Invalid token"}"#);
    assert!(client.back(&gateway, Way::WebSocket).await);
}
