//! Connections end with their token, or go on with a new one.
use e2e::{
    Client, Form, Gateway, Sio, Sse, eventually, http,
    sio::Way,
    token::{JWT, now, token},
};
use serde_json::{Value, json};

fn code(frame: &Value) -> &Value {
    &frame["payload"]["code"]
}

async fn refresh(client: &mut Client, form: Form, token: &str) -> Value {
    client.ask(form, "refresh", json!({"token": token})).await
}

#[tokio::test]
async fn a_connection_ends_with_its_token() {
    let gateway = Gateway::start(&[JWT[0], JWT[1], ("broker.ping_interval", "0s")]).await;
    let mut stays = Client::signed_in(&gateway, &token(json!({"sub": "7"}))).await;
    let mut goes = Client::signed_in(&gateway, &token(json!({"exp": now() + 2}))).await;
    assert_eq!(goes.until_pong().await, Vec::<String>::new());
    assert_eq!(goes.closed().await, (3005, "expired".to_owned()));
    assert_eq!(stays.until_pong().await, Vec::<String>::new());
    let ended =
        gateway.metrics().await.sum("quadrille_connections_ended_total", &[("code", "3005")]);
    assert_eq!(ended, 1);
}

#[tokio::test]
async fn a_new_token_in_any_form_lets_the_connection_go_on() {
    let gateway = Gateway::start(&JWT).await;
    let until = now() + 3;
    let short = token(json!({"sub": "7", "exp": until}));
    let mut clients = Vec::new();
    for _ in Form::ALL {
        clients.push(Client::signed_in(&gateway, &short).await);
    }
    let mut forgetful = Client::signed_in(&gateway, &short).await;
    for (client, form) in clients.iter_mut().zip(Form::ALL) {
        let answer = refresh(client, form, &token(json!({"sub": "7"}))).await;
        let expires = form.body(&answer)["expires"].as_u64().unwrap();
        assert!((3590..=3600).contains(&expires), "{answer}");
        assert_eq!(answer, form.answer("refreshed", json!({"expires": expires})));
    }
    assert_eq!(forgetful.closed().await.0, 3005);
    eventually("the end of the first tokens", async || (now() > until).then_some(())).await;
    for client in &mut clients {
        assert_eq!(client.until_pong().await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_new_token_may_end_sooner() {
    let gateway = Gateway::start(&JWT).await;
    let mut client = Client::signed_in(&gateway, &token(json!({"sub": "7"}))).await;
    refresh(&mut client, Form::Action, &token(json!({"sub": "7", "exp": now() + 1}))).await;
    assert_eq!(client.closed().await.0, 3005);
}

#[tokio::test]
async fn connections_outlive_their_tokens_where_it_is_said() {
    let settings = [&JWT[..], &[("auth.jwt.expired_connections", "keep")]].concat();
    let gateway = Gateway::start(&settings).await;
    let short =
        || token(json!({"sub": "7", "channels": ["a"], "rooms": ["@den"], "exp": now() + 2}));
    let query = format!("topic=a&token={}", short());
    let mut events = Sse::open(&gateway, &query, None).await;
    let mut broker = Client::signed_in(&gateway, &short()).await;
    broker.subscribe("a").await;
    let mut rooms = Vec::new();
    for way in Way::ALL {
        rooms.push(Sio::connected(&gateway, way, &json!({"token": short()})).await);
    }
    let ended = token(json!({"sub": "7", "exp": now() + 2}));
    eventually("the token to end", async || {
        let bearer = format!("Bearer {ended}");
        let headers = [("Authorization", &*bearer)];
        let answer = http::get(gateway.address(), "/conversations", &headers).await.unwrap();
        (answer.status == 401).then_some(())
    })
    .await;
    // A new connection with it is none.
    let mut late = Sio::open(&gateway, Way::WebSocket).await;
    late.send(&format!("40{}", json!({"token": ended}))).await;
    assert!(late.packet().await.starts_with("44{"), "it has expired");
    let mut writer = Client::signed_in(&gateway, &token(json!({"topics": ["*"]}))).await;
    writer.publish("a", &json!({"n": 1})).await;
    assert_eq!(broker.next_json().await["payload"], json!({"n": 1}));
    assert_eq!(events.data("message").await["payload"], json!({"n": 1}));
    for client in &mut rooms {
        let joined = client.ask("join_room", &json!({"room": "den"})).await;
        assert!(joined[0]["position"].is_string(), "{joined}");
    }
}

#[tokio::test]
async fn a_bad_token_changes_nothing() {
    let gateway = Gateway::start(&JWT).await;
    let first = token(json!({"sub": "7", "channels": ["a"], "exp": now() + 4}));
    let mut client = Client::signed_in(&gateway, &first).await;
    client.subscribe("a").await;
    let past = token(json!({"sub": "7", "exp": now() - 60}));
    for bad in ["", "rubbish", &past] {
        assert_eq!(*code(&refresh(&mut client, Form::Envelope, bad).await), "bad_token");
    }
    for fields in [json!({}), json!({"token": 7}), json!({"token": null})] {
        let answer = client.ask(Form::Envelope, "refresh", fields).await;
        assert_eq!(*code(&answer), "bad_token", "{answer}");
    }
    for other in [json!({"sub": "8"}), json!({})] {
        let answer = refresh(&mut client, Form::Envelope, &token(other)).await;
        assert_eq!(*code(&answer), "not_allowed", "{answer}");
    }
    client.subscribe("a").await;
    let answer = client.ask(Form::Action, "presence", json!({"channel": "a"})).await;
    assert_eq!(answer["members"][0]["user"], "7");
    assert_eq!(client.closed().await.0, 3005);
}

#[tokio::test]
async fn what_the_new_token_does_not_grant_is_over() {
    let gateway = Gateway::start(&JWT).await;
    let first = token(json!({"sub": "7", "channels": ["a", "b"], "rooms": ["1"]}));
    let mut client = Client::signed_in(&gateway, &first).await;
    let all = ["a", "chan:b", "room:1", "user:7"];
    for channel in all {
        client.subscribe(channel).await;
    }
    client.publish("b", &json!(1)).await;
    let second = token(json!({"sub": "7", "channels": {"read": ["a", "c"], "write": []}}));
    let answer = refresh(&mut client, Form::FlatType, &second).await;
    assert_eq!(answer["type"], "refreshed");
    let ended = |channel: &str| Form::Envelope.answer("unsubscribed", json!({"channel": channel}));
    let mut told = [client.next_json().await, client.next_json().await];
    told.sort_by_key(Value::to_string);
    assert_eq!(told, [ended("b"), ended("room:1")]);
    // The channel published to last is asked about again.
    client.publish("b", &json!(2)).await;
    client.publish("a", &json!(2)).await;
    assert_eq!(client.until_pong().await.len(), 2, "two refusals");
    let mut watcher = Client::signed_in(&gateway, &token(json!({"topics": ["*"]}))).await;
    for channel in all {
        watcher.publish(channel, &json!("after")).await;
    }
    for (channel, count) in [("a", 1), ("b", 0), ("room:1", 0), ("user:7", 1)] {
        let answer = watcher.ask(Form::Action, "presence", json!({"channel": channel})).await;
        assert_eq!(answer["count"], count, "{channel}");
    }
    let mut frames = client.until_pong().await;
    frames.sort();
    let expected = ["a", "user:7"].map(|it| json!({"channel": it, "payload": "after"}));
    let frames: Vec<Value> = frames.iter().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(frames, expected);
    client.subscribe("c").await;
    // And with the third it may come back.
    refresh(&mut client, Form::Action, &first).await;
    assert_eq!(client.next_json().await, ended("c"));
    client.subscribe("b").await;
}

#[tokio::test]
async fn in_open_mode_without_keys_there_is_nothing_to_refresh() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    let answer = refresh(&mut client, Form::Action, "anything").await;
    assert_eq!(answer, json!({"action": "refreshed"}));
    // It is a word like any other where it is not a command.
    client.subscribe("refresh").await;
    let mut writer = Client::connect(&gateway).await;
    writer.send_json(&json!({"type": "refresh", "payload": {"rate": 60}})).await;
    assert_eq!(client.next_json().await, json!({"type": "refresh", "payload": {"rate": 60}}));
}
