//! The records of everything that a reply has beside its text: their order and their bounds.
use std::time::Duration;

use futures_util::{StreamExt, stream};
use quadrille_agents::{Failure, Part, ToolUse};
use quadrille_core::turn::{PendingKind, RawJson, TokenUsage, ToolState, TurnEvent};

use crate::script::{Stage, ask, paced, say, short, topic};

type Said = Result<Part, Failure>;

#[expect(clippy::unnecessary_wraps, reason = "a reply is made of results")]
fn think(text: &str) -> Said {
    Ok(Part::Reasoning(text.to_owned()))
}

#[expect(clippy::unnecessary_wraps, reason = "a reply is made of results")]
fn tool(state: ToolState, input: Option<&str>, output: Option<&str>) -> Said {
    let [input, output] = [input, output].map(|value| value.map(RawJson::of));
    let (call, name) = ("1".to_owned(), "search".to_owned());
    Ok(Part::Tool(ToolUse { call, name, state, input, output, text: String::new() }))
}

/// The records of a reply of these parts, of at most `max` bytes, in the topic of user 7.
async fn records(parts: Vec<Said>, max: usize) -> (Stage, Vec<TurnEvent>) {
    let make = std::sync::Mutex::new(Some(parts));
    let stage = Stage::with(
        |_, settings| settings.max_reply = max,
        move |_| stream::iter(make.lock().expect("no panic").take().expect("one question")).boxed(),
    );
    stage.desk.ask(ask("7", "hello")).await.expect("a turn").ended().await;
    let records = stage.records(&topic(7));
    (stage, records)
}

#[tokio::test(start_paused = true)]
async fn every_part_is_a_record_where_it_came() {
    let usage = |input, output| Ok(Part::Usage(TokenUsage { input, output }));
    let (url, name) = ("https://a".to_owned(), "n".to_owned());
    let parts = vec![
        think("Hm. "),
        think("Où?"),
        say(""),
        say("Let me "),
        think(""),
        say("look."),
        tool(ToolState::Input, Some("{}"), None),
        tool(ToolState::Output, None, Some("null")),
        think(" Ah."),
        say(" Rome."),
        Ok(Part::Source { url: url.clone(), title: String::new() }),
        Ok(Part::File { url, media_type: "image/*".into(), name: String::new() }),
        Ok(Part::Data { name, value: RawJson::of("1.50") }),
        Ok(Part::Waiting {
            ask: "a".into(),
            what: PendingKind::Input,
            call: None,
            prompt: String::new(),
        }),
        usage(1, 1),
        Ok(Part::Reason("length".into())),
        usage(9, 2),
        Ok(Part::Reason("stop".into())),
        Ok(Part::End(None)),
    ];
    let (stage, records) = records(parts, 1 << 20).await;
    let expected = [
        "started hello",
        "thought 0 Hm. ",
        "thought 4 Où?",
        "delta 0 Let me look.",
        "tool search ",
        "tool search output",
        "thought 7  Ah.",
        "delta 12  Rome.",
        "source https://a",
        "file 9 image/*",
        "data n 1.50",
        "waiting a",
        "completed Let me look. Rome.",
    ];
    assert_eq!(records.iter().map(short).collect::<Vec<_>>(), expected);
    let Some(TurnEvent::Completed(last)) = records.last() else { panic!("a completed turn") };
    let used = Some(TokenUsage { input: 9, output: 2 });
    assert_eq!((last.usage, last.reason.as_deref()), (used, Some("stop")));
    let ticket = stage.desk.find(last.turn).unwrap();
    assert_eq!((ticket.usage(), ticket.reason()), (used, Some("stop")));
    assert_eq!(ticket.last_event().as_ref(), records.last());
}

#[tokio::test(start_paused = true)]
async fn thoughts_are_merged_as_text_is() {
    let make = || (0..40).map(|_| think("t ")).chain([Ok(Part::End(None))]).collect();
    let stage = Stage::new(move |_| paced(make(), Duration::from_millis(5)));
    stage.desk.ask(ask("7", "hello")).await.unwrap().ended().await;
    let thoughts = stage.records(&topic(7)).into_iter().filter_map(|record| match record {
        TurnEvent::Reasoning(delta) => Some(delta.text),
        _ => None,
    });
    let thoughts: Vec<_> = thoughts.collect();
    assert_eq!(thoughts.concat(), "t ".repeat(40));
    assert!((8..=14).contains(&thoughts.len()), "{thoughts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_or_cancelled_turn_has_its_tokens_too() {
    let usage = Part::Usage(TokenUsage { input: 9, output: 0 });
    let parts = vec![Ok(usage), Err(quadrille_agents::Code::Upstream.into())];
    let (_stage, records) = records(parts, 1000).await;
    let Some(TurnEvent::Failed(last)) = records.last() else { panic!("a failed turn") };
    assert_eq!(last.usage, Some(TokenUsage { input: 9, output: 0 }));
}

#[tokio::test(start_paused = true)]
async fn more_than_there_is_room_for_is_cut_or_left_out_and_the_reply_goes_on() {
    let max = 200 << 10;
    let long = format!("\"{}\"", "é".repeat(40 << 10));
    let large = format!("[{}]", "1,".repeat(40 << 10) + "1");
    let data = |n: usize| {
        Ok(Part::Data { name: n.to_string(), value: RawJson::of(&"x".repeat(20 << 10)) })
    };
    let mut parts = vec![
        think(&"é".repeat(90 << 10)),
        think("éé"),
        think(&"é".repeat(20 << 10)),
        think("more"),
        tool(ToolState::Input, Some(&large), Some(&long)),
    ];
    parts.extend((0..20).map(data));
    parts.extend([tool(ToolState::Output, None, Some("1")), say("done"), Ok(Part::End(None))]);
    let (_stage, records) = records(parts, max).await;
    let mut thoughts = String::new();
    let (mut tools, mut values, mut bytes) = (Vec::new(), 0, 0);
    for record in &records {
        match record {
            TurnEvent::Reasoning(delta) => thoughts += &delta.text,
            TurnEvent::Tool(tool) => tools.push((tool.input.clone(), tool.output.clone())),
            TurnEvent::Data(data) => {
                values += 1;
                bytes += data.value.get().len();
            }
            _ => {}
        }
    }
    assert_eq!(thoughts, format!("{}…", "é".repeat(max / 2)));
    let output = tools[0].1.clone().expect("the begin of a text");
    assert!(tools[0].0.is_none() && output.get().ends_with("é…\""), "{}", output.get().len());
    assert!(values > 3 && values < 20 && bytes + output.get().len() < max, "{values} {bytes}");
    assert_eq!(tools.len(), 2, "a tool is told, with or without its result");
    assert_eq!(short(records.last().unwrap()), "completed done");
}
