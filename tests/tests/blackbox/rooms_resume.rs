//! Where a client left off, other topics of the gateway, and one turn at every door at once.
use e2e::{
    Client, Gateway, Sio, Sse,
    database::Database,
    fake::cat::{Cat, Step},
    relay,
    sio::Way,
    token::{JWT, token},
};
use serde_json::{Value, json};

/// The positions of events that carry one.
fn positions(events: &[(String, Value)]) -> Vec<String> {
    let position = |it: &Value| it["position"].as_str().expect("a position").to_owned();
    events.iter().map(|(_, it)| position(it)).collect()
}

async fn send(client: &mut Sio, conversation: i64, text: &str) {
    let message = json!({"conversation_id": conversation, "message": text});
    client.emit("send_message", &message).await;
}

#[tokio::test]
async fn the_answers_of_a_conversation_have_the_members_that_clients_know() {
    let database = Database::new().await;
    let id = database.conversation("7").await;
    let gateway = Gateway::start(&[database.setting()]).await;
    let mut client = Sio::open(&gateway, Way::WebSocket).await;
    client.send(r#"40{"user_id":7}"#).await;
    assert!(client.packet().await.starts_with("40{"));
    let hello = json!({
        "status": "success", "message": "Connected to chat server", "user_id": "7",
    });
    assert_eq!(client.expect("connected").await, hello);
    client.expect("status").await;
    let ack = client.ask("join_room", &json!({"conversation_id": id})).await;
    let joined = json!({
        "conversation_id": id, "room": format!("conversation_{id}"),
        "message": "Joined conversation: Katzen", "position": ack[0]["position"],
    });
    assert_eq!(client.expect("joined_room").await, joined);
    send(&mut client, id, "a b").await;
    let events = client.until("ai_response_complete").await;
    let turn = &events[0].1["turn"];
    assert!(turn.is_string());
    for (name, event) in &events {
        let at = (&event["timestamp"], &event["created_at"], &event["message_id"]);
        let expected = match name.as_str() {
            "new_message" => json!({
                "message_id": at.2, "role": "user", "sender": "user", "content": "a b",
                "timestamp": at.0, "created_at": at.1, "conversation_id": id, "user_id": 7,
                "turn": turn,
            }),
            "ai_thinking" => json!({"conversation_id": id, "turn": turn}),
            "ai_response_chunk" => json!({
                "chunk": event["chunk"], "start": event["start"], "conversation_id": id,
                "turn": turn,
            }),
            _ => json!({
                "message_id": at.2, "role": "assistant", "sender": "assistant", "content": "a b",
                "timestamp": at.0, "created_at": at.1, "conversation_id": id, "turn": turn,
            }),
        };
        assert_eq!(*event, expected, "{name}");
    }
    assert_eq!(client.ask("leave_room", &json!({"conversation_id": id})).await, json!([]));
    let left = json!({"conversation_id": id, "message": "Left conversation"});
    assert_eq!(client.expect("left_room").await, left);
    // From now on it sees nothing, not even what it says itself.
    let receipt = client.ask("send_message", &json!({"conversation_id": id, "message": "c"})).await;
    assert!(receipt[0]["message_id"].is_i64(), "{receipt}");
    let ack = client.ask("join_room", &json!({"conversation_id": id})).await;
    assert_ne!(ack[0]["position"], joined["position"]);
    assert_eq!(client.expect("joined_room").await["position"], ack[0]["position"]);
}

#[tokio::test]
async fn who_comes_back_gets_what_it_missed_once_and_in_order() {
    let database = Database::new().await;
    let id = database.conversation("7").await;
    let gateway = Gateway::start(&[database.setting()]).await;
    let mut stays = Sio::user(&gateway, "7").await;
    let join = json!({"conversation_id": id, "positions": true});
    let begin = stays.ask("join_room", &join).await[0]["position"].clone();
    stays.expect("joined_room").await;
    for text in ["one two three", "four", "five six"] {
        send(&mut stays, id, text).await;
    }
    let mut all = Vec::new();
    for _ in 0..3 {
        all.extend(stays.until("ai_response_complete").await);
    }
    let seen = positions(&all);
    let mut sorted = seen.clone();
    sorted.sort_by_key(|it| it.split_once('-').and_then(|(_, n)| n.parse::<u64>().ok()));
    sorted.dedup();
    assert_eq!(seen, sorted, "each has a place of its own");
    let ways = Way::ALL.into_iter().cycle();
    let since = std::iter::once(begin).chain(seen.iter().map(|it| json!(it)));
    for ((n, since), way) in since.enumerate().zip(ways) {
        let mut back = Sio::connected(&gateway, way, &json!({"user_id": 7})).await;
        let join = json!({"conversation_id": id, "positions": true, "since": since});
        assert_eq!(back.ask("join_room", &join).await[0]["position"], since);
        back.expect("joined_room").await;
        for event in all.iter().skip(n) {
            assert_eq!(back.event().await, *event, "after {n}");
        }
        assert_eq!(back.settled().await, [""; 0]);
    }
    // Without positions the events are the same but for them.
    let mut back = Sio::user(&gateway, "7").await;
    back.ask("join_room", &json!({"conversation_id": id, "since": seen[0]})).await;
    back.expect("joined_room").await;
    for (name, event) in all.iter().skip(1) {
        let mut event = event.clone();
        event.as_object_mut().expect("an object").remove("position");
        assert_eq!(back.event().await, (name.clone(), event));
    }
}

#[tokio::test]
async fn a_named_room_resumes_as_well_and_says_what_is_gone() {
    let gateway = Gateway::start(&[("topics.room.events", "4")]).await;
    let mut talker = Sio::guest(&gateway).await;
    let join = json!({"room": "den", "positions": true});
    let begin = talker.ask("join_room", &join).await[0]["position"].clone();
    talker.expect("room_joined").await;
    let mut at = Vec::new();
    for n in 0..10 {
        talker.ask("message", &json!({"room": "den", "message": n})).await;
        at.push(talker.expect("new_message").await["position"].clone());
    }
    let mut back = Sio::guest(&gateway).await;
    let back_at = |since: &Value| json!({"room": "den", "positions": true, "since": since});
    back.ask("join_room", &back_at(&at[7])).await;
    back.expect("room_joined").await;
    for n in [8, 9] {
        let event = back.expect("new_message").await;
        assert_eq!((&event["message"], &event["position"]), (&json!(n), &at[n]));
    }
    // Further back than the log, and in the time before the gateway was started.
    for (since, missed) in [(&begin, json!(8)), (&json!("1-1"), Value::Null)] {
        let mut late = Sio::guest(&gateway).await;
        late.ask("join_room", &back_at(since)).await;
        late.expect("room_joined").await;
        let gap = late.expect("gap").await;
        assert_eq!((&gap["room"], &gap["topic"]), (&json!("den"), &json!("room:@den")));
        assert!(missed.is_null() == gap["missed"].is_null(), "{gap}");
        // It goes on after the place that the gap names.
        let first = late.event().await.1;
        let place = |it: &Value| -> u64 {
            let text = it["position"].as_str().and_then(|it| it.split_once('-'));
            text.expect("a position").1.parse().expect("a number")
        };
        assert_eq!(place(&gap) + 1, place(&first), "{gap} {first}");
    }
}

#[tokio::test]
async fn any_topic_can_be_watched_with_positions_and_from_one_on() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Sio::guest(&gateway).await;
    let mut broker = Client::connect(&gateway).await;
    for (topic, full) in [("demo", "chan:demo"), ("chan:two", "chan:two"), ("user:7", "user:7")] {
        let ack = client.ask("watch", &json!({"topic": topic, "positions": true})).await;
        let answer = client.expect("watching").await;
        assert_eq!((&answer, answer["topic"].as_str()), (&ack[0], Some(full)));
        let payloads = [json!({"a": 1.5, "position": "mine"}), json!("text"), json!([1])];
        for payload in &payloads {
            broker.publish(full, payload).await;
        }
        let mut seen = Vec::new();
        for payload in &payloads {
            let event = client.expect("message").await;
            assert_eq!(event["topic"], full);
            let shown = if payload.is_object() { &event["a"] } else { &event["data"] };
            assert_eq!(shown, if payload.is_object() { &payload["a"] } else { payload });
            seen.push(event["position"].clone());
        }
        let mut late = Sio::guest(&gateway).await;
        late.ask("watch", &json!({"topic": full, "since": answer["position"]})).await;
        late.expect("watching").await;
        for payload in &payloads {
            let event = late.expect("message").await;
            let shown = if payload.is_object() { &event["a"] } else { &event["data"] };
            assert_eq!(shown, if payload.is_object() { &payload["a"] } else { payload });
        }
        let since = json!({"topic": full, "since": seen[1], "positions": true});
        late.ask("watch", &since).await;
        late.expect("watching").await;
        let event = late.expect("message").await;
        assert_eq!((&event["data"], &event["position"]), (&payloads[2], &seen[2]));
        client.ask("unwatch", &json!({"topic": topic})).await;
        assert_eq!(client.expect("unwatched").await, json!({"topic": full}));
        broker.publish(full, &json!("unseen")).await;
        assert_eq!(late.expect("message").await["data"], "unseen");
        assert_eq!(client.settled().await, [""; 0]);
    }
    let refused = [json!({}), json!({"topic": ""}), json!({"topic": 7}), json!({"topic": "room:"})];
    for payload in refused {
        let answer = client.ask("watch", &payload).await;
        assert!(answer[0]["error"].is_string(), "{payload}: {answer}");
        client.expect("error").await;
    }
}

#[tokio::test]
async fn a_token_opens_what_it_grants_and_a_new_one_may_take_it_away() {
    let database = Database::new().await;
    let (mine, theirs) = (database.conversation("7").await, database.conversation("8").await);
    let gateway = Gateway::start(&[&JWT[..], &[database.setting()]].concat()).await;
    let granted = json!({"sub": "7", "channels": ["a"], "rooms": [theirs.to_string(), "@den"]});
    let auth = json!({"token": token(granted.clone())});
    let mut client = Sio::connected(&gateway, Way::WebSocket, &auth).await;
    let joins = [
        ("join_room", json!({"conversation_id": mine})),
        ("join_room", json!({"conversation_id": theirs})),
        ("join_room", json!({"room": "den"})),
        ("watch", json!({"topic": "a"})),
        ("watch", json!({"topic": "user:7"})),
    ];
    for (name, payload) in &joins {
        let answer = client.ask(name, payload).await;
        assert!(answer[0]["position"].is_string(), "{payload}: {answer}");
        client.event().await;
    }
    for (name, payload) in [
        ("join_room", json!({"room": "other"})),
        ("message", json!({"room": "other", "message": "m"})),
        ("watch", json!({"topic": "b"})),
        ("watch", json!({"topic": "user:8"})),
        ("watch", json!({"topic": "room:@other"})),
        ("broadcast", json!({"message": "m"})),
    ] {
        let answer = client.ask(name, &payload).await;
        assert!(answer[0]["error"].is_string(), "{payload}: {answer}");
        client.expect("error").await;
    }
    let less = json!({"token": token(json!({"sub": "7"}))});
    client.ask("auth_refresh", &less).await;
    let mut told = Vec::new();
    for (name, argument) in client.until("auth_refreshed").await {
        told.push(format!("{name} {argument}"));
    }
    assert!(told.pop().is_some_and(|it| it.starts_with("auth_refreshed ")));
    told.sort();
    let expected = [
        format!("left_room {}", json!({"conversation_id": theirs})),
        r#"unwatched {"topic":"chan:a"}"#.to_owned(),
        r#"unwatched {"topic":"room:@den"}"#.to_owned(),
    ];
    assert_eq!(told, expected);
    // What is left is as it was.
    send(&mut client, mine, "still").await;
    let last = client.until("ai_response_complete").await.pop().expect("an end");
    assert_eq!(last.1["content"], "still");
    // Who it is follows from the token, whatever a message says.
    let stored = database.messages(mine).await;
    assert_eq!(stored[0].user_id.as_deref(), Some("7"));
}

#[tokio::test]
async fn one_turn_is_the_same_at_every_door() {
    let cat = Cat::start().await;
    let database = Database::new().await;
    let id = database.conversation("7").await;
    let gateway = relay::gateway(&cat, &[database.setting()]).await;
    let topic = format!("room:{id}");
    let mut socket = Sio::user(&gateway, "7").await;
    let mut poll = Sio::connected(&gateway, Way::Polling, &json!({"user_id": 7})).await;
    let join = json!({"conversation_id": id, "positions": true});
    for client in [&mut socket, &mut poll] {
        client.ask("join_room", &join).await;
        client.expect("joined_room").await;
    }
    let mut events = Sse::open(&gateway, &format!("topic={topic}"), None).await;
    let mut broker = Client::connect(&gateway).await;
    broker.subscribe_with(json!({"channel": topic, "positions": true})).await;
    let tokens = ["Grüß ", "Gott", " 🐈\u{200d}⬛"].map(Step::token);
    cat.next([&tokens[..], &[Step::reply("Grüß Gott 🐈\u{200d}⬛")]].concat());
    let body = json!({"user_id": "7", "message": "?", "topic": topic});
    let answer = relay::post(&gateway, "/send", &[], &body).await;
    assert_eq!(answer.json(), json!({"response": "Grüß Gott 🐈\u{200d}⬛"}));
    let turn = answer.header("quadrille-turn");
    let seen = socket.until("ai_response_complete").await;
    assert_eq!(poll.until("ai_response_complete").await, seen);
    let (name, last) = seen.last().expect("an end");
    assert_eq!(
        (last["content"].as_str(), last["turn"].as_str()),
        (answer.json()["response"].as_str(), turn)
    );
    assert_eq!(name, "ai_response_complete");
    assert_eq!(answer.header("quadrille-position"), last["position"].as_str());
    // The same records as they are in the log.
    let kinds = |name: &str| match name {
        "ai_thinking" => "turn.started",
        "ai_response_chunk" => "turn.delta",
        "ai_response_complete" => "turn.completed",
        other => panic!("{other} is no event of a turn"),
    };
    for (name, event) in &seen {
        let record = events.next().await.expect("an event");
        assert_eq!(event["position"], record.id.as_str());
        let payload = record.json()["payload"].take();
        if name == "new_message" {
            assert_eq!(record.kind, *name);
            continue;
        }
        assert_eq!(record.kind, kinds(name));
        match name.as_str() {
            "ai_response_chunk" => {
                assert_eq!(
                    [&event["chunk"], &event["start"]],
                    [&payload["text"], &payload["start"]]
                );
            }
            "ai_response_complete" => assert_eq!(event["content"], payload["text"]),
            _ => {}
        }
    }
    // And at the broker, which tells the text so far.
    let mut places = Vec::new();
    loop {
        let frame = broker.next_json().await;
        places.push(frame["position"].as_str().expect("a position").to_owned());
        if frame["payload"]["final_message"] == true {
            assert_eq!(frame["payload"]["message"], last["content"]);
            break;
        }
    }
    places.dedup();
    assert_eq!(places, positions(&seen));
}
