//! What is said on the wire: one JSON object in each text frame, both ways.
use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::{Code, Failure};

/// Bytes of the Cat's own words about its failure that the log gets.
const TOLD: usize = 200;

/// Up to 1.5, the Cat itself cuts what is longer, and tells the beginning as the question.
/// Source: `MAX_TEXT_INPUT` in `cat/looking_glass/stray_cat.py`.
const CUT: usize = 2000;

/// What a frame means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Token(String),
    Notice(String),
    /// The whole reply, after which nothing follows.
    Reply(String),
    /// What the Cat says about its failure, for the log.
    Failed(String),
    /// Something newer than this dialect.
    Other,
}

/// As much of a frame as is read. The rest, which can be long, is only skipped.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    description: Option<&'a RawValue>,
    #[serde(borrow, default)]
    why: Option<Why<'a>>,
}

#[derive(Deserialize)]
struct Why<'a> {
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
}

/// The frame that asks; the space is there because the Python client writes one.
pub(super) fn question(text: &str) -> Utf8Bytes {
    format!("{{\"text\": {}}}", Value::from(text)).into()
}

/// Reads a frame that came while `asked` waits for its reply.
pub(super) fn read(frame: &str, asked: &str) -> Result<Said, Failure> {
    let frame = parse(frame)?;
    Ok(match &*frame.kind {
        "chat_token" => match frame.content.and_then(string) {
            Some(token) => Said::Token(token),
            None => return Err(Failure::new(Code::BadAnswer, "a chat_token without content")),
        },
        "notification" => frame.content.map_or(Said::Other, |it| Said::Notice(notice(it))),
        "chat" => {
            // 1.8 and later say it twice; before, there is only `content`.
            let Some(reply) =
                frame.content.and_then(string).or_else(|| frame.text.and_then(string))
            else {
                return Err(Failure::new(Code::BadAnswer, "a chat without content and text"));
            };
            let input = frame.why.and_then(|why| why.input).and_then(string);
            if input.is_some_and(|input| !is_of(&input, asked)) {
                return Err(Failure::new(Code::BadAnswer, "the reply to another question"));
            }
            Said::Reply(reply)
        }
        "error" => {
            let told = [frame.name, frame.description].into_iter().flatten();
            let told: Vec<_> = told.map(|it| begin(it.get())).collect();
            Said::Failed(told.join(": "))
        }
        _ => Said::Other,
    })
}

/// Whether a frame that nobody asked for is a notice, or something newer, and no part of a reply.
pub(super) fn is_harmless(frame: &str) -> bool {
    parse(frame).is_ok_and(|it| !matches!(&*it.kind, "chat_token" | "chat" | "error"))
}

fn parse(text: &str) -> Result<Frame<'_>, Failure> {
    // serde would also fill a struct from an array.
    if !text.trim_start().starts_with('{') {
        return Err(Failure::new(Code::BadAnswer, "not a JSON object"));
    }
    serde_json::from_str(text).map_err(|e| {
        // What it says itself may repeat what it found.
        let at = format!("not a frame: {:?} at column {}", e.classify(), e.column());
        Failure::new(Code::BadAnswer, at)
    })
}

/// Whether a reply to `input` is one to `asked`.
fn is_of(input: &str, asked: &str) -> bool {
    let is_cut = || asked.chars().nth(CUT).is_some() && asked.starts_with(input);
    input == asked || !input.is_empty() && is_cut()
}

fn string(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// A notice is a text; since 1.9 it may be an object, and is then shown as it is.
fn notice(raw: &RawValue) -> String {
    string(raw).unwrap_or_else(|| raw.get().to_owned())
}

fn begin(text: &str) -> &str {
    let end = text.floor_char_boundary(TOLD);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(frame: &str) -> Said {
        read(frame, "why?").unwrap()
    }

    fn wrong(frame: &str) -> Code {
        read(frame, "why?").unwrap_err().code
    }

    #[test]
    fn a_question_is_what_the_python_client_sends() {
        assert_eq!(question("a \"b\"\n").as_str(), r#"{"text": "a \"b\"\n"}"#);
    }

    #[test]
    fn tokens_and_notices_of_every_version() {
        let token = |text: &str| Said::Token(text.to_owned());
        assert_eq!(said(r#"{"type":"chat_token","content":"a\u00e8"}"#), token("aè"));
        assert_eq!(said(r#"{"type":"chat_token","content":""}"#), token(""));
        let notice = |text: &str| Said::Notice(text.to_owned());
        assert_eq!(said(r#"{"type":"notification","content":"n"}"#), notice("n"));
        assert_eq!(said(r#"{"type":"notification","content":{"a":[1]}}"#), notice(r#"{"a":[1]}"#));
        assert_eq!(said(r#"{"type":"notification"}"#), Said::Other);
        assert_eq!(said(r#"{"type":"json-notification","content":1}"#), Said::Other);
        assert_eq!(said(r#"{"content":"x"}"#), Said::Other);
    }

    #[test]
    fn replies_of_every_version() {
        let reply = |text: &str| Said::Reply(text.to_owned());
        let frames = [
            r#"{"type":"chat","user_id":"u","content":"R","why":{"input":"why?","memory":{}}}"#,
            r#"{"type":"chat","user_id":"u","content":"R","why":null}"#,
            r#"{"type":"chat","text":"R","content":"R","message":"R","who":"AI","when":1.5}"#,
            r#"{"type":"chat","text":"R","content":null,"why":{"input":null}}"#,
            r#"{"why":{"memory":{"x":[{}]},"input":"why?"},"text":"R","type":"chat"}"#,
        ];
        for frame in frames {
            assert_eq!(said(frame), reply("R"), "{frame}");
        }
        assert_eq!(said(r#"{"type":"chat","content":""}"#), reply(""));
    }

    #[test]
    fn a_reply_that_is_none_is_a_bad_answer() {
        let frames = [
            r#"{"type":"chat"}"#,
            r#"{"type":"chat","content":7}"#,
            r#"{"type":"chat_token","content":{}}"#,
            r#"{"type":"chat","content":"R","why":{"input":"another"}}"#,
            r#"{"type":"chat","content":"R","why":{"input":""}}"#,
            r#"{"type":"chat","content":"R""#,
            "7",
            r#"["chat","R"]"#,
            "[]",
            "",
        ];
        for frame in frames {
            assert_eq!(wrong(frame), Code::BadAnswer, "{frame}");
        }
    }

    #[test]
    fn a_long_question_may_have_been_cut_by_the_cat() {
        let asked = "word ".repeat(500);
        let cut = asked.get(..1999).unwrap();
        assert!(is_of(cut, &asked));
        assert!(!is_of("wort", &asked) && !is_of("", &asked) && !is_of("wo", "word"));
    }

    #[test]
    fn what_a_failure_says_is_cut_for_the_log() {
        let told = "è".repeat(1000);
        let frame = format!(r#"{{"type":"error","name":"E","description":"{told}"}}"#);
        let Said::Failed(told) = said(&frame) else { panic!("not failed") };
        assert!(told.starts_with("\"E\": \"è") && told.len() <= TOLD + 5, "{told}");
        assert_eq!(said(r#"{"type":"error"}"#), Said::Failed(String::new()));
    }

    #[test]
    fn only_notices_and_news_may_come_unasked() {
        let is = |kind: &str| is_harmless(&format!(r#"{{"type":"{kind}","content":"x"}}"#));
        assert!(is("notification") && is("something-new"));
        assert!(!is("chat") && !is("chat_token") && !is("error") && !is_harmless("no JSON"));
    }
}
