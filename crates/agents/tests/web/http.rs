//! `http` against the Django backend of seed 003, and against others like it.
use e2e::fake::{
    django::{ended, event, failed, started, stream, token, whole},
    upstream::{Script, Step, Upstream},
};
use quadrille_agents::Code;
use serde_json::{Value, json};

use crate::ask::{Heard, agent, ask};

const PATH: &str = "/quantum-goose-app/api/llm/chat/";

async fn heard(script: Script) -> Heard {
    heard_with("", script).await
}

async fn heard_with(more: &str, script: Script) -> Heard {
    let upstream = Upstream::start(script).await;
    let table = format!("kind = \"http\"\nurl = \"{}\"\n{more}", upstream.url(PATH));
    let heard = ask(&*agent(&table), "Hi").await;
    upstream.only();
    heard
}

/// The body of a request.
async fn asked(more: &str) -> Value {
    let upstream = Upstream::start(Script::json(&whole("Meow"))).await;
    let table = format!("kind = \"http\"\nurl = \"{}\"\n{more}", upstream.url(PATH));
    assert_eq!(ask(&*agent(&table), "Hi").await.reply(), "Meow");
    let asked = upstream.only();
    assert_eq!(asked.path, PATH);
    asked.body
}

#[tokio::test]
async fn a_question_has_the_fields_of_the_backend_or_those_configured() {
    let expected =
        json!({"message": "Hi", "user_identifier": "7", "session_id": "room:cats", "stream": true});
    assert_eq!(asked("").await, expected);
    let others = "message_field = \"q\"\nuser_field = \"who\"\nsession_field = \"\"\n\
                  body = { stream = false, intelligence_level = \"nano\" }";
    let expected = json!({"q": "Hi", "who": "7", "stream": false, "intelligence_level": "nano"});
    assert_eq!(asked(others).await, expected);
}

#[tokio::test]
async fn a_stream_is_the_same_wherever_it_is_cut() {
    let upstream = Upstream::start(Script::default()).await;
    let agent = agent(&format!("kind = \"http\"\nurl = \"{}\"", upstream.url(PATH)));
    let body = stream(&["Miaù ", "🐈‍⬛"]).replace('\n', "\r\n");
    for at in 0..=body.len() {
        upstream.play(Script::split(&body, at));
        let heard = ask(&*agent, "Hi").await;
        assert_eq!(
            (heard.reply(), heard.text()),
            ("Miaù 🐈‍⬛".to_owned(), heard.reply()),
            "cut at {at}"
        );
    }
}

#[tokio::test]
async fn the_whole_reply_counts_even_if_it_is_empty() {
    assert_eq!(heard(Script::sse(&stream(&[]))).await.reply(), "");
    assert_eq!(heard(Script::sse(&(token("") + &ended("Meow")))).await.reply(), "Meow");
    assert_eq!(heard(Script::json(&whole(""))).await.reply(), "");
    let silent = Script::stream().chunk(&ended("Meow")).then(Step::Silence);
    assert_eq!(heard(silent).await.reply(), "Meow");
}

#[tokio::test]
async fn fields_decide_and_names_of_events_do_not() {
    let unnamed = stream(&["Me", "ow"]).replace("event: token\n", "").replace("event: end\n", "");
    assert_eq!(heard(Script::sse(&unnamed)).await.reply(), "Meow");
    let odd = event("odd", &json!({"token": "Me"})) + &event("odd", &json!({"token": null}));
    assert_eq!(heard(Script::sse(&(odd + &ended("Meow")))).await.reply(), "Meow");
}

#[tokio::test]
async fn ends_without_the_whole_reply_are_ends_too() {
    let text = token("Me") + &token("ow");
    for end in [
        "event: end\ndata:\n\n",
        "event: done\ndata: bye\n\n",
        "event: end\ndata: {}\n\n",
        "event: done\ndata: {}\n\n",
        "data: [DONE]\n\n",
    ] {
        assert_eq!(heard(Script::sse(&(text.clone() + end))).await.reply(), "Meow", "{end}");
    }
}

#[tokio::test]
async fn fields_of_answers_can_be_named() {
    let more = "token_field = \"chunk\"\nreply_field = \"text\"";
    let body =
        event("x", &json!({"chunk": "Me", "token": 1})) + &event("x", &json!({"text": "Meow"}));
    let heard_of = heard_with(more, Script::sse(&body)).await;
    assert_eq!((heard_of.text(), heard_of.reply()), ("Me".to_owned(), "Meow".to_owned()));
    assert_eq!(heard_with(more, Script::json(&json!({"text": "Meow"}))).await.reply(), "Meow");
    assert_eq!(heard_with(more, Script::json(&whole("Meow"))).await.code(), Code::BadAnswer);
}

#[tokio::test]
async fn heartbeats_and_odd_fields_cost_no_reply() {
    let body = [
        "data:\n\nevent: ping\ndata: \n\n",
        "data: {\"token\": \"Me\", \"score\": NaN, \"error\": false}\n\n",
        "data: {\"token\": null, \"status\": \"thinking\", \"error\": \"\"}\n\n",
        "data: {\"token\": \"\\ud83d\"}\n\n",
        "data: {\"token\": \"\\ude00\"}\n\n",
        "data: {\"token\": 7}\n\n",
        "data: {\"token\": [{\"type\": \"text\", \"text\": \"!\\ud83d\"}]}\n\n",
        "data: [DONE]\n\n",
    ];
    assert_eq!(heard(Script::sse(&body.concat())).await.reply(), "Me😀7!\u{fffd}");
    let odd = Script::whole("200 OK", "", "{\"response\": \"Me\\ud83d\", \"score\": NaN}");
    assert_eq!(heard(odd).await.reply(), "Me\u{fffd}");
}

#[tokio::test]
async fn what_fails_is_no_reply() {
    let begun = started() + &token("Me");
    let cases = [
        ("an error", Script::sse(&(begun.clone() + &failed("no model"))), Code::Upstream),
        (
            "a named one",
            Script::sse(&(begun.clone() + &event("error", &json!({})))),
            Code::Upstream,
        ),
        ("no end", Script::sse(&begun), Code::BrokenOff),
        ("a cut", Script::stream().chunk(&begun).then(Step::Cut), Code::BrokenOff),
        ("no JSON", Script::sse(&(begun.clone() + "data: Meow\n\n")), Code::BadAnswer),
        (
            "no text",
            Script::sse(
                &(begun.clone() + "data: {\"token\": {}, \"a\": 1, \"token\": {\"b\": 1}}\n\n"),
            ),
            Code::BadAnswer,
        ),
        (
            "a detail",
            Script::sse(&(begun.clone() + "data: {\"detail\": \"x\"}\n\n")),
            Code::Upstream,
        ),
        ("a type", Script::sse(&(begun + "data: {\"type\": \"error\"}\n\n")), Code::Upstream),
    ];
    for (what, script, code) in cases {
        let heard = heard(script).await;
        assert_eq!((heard.code(), heard.text()), (code, "Me".to_owned()), "{what}");
    }
    let answers = [
        (json!({"error": "No message provided"}), Code::Upstream),
        (json!({"answer": "Meow"}), Code::BadAnswer),
        (json!({"response": {"n": 1}}), Code::BadAnswer),
        (json!({"detail": "x"}), Code::Upstream),
        (json!("Meow"), Code::BadAnswer),
    ];
    for (answer, code) in answers {
        assert_eq!(heard(Script::json(&answer)).await.code(), code, "{answer}");
    }
}
