//! Actions that a token allows.
use e2e::{
    Client, Form, Gateway,
    token::{JWT, token},
};
use serde_json::{Value, json};

fn error(frame: &Value) -> (&str, &str) {
    let payload = &frame["payload"];
    assert_eq!(payload["type"], "error", "{frame}");
    (payload["code"].as_str().unwrap_or_default(), payload["channel"].as_str().unwrap_or_default())
}

/// Tries each action on `channel`: true where it is allowed.
async fn allowed(client: &mut Client, channel: &str) -> [bool; 4] {
    let mut answers = [false; 4];
    for (at, verb) in ["subscribe", "history", "presence"].into_iter().enumerate() {
        let answer = client.ask(Form::Envelope, verb, json!({"channel": channel})).await;
        answers[at] = answer["payload"]["type"] != "error";
        if !answers[at] {
            assert_eq!(error(&answer), ("not_allowed", channel));
        }
    }
    client.publish(channel, &json!(1)).await;
    let frames = client.until_pong().await;
    answers[3] = frames.is_empty();
    if let Some(frame) = frames.first() {
        let frame = serde_json::from_str(frame).expect("frames are JSON");
        assert_eq!(error(&frame), ("not_allowed", channel));
    }
    answers
}

#[tokio::test]
async fn each_action_needs_its_grant() {
    let gateway = Gateway::start(&JWT).await;
    let claims = json!({
        "sub": "7",
        "channels": {"read": ["news-*", "lobby"], "write": ["lobby", "out"]},
        "rooms": [42, "a"],
        "topics": ["chat:9", "user:shared-*"],
    });
    let mut client = Client::signed_in(&gateway, &token(claims)).await;
    let (all, none) = ([true; 4], [false; 4]);
    let (read, write) = ([true, true, true, false], [false, false, false, true]);
    let cases = [
        ("lobby", all),
        ("chan:lobby", all),
        ("news-1", read),
        ("chan:news-", read),
        ("news", none),
        ("out", write),
        ("room:42", all),
        ("room:a", all),
        ("room:4", none),
        ("room:*", none),
        ("chat:9", all),
        ("chat:90", none),
        ("user:7", all),
        ("user:shared-1", all),
        ("user:8", none),
        ("user:77", none),
    ];
    for (channel, expected) in cases {
        assert_eq!(allowed(&mut client, channel).await, expected, "{channel}");
    }
}

#[tokio::test]
async fn a_refusal_does_not_tell_whether_there_is_such_a_channel() {
    let gateway = Gateway::start(&JWT).await;
    let mut owner = Client::signed_in(&gateway, &token(json!({"channels": ["secret"]}))).await;
    owner.subscribe("secret").await;
    owner.publish("secret", &json!(1)).await;
    owner.until_pong().await;
    let mut other = Client::signed_in(&gateway, &token(json!({"sub": "8"}))).await;
    for verb in ["subscribe", "history", "presence"] {
        let mut answers = Vec::new();
        for channel in ["secret", "absent"] {
            let mut answer = other.ask(Form::Action, verb, json!({"channel": channel})).await;
            answer["payload"]["channel"] = json!(null);
            answer["payload"]["timestamp"] = json!(null);
            answers.push(answer);
        }
        assert_eq!(answers[0], answers[1], "{verb}");
    }
}

#[tokio::test]
async fn a_publication_that_is_not_allowed_reaches_nobody_and_the_next_one_does() {
    let gateway = Gateway::start(&JWT).await;
    let mut reader = Client::signed_in(&gateway, &token(json!({"channels": ["*"]}))).await;
    reader.subscribe("a").await;
    reader.subscribe("b").await;
    let mut writer = Client::signed_in(&gateway, &token(json!({"channels": ["b"]}))).await;
    for round in 0..3 {
        for channel in ["b", "a", "b"] {
            writer.publish(channel, &json!(round)).await;
        }
        let refused = writer.until_pong().await;
        assert_eq!(refused.len(), 1, "{refused:?}");
        for _ in 0..2 {
            assert_eq!(reader.next_json().await, json!({"channel": "b", "payload": round}));
        }
    }
    assert_eq!(reader.until_pong().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_session_is_of_the_user_whose_token_it_showed() {
    let gateway = Gateway::start(&JWT).await;
    let mut known = Client::signed_in(&gateway, &token(json!({"sub": "7"}))).await;
    known.subscribe("user:7").await;
    let answer = known.ask(Form::Action, "presence", json!({"channel": "user:7"})).await;
    assert_eq!((&answer["count"], &answer["members"][0]["user"]), (&json!(1), &json!("7")));
    let program = token(json!({"topics": ["user:7"]}));
    let mut program = Client::signed_in(&gateway, &program).await;
    program.publish("user:7", &json!("hello")).await;
    assert_eq!(known.next_json().await["payload"], "hello");
}
