//! `agui` against a server of the protocol, and against Cheshire Cat 2's way of it.
use e2e::fake::{
    agui::{cat_result, cat_run, event, events, finished, message, run, started},
    upstream::{Script, Step, Upstream},
};
use quadrille_agents::{Code, Part};
use serde_json::{Value, json};

use crate::ask::{Heard, agent, ask};

async fn heard(script: Script) -> Heard {
    let upstream = Upstream::start(script).await;
    let table = format!("kind = \"agui\"\nurl = \"{}\"", upstream.url("/run"));
    let heard = ask(&*agent(&table), "Hi").await;
    upstream.only();
    heard
}

/// The outcome of a run with these events in it.
async fn heard_run(within: &[Value]) -> Heard {
    let run = [&[started()], within, &[finished()]].concat();
    heard(Script::sse(&events(&run))).await
}

#[tokio::test]
async fn a_question_is_an_input_of_a_run() {
    let upstream = Upstream::start(Script::sse(&run(&["Me", "ow"]))).await;
    let table = format!(
        "kind = \"agui\"\nurl = \"{}\"\ntoken = \"key\"\nbody = {{ forwardedProps = {{ a = 1 }} }}",
        upstream.url("/run")
    );
    let agent = agent(&table);
    assert_eq!(agent.window(), 10);
    assert_eq!(ask(&*agent, "Hi").await.reply(), "Meow");
    let asked = upstream.only();
    assert_eq!((&*asked.path, asked.header("authorization")), ("/run", Some("Bearer key")));
    let run = asked.body["runId"].as_str().expect("an id").to_owned();
    let message = |id: &str, role: &str, content: &str| {
        let id = format!("{run}{id}");
        json!({"id": id, "role": role, "content": content})
    };
    let messages = json!([
        message("-0q", "user", "Hello?"),
        message("-0r", "assistant", "Meow."),
        message("-1q", "user", "Again?"),
        message("-1r", "assistant", "Purr."),
        message("", "user", "Hi"),
    ]);
    let expected = json!({
        "threadId": "room:cats", "runId": run, "messages": messages, "state": {}, "tools": [],
        "context": [], "forwardedProps": {"a": 1},
    });
    assert_eq!(asked.body, expected);
}

#[tokio::test]
async fn cheshire_cat_2_is_asked_and_understood_in_its_way() {
    let upstream = Upstream::start(Script::sse(&cat_run(&["Me", "o", "w"]))).await;
    let url = upstream.url("/agents/default/message");
    let heard = ask(&*agent(&format!("kind = \"agui\"\nurl = \"{url}\"")), "Hi").await;
    // An id for each event does not make each a message.
    assert_eq!(heard.reply(), "Meow");
    assert_eq!(heard.tools(), [("get_time".to_owned(), "{'city': 'Rome'}".to_owned())]);
    let last = upstream.only().body["messages"][4].clone();
    assert_eq!(last["content"], json!([{"type": "text", "text": "Hi"}]));
    assert_eq!(last["role"], "user");
}

#[tokio::test]
async fn the_shape_of_messages_can_be_chosen() {
    let upstream = Upstream::start(Script::sse(&run(&["Meow"]))).await;
    let shapes = [
        ("/agents/a/message", "text", json!("Hi")),
        ("/run", "blocks", json!([{"type": "text", "text": "Hi"}])),
    ];
    for (path, content, _) in &shapes {
        let url = upstream.url(path);
        let table =
            format!("kind = \"agui\"\nurl = \"{url}\"\nwindow = 0\ncontent = \"{content}\"");
        let agent = agent(&table);
        assert_eq!(agent.window(), 0);
        assert_eq!(ask(&*agent, "Hi").await.reply(), "Meow");
    }
    for (asked, (.., content)) in upstream.asked().iter().zip(shapes) {
        let last = asked.body["messages"].as_array().and_then(|messages| messages.last());
        assert_eq!(last.expect("a message")["content"], content);
    }
}

#[tokio::test]
async fn a_run_is_the_same_wherever_it_is_cut() {
    let upstream = Upstream::start(Script::default()).await;
    let agent = agent(&format!("kind = \"agui\"\nurl = \"{}\"", upstream.url("/run")));
    let body = run(&["Miaù ", "🐈‍⬛"]);
    for at in 0..=body.len() {
        upstream.play(Script::split(&body, at));
        assert_eq!(ask(&*agent, "Hi").await.reply(), "Miaù 🐈‍⬛", "cut at {at}");
    }
}

#[tokio::test]
async fn messages_are_parted_by_an_empty_line() {
    let two = [message("a", &["One ", "text."]), message("b", &["Another."])].concat();
    assert_eq!(heard_run(&two).await.reply(), "One text.\n\nAnother.");
    let with_silent =
        [message("a", &[]), message("b", &["One."]), message("c", &[]), message("d", &["Two."])];
    assert_eq!(heard_run(&with_silent.concat()).await.reply(), "One.\n\nTwo.");
}

#[tokio::test]
async fn chunks_are_messages_too() {
    let chunk = |id: Option<&str>, role: Option<&str>, delta: &str| {
        let mut chunk = json!({"type": "TEXT_MESSAGE_CHUNK", "delta": delta});
        if let Some(id) = id {
            chunk["messageId"] = json!(id);
        }
        if let Some(role) = role {
            chunk["role"] = json!(role);
        }
        chunk
    };
    let chunks = [
        chunk(Some("a"), Some("assistant"), "On"),
        chunk(None, None, "e"),
        json!({"type": "STATE_DELTA", "delta": [{"op": "add", "path": "/a", "value": 1}]}),
        chunk(Some("a"), None, "."),
        chunk(Some("u"), Some("user"), "not said by the agent"),
        chunk(Some("b"), Some("assistant"), "Two."),
    ];
    assert_eq!(heard_run(&chunks).await.reply(), "One.\n\nTwo.");
}

#[tokio::test]
async fn what_others_say_in_a_run_is_not_the_reply() {
    let mut users = message("a", &["Hi"]);
    users[0]["role"] = json!("user");
    let run = [users, message("b", &["Meow"])].concat();
    assert_eq!(heard_run(&run).await.reply(), "Meow");
}

#[tokio::test]
async fn tools_are_told_once_with_all_their_arguments() {
    let start =
        |id, name| json!({"type": "TOOL_CALL_START", "toolCallId": id, "toolCallName": name});
    let more = |id, delta| json!({"type": "TOOL_CALL_ARGS", "toolCallId": id, "delta": delta});
    let end = |id| json!({"type": "TOOL_CALL_END", "toolCallId": id});
    let chunk = |id: Option<&str>, name: Option<&str>, delta: &str| {
        json!({
            "type": "TOOL_CALL_CHUNK", "toolCallId": id, "toolCallName": name, "delta": delta,
        })
    };
    let result =
        json!({"type": "TOOL_CALL_RESULT", "messageId": "r", "toolCallId": "1", "content": "!"});
    let heard = heard_run(&[
        start("1", "weather"),
        start("2", "time"),
        more("1", "{\"city\":"),
        more("2", "{}"),
        end("2"),
        more("1", "\"Rome\"}"),
        end("1"),
        result,
        chunk(Some("3"), Some("open"), "{"),
        chunk(None, None, "}"),
        chunk(Some("4"), Some("close"), "{}"),
        json!({"type": "RAW", "event": {}}),
        start("5", "never ended"),
    ])
    .await;
    let expected = [
        ("time", "{}"),
        ("weather", "{\"city\":\"Rome\"}"),
        ("open", "{}"),
        ("close", "{}"),
        ("never ended", ""),
    ];
    assert_eq!(heard.tools(), expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    assert_eq!(heard.reply(), "");
}

#[tokio::test]
async fn steps_and_texts_of_its_own_are_notices() {
    let within = [
        json!({"type": "STEP_STARTED", "stepName": "search"}),
        json!({"type": "STEP_FINISHED", "stepName": "search"}),
        json!({"type": "CUSTOM", "name": "notice", "value": "Almost there"}),
        json!({"type": "CUSTOM", "name": "state", "value": {"a": 1}}),
        json!({"type": "STATE_SNAPSHOT", "snapshot": {"a": 1}}),
        json!({"type": "MESSAGES_SNAPSHOT", "messages": []}),
        json!({"type": "REASONING_MESSAGE_CONTENT", "messageId": "m", "delta": "Hm."}),
        json!({"type": "OF_THE_FUTURE", "delta": 7}),
    ];
    let heard = heard_run(&[&within[..], &message("m", &["Meow"])].concat()).await;
    assert_eq!(heard.notices(), ["search", "Almost there"]);
    assert_eq!(heard.reply(), "Meow");
    let long = json!({"type": "STEP_STARTED", "stepName": "é".repeat(10_000)});
    assert_eq!(heard_run(&[long]).await.notices(), ["é".repeat(500)]);
}

#[tokio::test]
async fn the_begin_of_a_run_is_no_sign_of_a_reply() {
    let upstream = Script::stream().chunk(&event(&started())).then(Step::Cut);
    let heard = heard(upstream).await;
    assert_eq!((heard.code(), heard.parts), (Code::BrokenOff, Vec::<Part>::new()));
}

#[tokio::test]
async fn a_run_that_fails_or_does_not_end_is_no_reply() {
    let text = events(&[vec![started()], message("m", &["Me"])].concat());
    let error = event(&json!({"type": "RUN_ERROR", "message": "no key", "code": "x"}));
    let cases = [
        ("an error", Script::sse(&(text.clone() + &error)), Code::Upstream),
        ("no end", Script::sse(&text), Code::BrokenOff),
        ("a cut", Script::stream().chunk(&text).then(Step::Cut), Code::BrokenOff),
        ("no JSON", Script::sse(&(text.clone() + "data: Meow\n\n")), Code::BadAnswer),
        ("a [DONE]", Script::sse(&(text.clone() + "data: [DONE]\n\n")), Code::BrokenOff),
        ("no type", Script::sse(&(text.clone() + "data: {}\n\n")), Code::BrokenOff),
        (
            "no delta",
            Script::sse(&(text.clone() + &event(&json!({"type": "TEXT_MESSAGE_CONTENT"})))),
            Code::BrokenOff,
        ),
        (
            "a detail",
            Script::sse(&(text.clone() + &event(&json!({"detail": "x"})))),
            Code::Upstream,
        ),
        (
            "an end that is none",
            Script::sse(
                &(text + &event(&json!({"type": "RUN_FINISHED", "outcome": {"type": "error"}}))),
            ),
            Code::Upstream,
        ),
    ];
    for (what, script, code) in cases {
        let heard = heard(script).await;
        assert_eq!((heard.code(), heard.text()), (code, "Me".to_owned()), "{what}");
        assert_eq!(heard.cause().contains("no key"), what == "an error", "{heard:?}");
    }
}

#[tokio::test]
async fn agents_that_do_not_stream_have_their_reply_in_the_result() {
    for result in [cat_result("Meow"), json!("Meow")] {
        let end = json!({"type": "RUN_FINISHED", "threadId": "7", "runId": "r", "result": result});
        let run = Script::sse(&events(&[started(), end]));
        assert_eq!(heard(run).await.reply(), "Meow");
    }
    assert_eq!(heard(Script::json(&cat_result("Meow"))).await.reply(), "Meow");
    let not_said = json!({"messages": [{"role": "user", "content": "Hi"}]});
    assert_eq!(heard(Script::json(&not_said)).await.code(), Code::BadAnswer);
}

#[tokio::test]
async fn a_run_that_waits_for_a_decision_says_so() {
    for outcome in [json!("interrupt"), json!({"type": "interrupt", "interrupts": []})] {
        let mut end = finished();
        end["outcome"] = outcome;
        let heard = heard(Script::sse(&events(&[started(), end]))).await;
        assert_eq!((heard.reply(), heard.notices().len()), (String::new(), 1));
    }
}

fn content(id: &str, delta: &str) -> Value {
    json!({"type": "TEXT_MESSAGE_CONTENT", "messageId": id, "delta": delta})
}

fn start(id: &str, role: &str) -> Value {
    json!({"type": "TEXT_MESSAGE_START", "messageId": id, "role": role})
}

fn end(id: &str) -> Value {
    json!({"type": "TEXT_MESSAGE_END", "messageId": id})
}

fn chunk(id: &str, delta: &str) -> Value {
    json!({"type": "TEXT_MESSAGE_CHUNK", "messageId": id, "role": "assistant", "delta": delta})
}

#[tokio::test]
async fn messages_that_are_told_at_once_are_each_whole() {
    let both = "Oslo is cold.\n\nRome is warm.";
    let begun = [start("a", "assistant"), start("b", "assistant"), content("a", "Oslo is ")];
    let begun = [&begun[..], &[content("b", "Rome is "), content("a", "cold.")]].concat();
    let rest = content("b", "warm.");
    let orders = [
        ("ended together", vec![rest.clone(), end("a"), end("b")]),
        ("ended apart", vec![end("a"), rest.clone(), end("b")]),
        ("the second ended first", vec![rest.clone(), end("b"), end("a")]),
        ("never ended", vec![rest.clone()]),
    ];
    for (what, order) in orders {
        let heard = heard_run(&[&begun[..], &order].concat()).await;
        assert_eq!((heard.reply(), heard.text()), (both.to_owned(), both.to_owned()), "{what}");
    }
    // What comes for a message after its end is in its place, though it was not shown there.
    let late =
        [start("a", "assistant"), content("a", "Oslo is "), end("a"), start("b", "assistant")];
    let late =
        [&late[..], &[content("b", "Rome is warm."), content("a", "cold."), end("b")]].concat();
    assert_eq!(heard_run(&late).await.reply(), both);
    let chunks =
        [chunk("a", "Oslo is "), chunk("b", "Rome is "), chunk("a", "cold."), chunk("b", "warm.")];
    assert_eq!(heard_run(&chunks).await.reply(), both);
    // Others who speak meanwhile are not the agent.
    let others =
        [start("a", "assistant"), start("u", "user"), content("a", "Oslo "), content("u", "Hi")];
    let others = [&others[..], &[end("u"), content("a", "is cold."), end("a")]].concat();
    assert_eq!(heard_run(&others).await.reply(), "Oslo is cold.");
}

#[tokio::test]
async fn messages_without_ids_starts_or_ends_are_read() {
    let anonymous = [
        json!({"type": "TEXT_MESSAGE_START"}),
        json!({"type": "TEXT_MESSAGE_CONTENT", "delta": "Me"}),
        json!({"type": "TEXT_MESSAGE_CONTENT", "delta": "ow", "messageId": null}),
        json!({"type": "TEXT_MESSAGE_END"}),
    ];
    assert_eq!(heard_run(&anonymous).await.reply(), "Meow");
    assert_eq!(heard_run(&[content("a", "Me"), content("a", "ow")]).await.reply(), "Meow");
    let before = [content("a", "Me"), started(), content("a", "ow"), finished()];
    assert_eq!(heard(Script::sse(&events(&before))).await.reply(), "Meow", "before the run");
    let halves = [content("a", "\u{0}"), content("b", "\u{1}")];
    let halves = events(&[vec![started()], halves.to_vec(), vec![finished()]].concat());
    let halves = halves.replace("\\u0000", "\\ud83d").replace("\\u0001", "\\ude00");
    assert_eq!(heard(Script::sse(&halves)).await.reply(), "😀");
}

#[tokio::test]
async fn messages_may_be_told_in_a_snapshot_alone() {
    let message =
        |id: &str, role: &str, text: &str| json!({"id": id, "role": role, "content": text});
    let snapshot = |messages: &[Value]| json!({"type": "MESSAGES_SNAPSHOT", "messages": messages});
    let (hi, said) = (message("1", "user", "Hi"), message("2", "assistant", "Meow"));
    let earlier = [message("x", "user", "Again?"), message("y", "assistant", "Purr.")];
    let alone = snapshot(&[&earlier[..], &[hi.clone(), said.clone()]].concat());
    assert_eq!(heard_run(std::slice::from_ref(&alone)).await.reply(), "Meow");
    // Told before the run goes on, of earlier turns alone.
    let text = [start("2", "assistant"), content("2", "Meow"), end("2")];
    assert_eq!(heard_run(&[&[snapshot(&earlier)], &text[..]].concat()).await.reply(), "Meow");
    // And what was streamed is not said twice, whatever its id.
    assert_eq!(heard_run(&[&text[..], &[alone]].concat()).await.reply(), "Meow");
    let other = snapshot(&[hi.clone(), message("z", "assistant", "Meow")]);
    assert_eq!(heard_run(&[&text[..], &[other]].concat()).await.reply(), "Meow");
    // One that was streamed and one that was not.
    let two = snapshot(&[hi.clone(), said, message("3", "assistant", "Purr.")]);
    assert_eq!(heard_run(&[&text[..], &[two]].concat()).await.reply(), "Meow\n\nPurr.");
    // Another message may have words of one that was streamed.
    for part in ["Me", "ow", "e", "M"] {
        let both = format!("Meow\n\n{part}");
        let part = message("3", "assistant", part);
        let after = snapshot(&[hi.clone(), message("2", "assistant", "Meow"), part.clone()]);
        assert_eq!(heard_run(&[&text[..], &[after]].concat()).await.reply(), both);
        let other = snapshot(&[hi.clone(), part]);
        assert_eq!(heard_run(&[&text[..], &[other]].concat()).await.reply(), both);
    }
    // And two that are told in the snapshot alone.
    let outer = message("3", "assistant", "Meow and purr");
    let nested = snapshot(&[hi.clone(), outer, message("4", "assistant", "purr")]);
    assert_eq!(heard_run(&[nested]).await.reply(), "Meow and purr\n\npurr");
    // The whole under one id, and parted where it was streamed without any.
    let both = [&text[..], &[start("3", "assistant"), content("3", "Purr."), end("3")]].concat();
    let whole = snapshot(&[hi.clone(), message("z", "assistant", "Meow\n\nPurr.\n")]);
    assert_eq!(heard_run(&[&both[..], &[whole]].concat()).await.reply(), "Meow\n\nPurr.");
    let without = json!({"type": "TEXT_MESSAGE_CONTENT", "delta": "Meow. Purr."});
    let (first, last) = (message("y", "assistant", "Meow. "), message("z", "assistant", "Purr."));
    let parted = snapshot(&[hi.clone(), first, last]);
    assert_eq!(heard_run(&[without, parted]).await.reply(), "Meow. Purr.");
    // What the server made of a message counts.
    let edited = snapshot(&[hi, message("2", "assistant", "Meow!")]);
    assert_eq!(heard_run(&[&text[..], &[edited]].concat()).await.reply(), "Meow!");
}

#[tokio::test]
async fn a_second_run_in_one_answer_is_read_and_an_error_after_a_run_counts() {
    let runs = [run(&["Me"]), run(&["ow"]).replace("m1", "m2")].concat();
    assert_eq!(heard(Script::sse(&runs)).await.reply(), "Me\n\now");
    let error = event(&json!({"type": "RUN_ERROR", "message": "no key"}));
    assert_eq!(heard(Script::sse(&(run(&["Me"]) + &error))).await.code(), Code::Upstream);
}
