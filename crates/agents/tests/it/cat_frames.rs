//! The parts that each frame of each version becomes.
use std::time::Duration;

use e2e::fake::cat::{Cat, Step, Version};
use quadrille_agents::{Code, Part, Settings};
use serde_json::json;

use crate::driver::{agent, agent_of, answer, ask, failure, parts, settings};

fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

fn status(text: &str) -> Part {
    Part::Status(text.to_owned())
}

fn end(text: &str) -> Part {
    Part::End(Some(text.to_owned()))
}

#[tokio::test]
async fn a_reply_of_every_version_becomes_its_parts() {
    for version in Version::ALL {
        let cat = Cat::of(version).await;
        cat.next([
            Step::Notice("reading".into()),
            Step::token(""),
            Step::token("sì, "),
            Step::token("certo"),
            Step::reply("sì, certo."),
        ]);
        let got = parts(ask(&agent(&cat), "ann", "why?")).await.unwrap();
        let expected =
            [status("reading"), text(""), text("sì, "), text("certo"), end("sì, certo.")];
        assert_eq!(got, expected, "{version:?}");
    }
}

#[tokio::test]
async fn notices_may_be_objects_and_what_is_new_or_a_ping_is_no_part() {
    let cat = Cat::start().await;
    cat.next([
        Step::Notice(json!({"a": 1})),
        Step::frame(r#"{"type":"new in 1.10","content":{"x":1}}"#),
        Step::Ping,
        Step::reply("done"),
    ]);
    let got = parts(ask(&agent(&cat), "ann", "why?")).await.unwrap();
    assert_eq!(got, [status(r#"{"a":1}"#), end("done")]);
    cat.heard(0, 0x8A).await;
}

#[tokio::test]
async fn an_error_of_every_version_fails_the_turn_and_ends_the_connection() {
    for version in Version::ALL {
        let cat = Cat::of(version).await;
        let agent = agent(&cat);
        cat.next([
            Step::token("well"),
            Step::Fail("ValueError".to_owned(), "the key sk-123 is bad".to_owned()),
        ]);
        let failure = failure(&agent, "ann", "why?").await;
        assert_eq!(failure.code, Code::Upstream, "{version:?}");
        assert_eq!(failure.to_string(), "the agent failed");
        let told = failure.source.map(|source| source.to_string()).unwrap_or_default();
        assert_eq!(told, r#""ValueError": "the key sk-123 is bad""#);
        assert_eq!(answer(&agent, "ann", "and now?").await, "re: and now?");
        assert_eq!(cat.calls()[1].connection, 1, "{version:?}");
        cat.closed(0).await;
    }
}

#[tokio::test]
async fn a_cat_that_repeats_its_token_does_not_put_it_into_the_log() {
    let cat = Cat::start().await;
    let agent = agent_of(&Settings { token: "a&key of 9".to_owned().into(), ..settings(&cat) });
    let told = [
        "no access: /ws/ann?token=a%26key%20of%209",
        "no access: a&key of 9",
        "no access: ?token=another-key&x=1",
        "Error code: 401 - Incorrect API key provided: sk-proj-abcdef123456",
    ];
    for told in told {
        cat.next([Step::Fail("E".to_owned(), told.to_owned())]);
        let failure = failure(&agent, "ann", "why?").await;
        assert_eq!(failure.code, Code::Upstream);
        let shown = format!("{failure} {failure:?}");
        assert!(shown.contains("(set, not shown)"), "{shown}");
        for secret in ["key", "%26", "abcdef"] {
            let shown = shown.replace("API key", "");
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_character_in_two_tokens_is_one_and_what_is_odd_is_no_part() {
    let cat = Cat::start().await;
    cat.next([
        Step::frame(r#"{"type":"chat_token","content":"a\ud83d"}"#),
        Step::frame(r#"{"type":"chat_token"}"#),
        Step::frame(r#"{"type":"chat_token","content":"\ude00"}"#),
        Step::frame(r#"{"type":"chat","content":"a\ud83d\ude00\ud83d","why":{"score":NaN}}"#),
    ]);
    let got = parts(ask(&agent(&cat), "ann", "why?")).await.unwrap();
    assert_eq!(got, [text("a"), text("😀"), end("a😀\u{fffd}")]);
}

#[tokio::test]
async fn what_is_no_answer_is_a_bad_one() {
    let frames = [
        Step::Binary(b"{}".to_vec()),
        Step::frame("no JSON"),
        Step::frame(r#"{"type":"chat","user_id":"ann","why":null}"#),
        Step::frame(r#"{"type":"chat","content":null,"text":{}}"#),
        Step::frame(r#"["chat"]"#),
    ];
    let cat = Cat::start().await;
    let agent = agent(&cat);
    for (n, frame) in frames.into_iter().enumerate() {
        cat.next([Step::token("well"), frame]);
        let failure = failure(&agent, "ann", "why?").await;
        assert_eq!((failure.code, n), (Code::BadAnswer, n), "{failure:?}");
        cat.closed(n).await;
    }
}

#[tokio::test]
async fn a_frame_larger_than_any_reply_may_be_is_too_long() {
    let cat = Cat::start().await;
    let agent = agent_of(&Settings { max_reply: 1000, ..settings(&cat) });
    let why = |bytes| json!({"type": "chat", "content": "R", "why": {"x": "y".repeat(bytes)}});
    cat.next([Step::Frame(why(3 << 20).to_string())]);
    assert_eq!(answer(&agent, "ann", "much?").await, "R");
    cat.next([Step::Frame(why(5 << 20).to_string())]);
    assert_eq!(failure(&agent, "ann", "too much?").await.code, Code::TooLong);
    cat.closed(0).await;
}

#[tokio::test]
async fn frames_that_come_byte_by_byte_are_read_whole() {
    let cat = Cat::start().await;
    let frame = r#"{"type":"chat_token","content":"sì"}"#.to_owned();
    cat.next([Step::Drip(frame, Duration::from_millis(1)), Step::reply("sì")]);
    let got = parts(ask(&agent(&cat), "ann", "why?")).await.unwrap();
    assert_eq!(got, [text("sì"), end("sì")]);
}
