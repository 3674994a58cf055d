//! Everything in a reply beside its text, in the order in which it came.
use std::collections::HashMap;

use e2e::fake::{
    agui,
    corpus::recordings,
    model,
    upstream::{Script, Upstream},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::ask::{Heard, agent, ask};

/// Lets the agent of `table` read an answer.
async fn heard(table: &str, script: Script) -> Heard {
    let upstream = Upstream::start(script).await;
    ask(&*agent(&format!("{table}\nurl = \"{}\"", upstream.url("/"))), "Hi").await
}

const MODEL: &str = "kind = \"openai\"\nmodel = \"m\"";

/// The recorded answer `rich` of a dialect.
async fn rich(dialect: &str, table: &str) -> Vec<String> {
    let all: HashMap<_, _> =
        recordings(dialect).into_iter().map(|one| (one.name.clone(), one)).collect();
    heard(table, all["rich"].script()).await.outline()
}

#[tokio::test]
async fn parts_are_in_the_order_in_which_they_came() {
    let openai = [
        "thought Which city? Rome.",
        "text Let me look.",
        r#"tool call_a weather input {"days": 1.50, "id": 12345678901234567890123}"#,
        "thought  Warm.",
        "text Rome is warm.",
        "reason stop",
        "usage 31 17",
        "end",
    ];
    assert_eq!(rich("openai", MODEL).await, openai);
    let agui = [
        "thought Which city?",
        "text Let me look.",
        r#"tool c1 weather input {"city":"Rome"}"#,
        r#"tool c1 weather output {"celsius": 21.50}"#,
        "text \n\nRome is warm.",
        "usage 32 17",
        "reason success",
        "end",
    ];
    assert_eq!(rich("agui", "kind = \"agui\"").await, agui);
    let http = [
        "thought Which city? Rome.",
        "text Let me look.",
        r#"tool call_1 weather input {"city": "Rome"}"#,
        r#"tool call_1 weather output "warm""#,
        "text Rome is warm.",
        "source https://a.example A",
        "usage 31 17",
        "end",
    ];
    assert_eq!(rich("http", "kind = \"http\"").await, http);
}

#[tokio::test]
async fn a_whole_answer_of_a_model_has_the_same_parts() {
    let message = json!({
        "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                    {"type": "text", "text": "Meow"}],
        "annotations": [{"type": "url_citation", "url_citation": {"url": "https://a", "title": "A"}}],
        "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}],
    });
    let mut whole = model::whole(&message);
    whole["usage"] = json!({"prompt_tokens": 9, "completion_tokens": 2});
    let expected = [
        "usage 9 2",
        "thought Hm.",
        "text Meow",
        "source https://a A",
        "file data:image/png;base64,AA== image/png",
        "reason stop",
        "end",
    ];
    assert_eq!(heard(MODEL, Script::json(&whole)).await.outline(), expected);
}

#[tokio::test]
async fn thoughts_that_a_message_repeats_are_told_once() {
    let repeated = json!({"content": "Meow", "reasoning_content": "Hm."});
    let body = model::delta(&json!({"reasoning": "Hm."}))
        + &model::choice(&json!({"message": repeated, "finish_reason": "stop"}))
        + model::DONE;
    let heard = heard(MODEL, Script::sse(&body)).await;
    assert_eq!((heard.thoughts(), heard.reply()), ("Hm.".to_owned(), "Meow".to_owned()));
}

async fn run(within: &[Value]) -> Heard {
    let events = [&[agui::started()], within, &[agui::finished()]].concat();
    heard("kind = \"agui\"", Script::sse(&agui::events(&events))).await
}

#[tokio::test]
async fn values_and_results_of_a_run_are_told_and_a_raw_event_is_not() {
    let within = [
        json!({"type": "CUSTOM", "name": "table", "value": {"rows": [1]}}),
        json!({"type": "CUSTOM", "name": "note", "value": "working"}),
        json!({"type": "RAW", "event": {"a": 1}}),
        json!({"type": "REASONING_MESSAGE_CHUNK", "messageId": "1", "delta": "One."}),
        json!({"type": "REASONING_MESSAGE_CHUNK", "messageId": "2", "delta": "Two."}),
        json!({"type": "REASONING_ENCRYPTED_VALUE", "encryptedValue": "x"}),
        json!({"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "f"}),
        json!({"type": "TOOL_CALL_RESULT", "toolCallId": "c", "error": "no", "content": ""}),
        json!({"type": "TOOL_CALL_RESULT", "toolCallId": "?", "content": "alone"}),
    ];
    let heard = run(&within).await;
    let expected = [
        r#"data table {"rows":[1]}"#,
        r#"data note "working""#,
        "status working",
        "thought One.\n\nTwo.",
        "tool c f input",
        r#"tool c f error "no""#,
        r#"tool ? tool output "alone""#,
        "end",
    ];
    assert_eq!(heard.outline(), expected);
    // Only the first of a call's records, or its only one, is shown to those who know no results.
    let shown = [("f", ""), ("tool", "alone")];
    assert_eq!(heard.tools(), shown.map(|(name, text)| (name.to_owned(), text.to_owned())));
}

#[tokio::test]
async fn a_run_that_waits_tells_for_what() {
    let interrupts = json!([
        {"id": "i1", "reason": "tool_call", "toolCallId": "c1", "message": "Delete it?"},
        {"id": "i2", "reason": "value"},
        {"reason": "without an id"},
        7,
    ]);
    let end = json!({"type": "RUN_FINISHED", "threadId": "t", "runId": "r",
        "outcome": {"type": "interrupt", "interrupts": interrupts}});
    let body = agui::events(&[agui::started(), end]);
    let expected = [
        "reason interrupt",
        "waiting i1 Approval Some(\"c1\") Delete it?",
        "waiting i2 Input None value",
        "status the agent waits for a decision that cannot be given here",
        "end",
    ];
    assert_eq!(heard("kind = \"agui\"", Script::sse(&body)).await.outline(), expected);
}

#[tokio::test]
async fn odd_members_cost_no_reply_and_the_text_is_never_read_twice() {
    let odd = json!({"token": "Me", "reasoning": 7, "tool": true, "tool_calls": {"a": 1},
        "usage": "?", "sources": 1, "finish_reason": []});
    let end = json!({"full_response": "Meow", "tool_call": {"output": null}, "citations": ["u"]});
    let body: String = [odd, end].iter().map(model::event).collect();
    let expected = ["text Me", "source u", "end"];
    assert_eq!(heard("kind = \"http\"", Script::sse(&body)).await.outline(), expected);
    let own = "kind = \"http\"\ntoken_field = \"reasoning\"";
    let body: String =
        [json!({"reasoning": "Meow"})].iter().map(model::event).collect::<String>() + model::DONE;
    assert_eq!(heard(own, Script::sse(&body)).await.outline(), ["text Meow", "end"]);
}

/// A part of a stream, as it is sent and as it has to be read.
fn piece() -> impl Strategy<Value = (Value, (&'static str, String))> {
    let word = "[a-zäöü€😀{}\" ]{1,6}";
    let text = word.prop_map(|text| (json!({"content": text}), ("text", text)));
    let thought = word.prop_map(|text| (json!({"reasoning_content": text}), ("thought", text)));
    let call = ("[a-z]{1,6}", word).prop_map(|(name, word)| {
        let arguments = json!({"q": word}).to_string();
        let function = json!({"name": name, "arguments": arguments});
        (json!({"tool_calls": [{"function": function}]}), ("tool", format!("{name} {arguments}")))
    });
    prop_oneof![text, thought, call]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Nothing of a stream is lost but white space at the end of texts, and the order stays.
    #[test]
    fn every_part_of_a_stream_is_kept_in_order(pieces in prop::collection::vec(piece(), 1..30)) {
        let body: String = pieces.iter().map(|(delta, _)| model::delta(delta)).collect();
        let body = body + &model::finish("stop") + model::DONE;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let heard = runtime.block_on(heard(MODEL, Script::sse(&body)));
        let mut texts = HashMap::<_, String>::new();
        let mut calls = Vec::new();
        for (_, (kind, text)) in &pieces {
            match *kind {
                "tool" => calls.push(text.clone()),
                kind => texts.entry(kind).or_default().push_str(text),
            }
        }
        prop_assert_eq!(heard.text(), texts.remove("text").unwrap_or_default());
        prop_assert_eq!(heard.thoughts(), texts.remove("thought").unwrap_or_default());
        let told = heard.tools().into_iter().map(|(name, text)| format!("{name} {text}"));
        prop_assert_eq!(told.collect::<Vec<_>>(), calls);
        // White space alone does not end a call, so that its place among texts is not compared.
        let is_blank = |text: &str| text.trim().is_empty();
        if pieces.iter().all(|(_, (kind, text))| *kind == "tool" || !is_blank(text)) {
            let mut kinds: Vec<_> = pieces.iter().map(|(_, (kind, _))| *kind).collect();
            kinds.dedup_by(|one, other| one == other && *one != "tool");
            let outline = heard.outline();
            let got = outline.iter().filter_map(|part| part.split(' ').next());
            let got: Vec<_> = got.filter(|kind| kinds.contains(kind)).collect();
            prop_assert_eq!(got, kinds);
        }
    }
}
