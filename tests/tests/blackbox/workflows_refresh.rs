//! A watcher of a chat is closed when its token expires, or goes on with a new one.
use e2e::{
    Client, Gateway, eventually, http,
    token::{JWT, now, token},
};
use serde_json::{Value, json};

async fn watch(gateway: &Gateway, token: &str, chat: &str) -> Client {
    let mut client = Client::at(gateway, &format!("/chat/{chat}?token={token}")).await;
    let connected = client.next_json().await;
    assert_eq!((&connected["type"], &connected["chat_id"]), (&json!("connected"), &json!(chat)));
    client
}

async fn refresh(client: &mut Client, token: &Value) -> Value {
    client.send_json(&json!({"type": "refresh", "token": token})).await;
    client.next_json().await
}

/// A token of Ann for these topics, with an end if there is one.
fn of_ann(topics: &[&str], exp: Option<u64>) -> String {
    let mut claims = json!({"sub": "ann", "topics": topics});
    if let Some(exp) = exp {
        claims["exp"] = exp.into();
    }
    token(claims)
}

#[tokio::test]
async fn a_new_token_lets_who_watches_go_on() {
    let gateway = Gateway::start(&JWT).await;
    let until = now() + 3;
    let short = of_ann(&["chat:a"], Some(until));
    let mut goes_on = watch(&gateway, &short, "a").await;
    let mut forgetful = watch(&gateway, &short, "a").await;
    let long = of_ann(&["chat:a"], None);
    let answer = refresh(&mut goes_on, &json!(long)).await;
    let expires = answer["expires"].as_u64().unwrap();
    assert!((3590..=3600).contains(&expires), "{answer}");
    assert_eq!(answer, json!({"type": "refreshed", "expires": expires}));
    assert_eq!(forgetful.closed().await.0, 3005);
    eventually("the end of the first token", async || (now() > until).then_some(())).await;
    let mut writer = Client::signed_in(&gateway, &long).await;
    writer.publish("chat:a", &json!("after")).await;
    assert_eq!(goes_on.next_json().await["data"], "after");
}

#[tokio::test]
async fn a_bad_token_leaves_who_watches_as_they_were() {
    let gateway = Gateway::start(&JWT).await;
    let first = of_ann(&["chat:a"], None);
    let mut client = watch(&gateway, &first, "a").await;
    let [past, other] =
        [json!({"sub": "ann", "exp": now() - 60}), json!({"sub": "bob"})].map(token);
    for (bad, message) in [
        (json!("rubbish"), "the token is not a signed JWT"),
        (json!(past), "the token has expired; get a new one"),
        (json!(other), "the token belongs to another user; open another connection for it"),
        (json!(7), "refresh needs `token`, a text"),
        (json!(null), "refresh needs `token`, a text"),
    ] {
        let answer = refresh(&mut client, &bad).await;
        assert_eq!(answer, json!({"type": "error", "message": message}), "{bad}");
    }
    let mut writer = Client::signed_in(&gateway, &first).await;
    writer.publish("chat:a", &json!("still")).await;
    assert_eq!(client.next_json().await["data"], "still");
}

#[tokio::test]
async fn a_chat_that_the_new_token_does_not_open_is_left() {
    let gateway = Gateway::start(&JWT).await;
    let all = of_ann(&["chat:a", "chat:b"], None);
    let mut client = watch(&gateway, &all, "a").await;
    let less = of_ann(&["chat:b"], None);
    assert_eq!(refresh(&mut client, &json!(less)).await["type"], "refreshed");
    assert_eq!(client.next_json().await, json!({"type": "unsubscribed", "chat_id": "a"}));
    let mut writer = Client::signed_in(&gateway, &all).await;
    writer.publish("chat:a", &json!("not for them")).await;
    for (chat, kind) in [("a", "error"), ("b", "connected")] {
        client.send_json(&json!({"type": "subscribe", "chat_id": chat})).await;
        assert_eq!(client.next_json().await["type"], kind, "{chat}");
    }
}

#[tokio::test]
async fn a_chat_of_ones_own_stays_open_with_each_new_token() {
    let gateway = Gateway::start(&JWT).await;
    let bearer = format!("Bearer {}", of_ann(&[], None));
    let (headers, chats) = ([("Authorization", &*bearer)], "/api/v1/chat/workflows");
    let made = http::send(gateway.address(), "POST", chats, &headers, b"").await.unwrap().json();
    let id = made["data"]["chat_id"].as_str().unwrap();
    let mut client = watch(&gateway, &of_ann(&[], None), id).await;
    assert_eq!(refresh(&mut client, &json!(of_ann(&[], None))).await["type"], "refreshed");
    client.send_json(&json!({"type": "ping"})).await;
    assert_eq!(client.next_json().await, json!({"type": "pong"}));
}
