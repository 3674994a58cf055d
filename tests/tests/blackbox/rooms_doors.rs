//! Admission to rooms, its duration, and the refusal of misuse.
use e2e::{
    Gateway, Sio, eventually,
    fake::cat::{Cat, Gate, Step},
    http::{self, Response},
    sio::Way,
    token::{JWT, SECRET, now, sign, token},
};
use serde_json::{Value, json};

async fn refusal(gateway: &Gateway, way: Way, auth: &Value) -> String {
    let mut client = Sio::open(gateway, way).await;
    client.send(&format!("40{auth}")).await;
    client.packet().await
}

#[tokio::test]
async fn who_shows_no_good_token_is_told_so_in_words_that_clients_know() {
    let gateway = Gateway::start(&JWT).await;
    let sub = json!({"sub": "7"});
    let other = sign(&jsonwebtoken::Header::default(), sub, b"another secret of thirty-two bytes");
    let refresh = token(json!({"sub": "7", "type": "refresh"}));
    let cases = [
        (json!({}), "Authentication token required"),
        (json!({"token": ""}), "Authentication token required"),
        (json!({"user_id": 7}), "Authentication token required"),
        (json!({"token": "a.b.c"}), "Invalid token"),
        (json!({"token": other}), "Invalid token"),
        (json!({"token": token(json!({"sub": "7", "exp": now() - 9999}))}), "Invalid token"),
        (json!({"token": refresh}), "Invalid token"),
    ];
    for way in Way::ALL {
        for (auth, message) in &cases {
            let packet = refusal(&gateway, way, auth).await;
            assert_eq!(packet, format!("44{}", json!({"message": message})), "{auth}");
        }
    }
    // The same connection may try again.
    let mut client = Sio::open(&gateway, Way::WebSocket).await;
    client.send("40").await;
    assert!(client.packet().await.starts_with("44"));
    client.sign_in(&json!({"token": token(json!({"sub": "7"}))})).await;
    // And the token may be in the first request.
    let good = token(json!({"sub": 7}));
    let (query, bearer) = (format!("&token={good}"), format!("Bearer {good}"));
    let places = [(query.as_str(), vec![]), ("", vec![("Authorization", bearer.as_str())])];
    for (query, headers) in places {
        let at = gateway.address();
        let mut client = Sio::open_with(at, Way::Polling, query, &headers).await.unwrap();
        client.send("40").await;
        assert!(client.packet().await.starts_with("40"));
        assert_eq!(client.expect("connected").await["user_id"], "7");
    }
}

#[tokio::test]
async fn guests_are_taken_where_it_is_said() {
    let cases = [("open", false), ("always", true), ("never", false)];
    for (guests, taken) in cases {
        let gateway = Gateway::start(&[JWT[0], JWT[1], ("rooms.guests", guests)]).await;
        let packet = refusal(&gateway, Way::WebSocket, &json!({})).await;
        assert_eq!(packet.starts_with("40"), taken, "{guests}: {packet}");
    }
    let gateway = Gateway::start(&[("rooms.guests", "never")]).await;
    assert!(refusal(&gateway, Way::WebSocket, &json!({"user_id": 7})).await.starts_with("44"));
}

#[tokio::test]
async fn a_guest_among_users_has_named_rooms_and_nothing_else() {
    let gateway = Gateway::start(&[JWT[0], JWT[1], ("rooms.guests", "always")]).await;
    let mut guest = Sio::guest(&gateway).await;
    assert!(guest.ask("join_room", &json!({"room": "den"})).await[0]["position"].is_string());
    let refused = [
        ("join_room", json!({"conversation_id": 1})),
        ("send_message", json!({"conversation_id": 1, "message": "Hi", "user_id": 7})),
        ("watch", json!({"topic": "room:1"})),
        ("watch", json!({"topic": "user:7"})),
        ("watch", json!({"topic": "demo"})),
        ("broadcast", json!({"message": "Hi"})),
    ];
    for (name, payload) in refused {
        let answer = guest.ask(name, &payload).await;
        assert!(answer[0]["error"].is_string(), "{name} {payload}: {answer}");
    }
}

#[tokio::test]
async fn a_turn_of_a_watched_topic_is_cancelled_by_its_id_alone() {
    let cat = Cat::start().await;
    let gateway = e2e::relay::gateway(&cat, &JWT).await;
    let bearer = format!("Bearer {}", token(json!({"sub": "7"})));
    let headers = [("Authorization", bearer.as_str())];
    cat.next([Step::Hold(Gate::new())]);
    let question = json!({"message": "?"});
    let turn = e2e::relay::post(&gateway, "/api/v1/turns", &headers, &question).await.json();
    let turn = turn["turn"].clone();
    let auth = json!({"token": token(json!({"sub": "7"}))});
    let mut user = Sio::connected(&gateway, Way::WebSocket, &auth).await;
    let nothing = json!([{"error": "no turn runs there"}]);
    assert_eq!(user.ask("cancel", &json!({"turn": turn})).await, nothing, "it is not watched");
    user.ask("watch", &json!({"topic": "user:7"})).await;
    assert_eq!(user.ask("cancel", &json!({"turn": turn})).await, json!([{"turn": turn}]));
    cat.closed(0).await;
}

#[tokio::test]
async fn a_guest_where_nobody_signs_in_sees_no_conversation_by_another_name() {
    let gateway = Gateway::start(&[]).await;
    http::send(gateway.address(), "POST", "/conversations?user_id=7", &[], b"").await.unwrap();
    let mut guest = Sio::guest(&gateway).await;
    for (name, payload) in [
        ("join_room", json!({"conversation_id": 1})),
        ("watch", json!({"topic": "room:1"})),
        ("cancel", json!({"topic": "room:1"})),
    ] {
        assert!(guest.ask(name, &payload).await[0]["error"].is_string(), "{name}");
    }
    // What they say they are is believed.
    let mut owner = Sio::user(&gateway, "7").await;
    assert!(owner.ask("watch", &json!({"topic": "room:1"})).await[0]["position"].is_string());
    // And an odd id takes nothing away from a token.
    let gateway = Gateway::start(&JWT).await;
    let auth = json!({"token": token(json!({"sub": "7"})), "user_id": {"a": [1.5]}});
    Sio::connected(&gateway, Way::WebSocket, &auth).await;
}

#[tokio::test]
async fn who_was_too_slow_for_its_own_replies_is_told_how_they_ended() {
    let gateway = Gateway::start(&[("topics.user.events", "1")]).await;
    let mut client = Sio::connected(&gateway, Way::Polling, &json!({})).await;
    for question in ["one two", "three four"] {
        client.emit("llm_request", &json!({"message": question})).await;
    }
    let ended = async || {
        let metrics = gateway.metrics().await;
        (metrics.sum("quadrille_turns_total", &[("end", "completed")]) == 2).then_some(())
    };
    eventually("both replies", ended).await;
    let mut texts = Vec::new();
    while texts.len() < 2 {
        let (name, payload) = client.event().await;
        if name == "llm_complete" {
            texts.push(payload["text"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(texts, ["one two", "three four"]);
}

#[tokio::test]
async fn a_connection_ends_with_its_token_or_goes_on_with_another() {
    let gateway = Gateway::start(&JWT).await;
    let until = now() + 3;
    for way in Way::ALL {
        let short = json!({"token": token(json!({"sub": "7", "exp": until}))});
        let mut stays = Sio::connected(&gateway, way, &short).await;
        let mut goes = Sio::connected(&gateway, way, &short).await;
        let other = json!({"token": token(json!({"sub": "8"}))});
        assert!(stays.ask("auth_refresh", &other).await[0]["error"].is_string());
        stays.expect("error").await;
        let new = json!({"token": token(json!({"sub": "7"}))});
        let answer = stays.ask("auth_refresh", &new).await;
        assert!((3590..=3600).contains(&answer[0]["expires_in"].as_u64().unwrap()), "{answer}");
        let (last, end) = goes.ended().await;
        let told = last.iter().any(|it| it == r#"42["error",{"message":"Token has expired"}]"#);
        assert!(told, "{last:?} {end:?}");
        if way == Way::WebSocket {
            assert_eq!(end, (3005, "expired".to_owned()));
        }
        eventually("the end of the first token", async || (now() > until).then_some(())).await;
        stays.expect("auth_refreshed").await;
        assert_eq!(stays.settled().await, [""; 0]);
    }
}

#[tokio::test]
async fn pages_from_elsewhere_are_refused_and_listed_ones_may_ask_first() {
    let listed = r#"["https://chat.example.com"]"#;
    let gateway = Gateway::start(&[("server.origins", listed)]).await;
    let at = gateway.address();
    let poll = "/socket.io/?EIO=4&transport=polling";
    for origin in ["https://evil.example", "null", "https://chat.example.com.evil.example"] {
        let answer = http::get(at, poll, &[("Origin", origin)]).await.unwrap();
        assert_eq!(answer.status, 403, "{origin}");
        let refused = Sio::open_with(at, Way::WebSocket, "", &[("Origin", origin)]).await;
        assert_eq!(refused.unwrap_err().status, 403, "{origin}");
    }
    let page = "https://chat.example.com";
    let answer = http::get(at, poll, &[("Origin", page)]).await.unwrap();
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(page)));
    let asks = [("Origin", page), ("Access-Control-Request-Method", "POST")];
    let answer = http::request(at, "OPTIONS", poll, &asks).await.unwrap();
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some(page)));
}

#[tokio::test]
async fn bombs_harm_their_sender_alone() {
    let gateway = Gateway::start(&[]).await;
    let mut healthy = Sio::guest(&gateway).await;
    let long = "n".repeat(900_000);
    let deep = format!("42[\"message\",{}{}]", "[".repeat(400_000), "]".repeat(400_000));
    let many = format!("42[\"a\"{}]", ",1".repeat(400_000));
    let bombs = [
        format!("40/{long},"),
        format!("42/{long},[\"a\"]"),
        format!("42[\"{long}\"]"),
        format!("42{}[\"a\"]", "9".repeat(500_000)),
        "45999999999-[\"a\",{\"_placeholder\":true,\"num\":0}]".to_owned(),
        "451-[\"a\",{\"_placeholder\":true,\"num\":-1}]".to_owned(),
        deep,
        many,
        "42[7]".to_owned(),
        "44{}".to_owned(),
        "2probe".to_owned(),
        "2".to_owned(),
        "5".to_owned(),
        "6".to_owned(),
    ];
    let last = [
        format!("45{}-[\"a\"]", "9".repeat(500_000)),
        format!("42[\"{}", "a".repeat(500_000)),
        "49".to_owned(),
        "42[null]".to_owned(),
        "rubbish".to_owned(),
        "\u{0}".to_owned(),
    ];
    for way in Way::ALL {
        let mut client = Sio::guest(&gateway).await;
        if way == Way::Polling {
            client = Sio::connected(&gateway, way, &json!({})).await;
        }
        // A body that is no packets ends a session that polls; that is tested elsewhere.
        let packets = bombs.iter().filter(|it| way == Way::WebSocket || it.starts_with('4'));
        for packet in packets {
            client.send(packet).await;
        }
        while client.ask("join_room", &json!({"room": "den"})).await[0]["position"].is_null() {}
    }
    for packet in &last {
        let mut client = Sio::guest(&gateway).await;
        client.send(packet).await;
        client.ended().await;
    }
    assert!(healthy.ask("join_room", &json!({"room": "den"})).await[0]["position"].is_string());
    let mut big = Sio::guest(&gateway).await;
    big.send(&format!("42[\"message\",{{\"message\":\"{}\"}}]", "x".repeat(1_100_000))).await;
    assert_eq!(big.ended().await.1, (1009, "message too big".to_owned()));
    assert!(healthy.ask("leave_room", &json!({"room": "den"})).await.is_array());
}

#[tokio::test]
async fn who_is_nobody_asks_nothing_on_any_door() {
    let settings = [&JWT[..], &[("rooms.guests", "always")]].concat();
    let gateway = Gateway::start(&settings).await;
    let program = token(json!({"rooms": ["@*"], "channels": ["*"]}));
    let bearer = format!("Bearer {program}");
    let headers = [("Authorization", &*bearer), ("Content-Type", "application/json")];
    let why = "The token names no user; get one with the claim `sub`";
    let body = br#"{"message":"hello"}"#;
    let at = gateway.address();
    let answer = http::send(at, "POST", "/chat/stream", &headers, body).await.unwrap();
    assert_eq!((answer.status, answer.json()), (422, json!({"msg": why})));
    for way in Way::ALL {
        let mut client = Sio::connected(&gateway, way, &json!({"token": program})).await;
        let answer = client.ask("llm_request", &json!({"message": "hello"})).await;
        assert_eq!(answer, json!([{"error": "the question was not accepted"}]));
        assert_eq!(client.expect("error").await, json!({"message": why}));
        // In a named room it is a message, and no question.
        client.ask("join_room", &json!({"room": "den"})).await;
        client.emit("message", &json!({"room": "den", "message": "/ai hello"})).await;
        assert_eq!(client.until("error").await.last().unwrap().1, json!({"message": why}));
        // A guest is let in by the operator, and asks for itself; so does a program with a grant.
        let mut guest = Sio::connected(&gateway, way, &json!({})).await;
        let answer = guest.ask("llm_request", &json!({"message": "hello"})).await;
        assert!(answer[0]["turn"].is_string(), "{answer}");
        let granted = token(json!({"topics": ["user:*"]}));
        let mut granted = Sio::connected(&gateway, way, &json!({"token": granted})).await;
        let answer = granted.ask("llm_request", &json!({"message": "hello"})).await;
        assert!(answer[0]["turn"].is_string(), "{answer}");
    }
}

#[tokio::test]
async fn rates_are_those_of_every_door() {
    let settings = [("limits.publishes_per_second", "2"), ("limits.frames_per_second", "50")];
    let gateway = Gateway::start(&settings).await;
    let mut client = Sio::user(&gateway, "7").await;
    let mut refused = Vec::new();
    for _ in 0..100 {
        let answer = client.ask("message", &json!({"message": "x", "room": "den"})).await;
        refused.extend(answer[0]["error"].as_str().map(str::to_owned));
    }
    let told = |what: &str| refused.iter().any(|it| it.starts_with(what));
    assert!(told("too many publications") && told("too many frames"), "{refused:?}");
    let full = Gateway::start(&[("limits.connections", "1")]).await;
    let _first = Sio::guest(&full).await;
    for way in Way::ALL {
        let answer = Sio::open_with(full.address(), way, "", &[]).await.unwrap_err();
        assert_eq!((answer.status, answer.problem().2.as_str()), (503, "/problems/server-full"));
    }
}

#[tokio::test]
async fn what_cannot_be_read_counts_like_what_can() {
    let gateway = Gateway::start(&[("limits.frames_per_second", "20")]).await;
    let mut client = Sio::user(&gateway, "7").await;
    let flood: Vec<_> =
        ["42[7]", "44{}", "4517-[]"].repeat(100).into_iter().map(str::to_owned).collect();
    client.send_all(&flood).await;
    let mut told = Vec::new();
    while told.len() < flood.len() {
        told.push(client.expect("error").await["message"].to_string());
    }
    let late = told.iter().filter(|it| it.contains("too many frames")).count();
    assert!((1..=flood.len() - 20).contains(&late), "{late}");
    // Others are not concerned, and it is let in again.
    let mut other = Sio::user(&gateway, "8").await;
    assert_eq!(other.settled().await, [""; 0]);
    eventually("room again", async || {
        let answer = client.ask("get_stats", &json!({})).await;
        (answer == json!([])).then_some(())
    })
    .await;
}

#[tokio::test]
async fn no_token_is_repeated_in_an_answer_or_a_log() {
    let settings = [JWT[0], JWT[1], ("log.level", "trace")];
    let gateway = Gateway::start(&settings).await;
    let (good, bad) = (token(json!({"sub": "7"})), format!("{}x", token(json!({"sub": "7"}))));
    let mut seen = Vec::new();
    for shown in [&good, &bad] {
        let (query, bearer) = (format!("&token={shown}"), format!("Bearer {shown}"));
        let at = gateway.address();
        let headers = [("Authorization", &*bearer)];
        for way in Way::ALL {
            for (query, headers) in [(&*query, &[][..]), ("", &headers[..])] {
                let mut client = Sio::open_with(at, way, query, headers).await.unwrap();
                client.send("40").await;
                seen.push(client.packet().await);
            }
            let mut client = Sio::open(&gateway, way).await;
            client.send(&format!("40{}", json!({"token": shown}))).await;
            seen.push(client.packet().await);
        }
        let paths = ["/conversations", "/api/files", "/messages", "/files/x", "/chat/stream"];
        for path in paths {
            for path in [format!("{path}?jwt={shown}"), format!("{path}?token={shown}")] {
                let Response { headers, body, .. } = http::get(at, &path, &[]).await.unwrap();
                seen.push(format!("{headers:?} {body}"));
            }
            let cookie = format!("access_token={shown}");
            let Response { body, .. } = http::get(at, path, &[("Cookie", &*cookie)]).await.unwrap();
            seen.push(body);
        }
    }
    let secret = |text: &String| [&*good, &*bad, SECRET].iter().any(|it| text.contains(it));
    assert!(!seen.iter().any(secret));
    let end = gateway.stop().await;
    let said = [end.stdout, end.stderr].concat();
    assert!(said.len() > 50 && !said.iter().any(secret));
}
