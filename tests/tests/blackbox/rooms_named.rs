//! Rooms that have a name and no memory: who is told what, and who is not.
use e2e::{
    Gateway, Sio, eventually,
    fake::{
        model::{delta, stream},
        upstream::{Script, Step, Upstream},
    },
    sio::Way,
};
use serde_json::{Value, json};

/// Joins a room and gives how many are in it.
async fn join(client: &mut Sio, room: &str) -> Value {
    client.ask("join_room", &json!({"room": room})).await;
    let mut joined = client.expect("room_joined").await;
    let fields = joined.as_object_mut().expect("an object");
    assert!(fields.remove("position").is_some_and(|it| it.is_string()));
    assert_eq!(joined, json!({"room": room, "user_count": joined["user_count"]}));
    joined["user_count"].clone()
}

/// Takes away when it was, which must be about now and in seconds.
fn untimed(mut event: Value) -> Value {
    let fields = event.as_object_mut().expect("an object");
    let at = fields.remove("timestamp").and_then(|it| it.as_f64()).expect("a time");
    let now = e2e::token::now();
    #[expect(clippy::cast_precision_loss, reason = "exact for a long time")]
    let age = now as f64 - at;
    assert!((-2.0..60.0).contains(&age), "{age} s ago");
    event
}

async fn say(client: &mut Sio, room: &str, text: &str) {
    let answer = client.ask("message", &json!({"room": room, "message": text})).await;
    assert_eq!(answer, json!([]));
}

fn message(room: &str, text: &str) -> Value {
    json!({"user": "Anonymous", "message": text, "room": room})
}

async fn with_model(model: &Upstream) -> Gateway {
    let url = model.url("/v1");
    let settings = [
        ("agents.default", "gpt"),
        ("agents.gpt.kind", "openai"),
        ("agents.gpt.url", &*url),
        ("agents.gpt.model", "m"),
    ];
    Gateway::start(&settings).await
}

#[tokio::test]
async fn who_comes_is_told_to_all_and_who_goes_to_those_who_stay() {
    let gateway = Gateway::start(&[]).await;
    let (mut a, mut b) = (Sio::guest(&gateway).await, Sio::guest(&gateway).await);
    let mut c = Sio::connected(&gateway, Way::Polling, &json!({})).await;
    assert_eq!(join(&mut a, "den").await, 1);
    assert_eq!(join(&mut b, "den").await, 2);
    assert_eq!(join(&mut c, "den").await, 3);
    for (client, counts) in [(&mut a, &[2, 3][..]), (&mut b, &[3])] {
        for user_count in counts {
            let told = json!({"room": "den", "user_count": user_count});
            assert_eq!(client.expect("room_joined").await, told);
        }
    }
    assert_eq!(c.ask("leave_room", &json!({"room": "den"})).await, json!([]));
    let told = json!({"room": "den", "user_count": 2});
    for client in [&mut a, &mut b] {
        assert_eq!(client.expect("room_left").await, told);
    }
    // What comes after it in the room, it does not see either.
    say(&mut a, "den", "gone").await;
    for client in [&mut a, &mut b] {
        assert_eq!(untimed(client.expect("new_message").await), message("den", "gone"));
    }
    assert_eq!(join(&mut c, "other").await, 1);
    assert_eq!(c.settled().await, [""; 0]);
    // Who is in no room cannot leave it, and who comes twice counts once.
    c.ask("leave_room", &json!({"room": "den"})).await;
    assert_eq!(join(&mut b, "den").await, 2);
    assert_eq!(a.expect("room_joined").await, json!({"room": "den", "user_count": 2}));
}

#[tokio::test]
async fn who_names_no_room_is_in_general() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Sio::guest(&gateway).await;
    client.emit("join_room", &json!({})).await;
    let joined = client.expect("room_joined").await;
    assert_eq!((&joined["room"], &joined["user_count"]), (&json!("general"), &json!(1)));
    client.emit("message", &json!({})).await;
    assert_eq!(untimed(client.expect("new_message").await), message("general", ""));
    let mut other = Sio::guest(&gateway).await;
    other.emit("typing", &json!({"user_name": "Ada", "is_typing": true})).await;
    let typing = json!({"user": "Ada", "is_typing": true});
    assert_eq!(client.expect("user_typing").await, typing);
    client.emit("leave_room", &json!({})).await;
    client.ask("get_stats", &json!({})).await;
    assert_eq!(client.expect("stats").await["rooms"], json!({}));
}

#[tokio::test]
async fn a_message_is_for_who_has_joined_the_sender_too() {
    let gateway = Gateway::start(&[]).await;
    let (mut inside, mut outside) = (Sio::guest(&gateway).await, Sio::guest(&gateway).await);
    join(&mut inside, "den").await;
    join(&mut outside, "elsewhere").await;
    let said = json!({"message": "hello", "room": "den", "user_name": "Ada", "more": 1});
    outside.ask("message", &said).await;
    let mut expected = message("den", "hello");
    expected["user"] = "Ada".into();
    assert_eq!(untimed(inside.expect("new_message").await), expected);
    say(&mut inside, "den", "back").await;
    assert_eq!(untimed(inside.expect("new_message").await), message("den", "back"));
    // Nothing of the kind came to who only spoke there.
    say(&mut outside, "elsewhere", "mine").await;
    assert_eq!(untimed(outside.expect("new_message").await), message("elsewhere", "mine"));
    // What is said is between the clients: any value, to the last digit.
    let odd =
        r#"42["message",{"room":"den","user_name":{"id":1.50},"message":12345678901234567890}]"#;
    inside.send(odd).await;
    let packet = inside.packet().await;
    let begin = r#"42["new_message",{"user":{"id":1.50},"message":12345678901234567890,"#;
    assert!(packet.starts_with(begin), "{packet}");
}

#[tokio::test]
async fn typing_is_told_to_the_others_and_is_no_message() {
    let gateway = Gateway::start(&[]).await;
    let (mut a, mut b) = (Sio::guest(&gateway).await, Sio::guest(&gateway).await);
    join(&mut a, "den").await;
    join(&mut b, "den").await;
    a.expect("room_joined").await;
    for is_typing in [true, false] {
        let typing = json!({"room": "den", "user_name": "Ada", "is_typing": is_typing});
        a.ask("typing", &typing).await;
        let told = json!({"user": "Ada", "is_typing": is_typing});
        assert_eq!(b.expect("user_typing").await, told);
    }
    for nameless in [json!({"room": "den"}), json!({"room": "den", "user_name": null})] {
        a.ask("typing", &nameless).await;
        let told = json!({"user": "Anonymous", "is_typing": false});
        assert_eq!(b.expect("user_typing").await, told);
    }
    say(&mut b, "den", "after").await;
    assert_eq!(untimed(a.expect("new_message").await), message("den", "after"));
}

#[tokio::test]
async fn a_question_in_a_message_is_answered_to_who_asked_alone() {
    let gateway = Gateway::start(&[]).await;
    let (mut a, mut b) = (Sio::guest(&gateway).await, Sio::guest(&gateway).await);
    join(&mut a, "den").await;
    join(&mut b, "den").await;
    a.expect("room_joined").await;
    say(&mut a, "den", "/ai what is new").await;
    let mut told = [a.event().await, a.event().await];
    told.sort_by_key(|(name, _)| name.clone());
    let [(answer, reply), (shown, question)] = told;
    assert_eq!((answer.as_str(), shown.as_str()), ("ai_response", "new_message"));
    assert_eq!(untimed(question), message("den", "/ai what is new"));
    let mut reply = untimed(reply);
    assert!(reply["turn"].take().is_string());
    assert_eq!(reply, json!({"message": "AI Response: what is new", "turn": null}));
    say(&mut a, "den", "after").await;
    for text in ["/ai what is new", "after"] {
        assert_eq!(untimed(b.expect("new_message").await), message("den", text));
    }
    assert_eq!(untimed(a.expect("new_message").await), message("den", "after"));
}

#[tokio::test]
async fn a_request_is_answered_token_by_token_to_the_caller_alone() {
    let tokens = ["Es ", "war ", "ein", "mal\n", " 🐈"];
    let model = Upstream::start(Script::sse(&stream(&tokens))).await;
    let gateway = with_model(&model).await;
    let (mut a, mut b) = (Sio::guest(&gateway).await, Sio::guest(&gateway).await);
    join(&mut a, "den").await;
    join(&mut b, "den").await;
    a.expect("room_joined").await;
    let request = json!({"message": "Erzähl!", "intelligence_level": "super"});
    let turn = a.ask("llm_request", &request).await[0]["turn"].clone();
    assert!(turn.is_string());
    let events = a.until("llm_complete").await;
    let (last, parts) = events.split_last().expect("an end");
    let mut text = String::new();
    for (name, part) in parts {
        assert_eq!(name, "llm_token");
        let token = part["token"].as_str().expect("a text");
        let start = text.chars().count();
        assert_eq!(*part, json!({"token": token, "start": start, "turn": turn}));
        text.push_str(token);
    }
    assert_eq!(text, tokens.concat());
    let end = json!({"message": "Response complete", "text": text, "turn": turn});
    assert_eq!(untimed(last.1.clone()), end);
    say(&mut b, "den", "after").await;
    for client in [&mut a, &mut b] {
        assert_eq!(untimed(client.expect("new_message").await), message("den", "after"));
    }
    let asked = model.only();
    let messages = asked.body["messages"].as_array().expect("a list").last().cloned();
    assert_eq!(messages, Some(json!({"role": "user", "content": "Erzähl!"})));
}

#[tokio::test]
async fn a_request_that_fails_or_is_cancelled_is_told_so() {
    let model = Upstream::start(Script::whole("500 Oops", "", "geheim")).await;
    let gateway = with_model(&model).await;
    let mut client = Sio::guest(&gateway).await;
    let request = json!({"message": "Hi"});
    let turn = client.ask("llm_request", &request).await[0]["turn"].clone();
    let error = client.expect("error").await;
    assert_eq!(error["turn"], turn);
    assert_eq!(error["message"], "Sorry, I encountered an error: the agent failed");
    let begun = delta(&json!({"content": "Es war"}));
    model.play(Script::stream().chunk(&begun).then(Step::Silence));
    let turn = client.ask("llm_request", &request).await[0]["turn"].clone();
    assert_eq!(client.expect("llm_token").await["token"], "Es war");
    // Nobody else can end it by saying so.
    let mut other = Sio::guest(&gateway).await;
    let answer = other.ask("cancel", &json!({"turn": turn})).await;
    assert_eq!(answer, json!([{"error": "no turn runs there"}]));
    assert_eq!(client.ask("cancel", &json!({})).await, json!([{"turns": [turn]}]));
    let end = untimed(client.expect("llm_complete").await);
    let expected = json!({
        "message": "Response cancelled", "text": "Es war", "turn": turn, "cancelled": true,
    });
    assert_eq!(end, expected);
    model.left(1).await;
    let answer = client.ask("llm_request", &json!({"message": " "})).await;
    assert!(answer[0]["error"].is_string(), "{answer}");
    assert_eq!(client.expect("error").await, json!({"message": "Message text is required"}));
}

#[tokio::test]
async fn everybody_hears_a_broadcast() {
    let gateway = Gateway::start(&[]).await;
    let mut all = vec![Sio::guest(&gateway).await, Sio::user(&gateway, "7").await];
    all.push(Sio::connected(&gateway, Way::Polling, &json!({})).await);
    join(&mut all[0], "den").await;
    all[2].ask("broadcast", &json!({"message": "hear!"})).await;
    for client in &mut all {
        let told = untimed(client.expect("broadcast_message").await);
        assert_eq!(told, json!({"message": "hear!"}));
    }
    // Who has left the namespace is nobody.
    all[0].send("41").await;
    all[1].ask("broadcast", &json!({})).await;
    assert_eq!(untimed(all[1].expect("broadcast_message").await), json!({"message": ""}));
    let mut gone = all.swap_remove(0);
    gone.send("1").await;
    assert_eq!(gone.ended().await, (Vec::new(), (1000, String::new())));
}

#[tokio::test]
async fn who_disconnects_is_counted_no_more_and_nobody_is_told() {
    let gateway = Gateway::start(&[]).await;
    let mut stays = Sio::guest(&gateway).await;
    join(&mut stays, "den").await;
    let ways: [&[&str]; 3] = [&["41"], &["1"], &[]];
    for goodbye in ways {
        let mut goes = Sio::guest(&gateway).await;
        assert_eq!(join(&mut goes, "den").await, 2);
        stays.expect("room_joined").await;
        for packet in goodbye {
            goes.send(packet).await;
        }
        if goodbye != ["41"] {
            drop(goes);
        }
        let alone = json!({"active_users": 1, "rooms": {"den": 1}, "total_connections": 1});
        eventually("it to be gone", async || {
            stays.ask("get_stats", &Value::Null).await;
            (stays.expect("stats").await == alone).then_some(())
        })
        .await;
        say(&mut stays, "den", "after").await;
        assert_eq!(untimed(stays.expect("new_message").await), message("den", "after"));
    }
}

#[tokio::test]
async fn a_connection_has_only_so_many_rooms_and_names_have_bounds() {
    let gateway = Gateway::start(&[("rooms.max_rooms", "3")]).await;
    let mut client = Sio::guest(&gateway).await;
    for room in ["a", "b", "c"] {
        join(&mut client, room).await;
    }
    let answer = client.ask("join_room", &json!({"room": "d"})).await;
    let why = "this connection is in 3 rooms already; leave one first";
    assert_eq!(answer, json!([{"error": why}]));
    assert_eq!(client.expect("error").await, json!({"message": why}));
    client.ask("leave_room", &json!({"room": "a"})).await;
    for room in ["", "a\nb", &"n".repeat(300)] {
        let answer = client.ask("join_room", &json!({"room": room})).await;
        assert!(answer[0]["error"].is_string(), "{room:?}: {answer}");
        client.expect("error").await;
    }
    // A name is a name, whatever it looks like.
    let odd = "@42: ünï \"x\"";
    assert_eq!(join(&mut client, odd).await, 1);
    say(&mut client, odd, "m").await;
    assert_eq!(untimed(client.expect("new_message").await), message(odd, "m"));
    client.ask("get_stats", &json!({})).await;
    assert_eq!(client.expect("stats").await["rooms"], json!({"b": 1, "c": 1, odd: 1}));
}
