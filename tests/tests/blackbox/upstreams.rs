//! Questions that the gateway passes on to an upstream, through `POST /send`.
use std::time::Duration;

use e2e::{
    Gateway,
    fake::{
        model::{delta, stream},
        upstream::{Script, Step, Upstream},
    },
    http::{self, Response},
};
use serde_json::json;

const TOKEN: &str = "sk-not-for-anybody";

/// A gateway whose only agent is a model there, and more settings.
async fn gateway(upstream: &Upstream, more: &[(&str, &str)]) -> Gateway {
    let url = upstream.url("/v1");
    let mut settings = vec![
        ("agents.default", "gpt"),
        ("agents.gpt.kind", "openai"),
        ("agents.gpt.url", &*url),
        ("agents.gpt.token", TOKEN),
        ("agents.gpt.model", "m"),
        ("agents.gpt.window", "1"),
        ("agents.gpt.body.stop", "x"),
    ];
    settings.extend_from_slice(more);
    Gateway::start(&settings).await
}

async fn ask(gateway: &Gateway, text: &str) -> Response {
    let body = json!({"user_id": "7", "message": text}).to_string();
    let headers = [("Content-Type", "application/json")];
    let asked = http::send(gateway.address(), "POST", "/send", &headers, body.as_bytes()).await;
    asked.expect("an answer")
}

/// Status and type of the problem that a question fails with.
async fn problem(gateway: &Gateway, text: &str) -> (u16, String) {
    let (status, _, kind) = ask(gateway, text).await.problem();
    (status, kind)
}

#[tokio::test]
async fn a_question_brings_along_the_turns_before_it() {
    let upstream = Upstream::start(Script::sse(&stream(&["Miaù ", "🐈‍⬛"]))).await;
    let gateway = gateway(&upstream, &[]).await;
    for question in ["One?", "Two?", "Three?"] {
        assert_eq!(ask(&gateway, question).await.json(), json!({"response": "Miaù 🐈‍⬛"}));
    }
    let message = |role: &str, content: &str| json!({"role": role, "content": content});
    let last = upstream.asked().pop().expect("a question").body;
    let before = [message("user", "Two?"), message("assistant", "Miaù 🐈‍⬛")];
    let messages = [&before[..], &[message("user", "Three?")]].concat();
    let expected = json!({"model": "m", "stream": true, "stop": "x", "messages": messages});
    assert_eq!(last, expected);
}

#[tokio::test]
async fn what_a_client_gives_along_reaches_the_agent() {
    let upstream = Upstream::start(Script::sse(&stream(&["Meow"]))).await;
    let more = [("agents.gpt.body.level", "{intelligence_level}"), ("agents.gpt.window", "1")];
    let gateway = gateway(&upstream, &more).await;
    let message = |role: &str, content: &str| json!({"role": role, "content": content});
    let history = [
        message("user", "One?"),
        message("assistant", "1"),
        message("user", "Two?"),
        message("assistant", "2"),
    ];
    let body = json!({
        "user_id": "7", "message": "This?", "history": history, "intelligence_level": "nano",
        "image": "https://example.org/a.png",
    });
    assert_eq!(e2e::relay::chat_stream(&gateway, &body.to_string()).await, "Meow");
    let asked = upstream.only().body;
    assert_eq!(asked["level"], "nano");
    let question = json!([
        {"type": "text", "text": "This?"},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
    ]);
    let mut messages = history[2..].to_vec();
    messages.push(json!({"role": "user", "content": question}));
    assert_eq!(asked["messages"], json!(messages));
    // Without them it is as before, and the level is left out.
    let plain = json!({"user_id": "8", "message": "Hi", "history": []}).to_string();
    assert_eq!(e2e::relay::chat_stream(&gateway, &plain).await, "Meow");
    let asked = upstream.asked().pop().expect("a question").body;
    assert_eq!(
        (&asked["level"], &asked["messages"]),
        (&json!(null), &json!([message("user", "Hi")]))
    );
    let bad = json!({"user_id": "8", "message": "Hi", "image": "file:///etc/passwd"}).to_string();
    let headers = [("Content-Type", "application/json")];
    let bad = http::send(gateway.address(), "POST", "/chat/stream", &headers, bad.as_bytes()).await;
    assert_eq!(bad.expect("an answer").status, 400);
}

#[tokio::test]
async fn of_an_empty_reply_the_question_alone_is_told_later() {
    let upstream = Upstream::start(Script::sse(&stream(&["Meow"]))).await;
    let gateway = gateway(&upstream, &[("agents.gpt.window", "9")]).await;
    assert_eq!(ask(&gateway, "One?").await.json(), json!({"response": "Meow"}));
    for nothing in ["", " \n"] {
        upstream.play(Script::sse(&stream(&[nothing])));
        assert_eq!(ask(&gateway, "Nothing?").await.json(), json!({"response": nothing}));
    }
    upstream.play(Script::sse(&stream(&[""])));
    let mut told = e2e::relay::stream(&gateway, "7", "Nothing again?").await;
    let mut names = Vec::new();
    while let Some(event) = told.next().await {
        names.push(event.kind);
    }
    assert!(names.iter().any(|it| it == "status"), "{names:?}");
    upstream.play(Script::sse(&stream(&["Meow"])));
    assert_eq!(ask(&gateway, "Two?").await.json(), json!({"response": "Meow"}));
    let message = |role: &str, content: &str| json!({"role": role, "content": content});
    let before = [
        message("user", "One?"),
        message("assistant", "Meow"),
        message("user", "Nothing?"),
        message("user", "Nothing?"),
        message("user", "Nothing again?"),
        message("user", "Two?"),
    ];
    assert_eq!(upstream.asked().pop().expect("a question").body["messages"], json!(before));
}

#[tokio::test]
async fn each_time_out_ends_the_turn_and_closes_the_connection() {
    let text = delta(&json!({"content": "Me"}));
    let cases = [
        ("first_token", Script::stream().then(Step::Silence)),
        ("first_token", Script::stream().then(Step::Endless(b": keep-alive\n\n".to_vec()))),
        ("token", Script::stream().chunk(&text).then(Step::Silence)),
        ("total", Script::slowly(&text.repeat(9), Duration::from_millis(1))),
    ];
    for (which, script) in cases {
        let upstream = Upstream::start(script).await;
        let key = format!("agents.gpt.{which}_timeout");
        let gateway = gateway(&upstream, &[(&key, "150ms")]).await;
        let kind = format!("/problems/agent-{}-timeout", which.replace('_', "-"));
        assert_eq!(problem(&gateway, "Hi").await, (504, kind));
        upstream.left(1).await;
    }
}

#[tokio::test]
async fn a_reply_without_an_end_is_too_long() {
    let text = delta(&json!({"content": "meow ".repeat(20)}));
    let endless = Script::stream().then(Step::Endless(text.into_bytes()));
    let upstream = Upstream::start(endless).await;
    let gateway = gateway(&upstream, &[("agents.gpt.max_reply", "1000")]).await;
    let expected = (502, "/problems/agent-too-long".to_owned());
    assert_eq!(problem(&gateway, "Hi").await, expected);
    upstream.left(1).await;
}

#[tokio::test]
async fn neither_a_client_nor_the_most_talkative_log_learns_the_token() {
    let error = format!("{{\"error\": \"meow, {TOKEN} is no key\"}}");
    let upstream = Upstream::start(Script::whole("401 No", "", &error)).await;
    let gateway = gateway(&upstream, &[("log.level", "trace")]).await;
    let mut told = Vec::new();
    told.push(ask(&gateway, "Hi").await);
    upstream.play(Script::sse(&format!("data: {error}\n\n")));
    told.push(ask(&gateway, "Hi").await);
    upstream.play(Script::sse(&stream(&["Meow"])));
    assert_eq!(ask(&gateway, "Hi").await.status, 200);
    for answer in told {
        assert_eq!(answer.status, 502);
        assert!(!format!("{answer:?}").contains("meow"), "{answer:?}");
    }
    let end = gateway.stop().await;
    let log = [end.stdout, end.stderr].concat().join("\n");
    assert!(log.contains("meow, (set, not shown) is no key"), "the log has the cause: {log}");
    assert!(!log.contains(TOKEN), "{log}");
}
