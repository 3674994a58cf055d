//! `openai` against a server with `/chat/completions`, good and bad.
use std::time::Duration;

use e2e::fake::{
    model::{DONE, choice, delta, event, finish, stream, whole},
    upstream::{Script, Step, Upstream},
};
use quadrille_agents::Code;
use serde_json::{Value, json};

use crate::ask::{Heard, agent, ask};

fn table(upstream: &Upstream) -> String {
    format!("kind = \"openai\"\nurl = \"{}\"\nmodel = \"m\"\n", upstream.url("/v1"))
}

/// The outcome of an answer.
async fn heard(script: Script) -> Heard {
    let upstream = Upstream::start(script).await;
    let heard = ask(&*agent(&table(&upstream)), "Hi").await;
    upstream.only();
    heard
}

#[tokio::test]
async fn a_question_brings_along_what_is_configured_and_what_was_before() {
    let upstream = Upstream::start(Script::sse(&stream(&["Me", "ow"]))).await;
    let table = table(&upstream)
        + "token = \"sk-1\"\nsystem = \"Be a cat.\"\nbody = { temperature = 0.5, stop = [\"x\"] }";
    let agent = agent(&table);
    assert_eq!(agent.window(), 10);
    assert_eq!(ask(&*agent, "Hi").await.reply(), "Meow");
    let asked = upstream.only();
    assert_eq!(asked.path, "/v1/chat/completions");
    assert_eq!(asked.header("authorization"), Some("Bearer sk-1"));
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert_eq!(asked.header("accept"), Some("text/event-stream, application/json"));
    let messages = json!([
        {"role": "system", "content": "Be a cat."},
        {"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Meow."},
        {"role": "user", "content": "Again?"}, {"role": "assistant", "content": "Purr."},
        {"role": "user", "content": "Hi"},
    ]);
    let expected = json!({
        "model": "m", "messages": messages, "stream": true, "temperature": 0.5, "stop": ["x"],
    });
    assert_eq!(asked.body, expected);
}

#[tokio::test]
async fn without_a_token_none_is_sent() {
    let upstream = Upstream::start(Script::sse(&stream(&["a"]))).await;
    assert_eq!(ask(&*agent(&table(&upstream)), "Hi").await.reply(), "a");
    assert_eq!(upstream.only().header("authorization"), None);
}

#[tokio::test]
async fn the_address_may_be_the_base_or_the_whole() {
    let upstream = Upstream::start(Script::sse(&stream(&["a"]))).await;
    let paths = [
        ("/v1", "/v1/chat/completions"),
        ("/v1/", "/v1/chat/completions"),
        ("/openai/chat/completions", "/openai/chat/completions"),
        ("/v1?api-version=2", "/v1/chat/completions?api-version=2"),
        ("", "/chat/completions"),
    ];
    for (given, _) in paths {
        let table = format!("kind = \"openai\"\nurl = \"{}\"\nmodel = \"m\"", upstream.url(given));
        assert_eq!(ask(&*agent(&table), "Hi").await.reply(), "a");
    }
    let asked: Vec<_> = upstream.asked().into_iter().map(|request| request.path).collect();
    assert_eq!(asked, paths.map(|(_, path)| path));
}

#[tokio::test]
async fn a_stream_is_the_same_wherever_it_is_cut() {
    let body = delta(&json!({"content": "Miaù "})).replace('\n', "\r\n")
        + ": keep-alive\r\n\r\n"
        + &delta(&json!({"content": "🐈‍⬛"}))
        + &finish("stop")
        + DONE;
    let upstream = Upstream::start(Script::default()).await;
    let agent = agent(&table(&upstream));
    for at in 0..=body.len() {
        upstream.play(Script::split(&body, at));
        assert_eq!(ask(&*agent, "Hi").await.reply(), "Miaù 🐈‍⬛", "cut at {at}");
    }
    upstream.play(Script::slowly(&body, Duration::ZERO));
    assert_eq!(ask(&*agent, "Hi").await.reply(), "Miaù 🐈‍⬛");
    upstream.play(Script::slowly(&stream(&["é"]), Duration::from_millis(1)));
    assert_eq!(ask(&*agent, "Hi").await.reply(), "é");
}

#[tokio::test]
async fn what_is_no_text_is_passed_over() {
    let body = [
        ": OPENROUTER PROCESSING\n\n",
        &event(&json!({"choices": [], "prompt_filter_results": []})),
        &event(&json!({"object": "ping"})),
        &delta(&json!({"role": "assistant", "content": null})),
        &delta(&json!({"content": null, "reasoning_content": "Hm."})),
        &delta(
            &json!({"content": [{"type": "text", "text": "A"}, {"type": "thinking", "thinking": []}]}),
        ),
        &choice(&json!({"delta": {"content": "B"}, "finish_reason": ""})),
        &event(&json!({"choices": [{"index": 1, "delta": {"content": "other"}}]})),
        &choice(&json!({"delta": {"content": "C"}, "finish_reason": "stop"})),
        &event(&json!({"choices": null, "usage": {"total_tokens": 3}})),
        DONE,
        "data: after the end\n\n",
    ];
    assert_eq!(heard(Script::sse(&body.concat())).await.reply(), "ABC");
}

#[tokio::test]
async fn a_refusal_is_the_reply() {
    let body = delta(&json!({"refusal": "I'd rather "})) + &delta(&json!({"refusal": "not."}));
    let body = body + &finish("stop") + DONE;
    assert_eq!(heard(Script::sse(&body)).await.reply(), "I'd rather not.");
}

#[tokio::test]
async fn why_a_reply_ended_early_is_told() {
    let text = delta(&json!({"content": "Once"}));
    let cut = heard(Script::sse(&(text.clone() + &finish("length") + DONE))).await;
    assert_eq!((cut.reply(), cut.notices().len()), ("Once".to_owned(), 1));
    let filtered = heard(Script::sse(&(text + &finish("content_filter") + DONE))).await;
    assert_eq!((filtered.reply(), filtered.notices().len()), ("Once".to_owned(), 1));
    let nothing = heard(Script::sse(&(finish("content_filter") + DONE))).await;
    assert_eq!(nothing.code(), Code::Upstream);
}

#[tokio::test]
async fn an_answer_that_does_not_end_after_a_reason_is_not_waited_for_long() {
    let finished = delta(&json!({"content": "Meow"})) + &finish("stop");
    let upstream = Upstream::start(Script::stream().chunk(&finished).then(Step::Silence)).await;
    let agent = agent(&(table(&upstream) + "token_timeout = \"200ms\""));
    assert_eq!(ask(&*agent, "Hi").await.reply(), "Meow");
}

#[tokio::test]
async fn what_comes_after_a_reason_and_a_pause_is_read() {
    for reason in ["tool_calls", "function_call", "stop"] {
        let begun = delta(&json!({"content": "Me"})) + &finish(reason);
        let pause = Step::Wait(Duration::from_millis(1300));
        let script = Script::stream().chunk(&begun).then(pause).chunk(&stream(&["ow"]));
        assert_eq!(heard(script.then(Step::End)).await.reply(), "Meow", "{reason}");
    }
}

#[tokio::test]
async fn a_reply_is_complete_with_done_or_with_a_reason() {
    let text = delta(&json!({"content": "Meow"}));
    let finished = text.clone() + &finish("stop");
    let unended = finished.trim_end().to_owned();
    let complete = [
        ("an end without an empty line", Script::sse(&unended)),
        ("[DONE] without one", Script::sse(&(text.clone() + "data: [DONE]"))),
        ("tools wanted", Script::sse(&(text.clone() + &finish("tool_calls")))),
        ("half an event more", Script::sse(&(finished.clone() + "data: {\"cho"))),
        ("[DONE] alone", Script::sse(&(text.clone() + DONE))),
        ("a reason alone", Script::sse(&finished)),
        ("cut after a reason", Script::stream().chunk(&finished).then(Step::Cut)),
        ("reset after a reason", Script::stream().chunk(&finished).then(Step::Reset)),
        ("silent after [DONE]", Script::stream().chunk(&(text.clone() + DONE)).then(Step::Silence)),
    ];
    for (what, script) in complete {
        assert_eq!(heard(script).await.reply(), "Meow", "{what}");
    }
    let broken = [
        ("ended", Script::sse(&text)),
        ("cut", Script::stream().chunk(&text).then(Step::Cut)),
        ("reset", Script::stream().chunk(&text).then(Step::Reset)),
        ("cut in an event", Script::sse(&(text.clone() + "data: {\"cho"))),
        ("ended in [DONE]", Script::sse(&(text.clone() + "data: [DO"))),
        (
            "cut while tools run",
            Script::stream().chunk(&(text.clone() + &finish("tool_calls"))).then(Step::Cut),
        ),
        (
            "ended after tools",
            Script::sse(
                &(delta(&json!({"content": "Me"}))
                    + &finish("tool_calls")
                    + &delta(&json!({"content": "ow"}))),
            ),
        ),
        (
            "cut after reasons that were none",
            Script::stream().chunk(&(finish("stop") + &text + &finish("stop"))).then(Step::Cut),
        ),
    ];
    for (what, script) in broken {
        let heard = heard(script).await;
        assert_eq!(heard.code(), Code::BrokenOff, "{what}");
        // A reset may overtake what was sent before it.
        assert!(heard.text() == "Meow" || what == "reset", "{what}: {heard:?}");
    }
}

#[tokio::test]
async fn a_reply_that_the_upstream_gave_up_is_none() {
    let text = delta(&json!({"content": "Me"}));
    let reasons = ["error", "abort", "insufficient_system_resource", "network_error", "meow"];
    for reason in reasons {
        let heard = heard(Script::sse(&(text.clone() + &finish(reason) + DONE))).await;
        assert_eq!((heard.code(), heard.text()), (Code::Upstream, "Me".to_owned()), "{reason}");
        assert!(heard.cause().contains(reason), "{heard:?}");
    }
    let mut gave_up = whole(&json!({"content": "Me"}));
    gave_up["choices"][0]["finish_reason"] = json!("error");
    assert_eq!(heard(Script::json(&gave_up)).await.code(), Code::Upstream);
}

#[tokio::test]
async fn a_message_beside_deltas_is_not_said_twice() {
    let both = |delta: Value, message: Value| choice(&json!({"delta": delta, "message": message}));
    let body = both(json!({"content": "Me"}), json!({"content": "Me"}))
        + &both(json!({"content": "ow"}), json!(null))
        + &choice(&json!({"delta": {}, "message": {"content": "Meow"}, "finish_reason": "stop"}))
        + DONE;
    assert_eq!(heard(Script::sse(&body)).await.reply(), "Meow");
    let alone = choice(&json!({"message": {"content": "Me"}}))
        + &choice(&json!({"delta": null, "message": {"content": "ow"}}))
        + DONE;
    assert_eq!(heard(Script::sse(&alone)).await.reply(), "Meow");
    let legacy = choice(&json!({"text": "Me"})) + &choice(&json!({"text": "ow"})) + DONE;
    assert_eq!(heard(Script::sse(&legacy)).await.reply(), "Meow");
}

#[tokio::test]
async fn an_error_in_a_stream_ends_it() {
    let text = delta(&json!({"content": "Me"}));
    let errors = [
        event(&json!({"error": {"message": "overloaded", "code": 503}})),
        event(&json!({"error": "overloaded", "choices": []})),
        "event: error\ndata: overloaded\n\n".to_owned(),
        choice(&json!({"error": {"message": "overloaded"}, "finish_reason": "error"})),
        event(&json!({"detail": "overloaded"})),
        event(&json!({"object": "error", "message": "overloaded"})),
        event(&json!({"code": "overloaded", "message": "x"})),
        event(&json!({"message": "overloaded"})),
        event(&json!([{"error": {"message": "overloaded"}}])),
    ];
    for error in errors {
        let heard = heard(Script::sse(&(text.clone() + &error + &finish("stop") + DONE))).await;
        assert_eq!((heard.code(), heard.text()), (Code::Upstream, "Me".to_owned()));
        assert!(heard.cause().contains("overloaded"), "{heard:?}");
    }
}

#[tokio::test]
async fn what_is_no_chunk_is_a_bad_answer() {
    for bad in ["data: meow\n\n", "data: [1]\n\n", "data: {\"choices\"\n\n"] {
        assert_eq!(heard(Script::sse(bad)).await.code(), Code::BadAnswer, "{bad}");
    }
}

#[tokio::test]
async fn servers_that_do_not_stream_answer_in_one_piece() {
    let call = json!({"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let whole_replies = [
        (json!({"role": "assistant", "content": "Meow"}), "Meow"),
        (json!({"role": "assistant", "content": ""}), ""),
        (
            json!({"content": [{"type": "text", "text": "Me"}, {"type": "text", "text": "ow"}]}),
            "Meow",
        ),
        (json!({"content": null, "refusal": "No."}), "No."),
        (json!({"content": null, "tool_calls": [call]}), ""),
    ];
    for (message, reply) in whole_replies {
        let heard = heard(Script::json(&whole(&message))).await;
        assert_eq!(heard.reply(), reply, "{message}");
        assert_eq!(heard.tools().len(), usize::from(message["tool_calls"].is_array()));
    }
    let bad = [
        (json!({"error": {"message": "no such model"}}), Code::Upstream),
        (json!({"choices": []}), Code::BadAnswer),
        (json!({}), Code::BadAnswer),
        (json!([]), Code::BadAnswer),
    ];
    for (answer, code) in bad {
        assert_eq!(heard(Script::json(&answer)).await.code(), code, "{answer}");
    }
}

fn call(index: Option<u64>, id: Option<&str>, name: Option<&str>, arguments: &str) -> String {
    let function = json!({"name": name, "arguments": arguments});
    let mut call = json!({"id": id, "type": "function", "function": function});
    if let Some(index) = index {
        call["index"] = json!(index);
    }
    delta(&json!({"tool_calls": [call]}))
}

#[tokio::test]
async fn a_tool_is_told_once_with_all_its_arguments() {
    let body = call(Some(0), Some("a"), Some("weather"), "")
        + &call(Some(0), None, None, "{\"city\":")
        + &call(Some(1), Some("b"), Some("time"), "{")
        + &call(Some(0), None, None, "\"Rome\"}")
        + &call(Some(1), None, None, "}")
        + &finish("tool_calls")
        + DONE;
    let expected = [("weather", "{\"city\":\"Rome\"}"), ("time", "{}")];
    let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let heard_of = heard(Script::sse(&body)).await;
    assert_eq!((heard_of.reply(), heard_of.tools()), (String::new(), expected.to_vec()));

    let body = call(None, Some("a"), Some("weather"), "{\"city\":\"Rome\"}")
        + &call(None, Some("b"), Some("time"), "{")
        + &call(None, None, None, "}")
        + DONE;
    assert_eq!(heard(Script::sse(&body)).await.tools(), expected, "without indexes");
}

#[tokio::test]
async fn more_tools_than_any_agent_uses_are_told_and_cost_no_reply() {
    let calls: String = (0..200).map(|n| call(Some(n), None, Some("f"), "")).collect();
    let heard = heard(Script::sse(&(calls + &stream(&["Meow"])))).await;
    assert_eq!((heard.reply(), heard.tools().len()), ("Meow".to_owned(), 200));
}

#[tokio::test]
async fn calls_that_share_an_index_are_told_apart_by_their_ids() {
    let body = call(Some(0), Some("a"), Some("f"), "{\"x\":")
        + &call(Some(0), None, None, "1}")
        + &call(Some(0), Some("b"), Some("g"), "{")
        + &call(Some(0), Some("b"), None, "}")
        + &call(Some(0), Some("a"), None, " ")
        + &delta(&json!({"function_call": {"name": "h", "arguments": "{}"}}))
        + &finish("tool_calls")
        + DONE;
    // White space after the end of the arguments is left out.
    let expected = [("f", "{\"x\":1}"), ("g", "{}"), ("h", "{}")];
    let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(heard(Script::sse(&body)).await.tools(), expected);
}

#[tokio::test]
async fn an_event_or_answer_without_an_end_is_too_long() {
    let upstream = Upstream::start(Script::default()).await;
    let agent = agent(&(table(&upstream) + "max_reply = 1000"));
    for begin in ["data: ", "data: {}\ndata: "] {
        upstream.play(Script::stream().chunk(begin).then(Step::Endless(vec![b'x'; 5000])));
        assert_eq!(ask(&*agent, "Hi").await.code(), Code::TooLong);
    }
    upstream.left(2).await;
    let long: Value = json!({"choices": [], "padding": "x".repeat(100_000)});
    upstream.play(Script::json(&long));
    assert_eq!(ask(&*agent, "Hi").await.code(), Code::TooLong);
}

#[tokio::test]
async fn a_doubled_stream_is_read_once() {
    let upstream = Upstream::start(Script::sse(&stream(&["Me", "ow"]).repeat(2))).await;
    assert_eq!(ask(&*agent(&table(&upstream)), "Hi").await.reply(), "Meow");
}
