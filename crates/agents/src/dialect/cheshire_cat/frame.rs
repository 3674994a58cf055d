//! Frames of the wire: one JSON object in each text frame, both ways.
use quadrille_core::turn::TokenUsage;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::super::{facts, fault, web::Trouble};
use crate::{
    Code, Given,
    lenient::{Document, Json},
};

/// The meaning of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MessageType {
    /// A piece of the reply, in WTF-8: it may end with half of a character.
    Token(Vec<u8>),
    Notice(String),
    /// The whole reply, after which nothing follows, and the question that it answers by its own
    /// account.
    Reply(String, Option<String>, CatExtras),
    /// A type that is newer than this dialect.
    Other,
}

/// The members of a reply beside its text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CatExtras {
    pub(super) image: Option<String>,
    pub(super) audio: Option<String>,
    /// The tokens of all calls of the language model, from 1.7 on.
    pub(super) usage: Option<TokenUsage>,
}

/// The frame of a question, with a space because the Python client writes one. A picture is a member
/// from 1.8 on, and further members reach plugins.
pub(super) fn question(text: &str, given: &Given) -> Utf8Bytes {
    let more = [("image", &given.image), ("intelligence_level", &given.level)];
    let more = more.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let members = [("text", text)].into_iter().chain(more);
    let members = members.map(|(name, value)| format!("\"{name}\": {}", Value::from(value)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(", ")).into()
}

/// Reads a frame, as far as the reply needs it.
pub(super) fn read(frame: &str) -> Result<MessageType, Trouble> {
    let document = parse(frame)?;
    let frame = document.root();
    fault::named(frame)?;
    let [kind, content, text, message] = frame.members(["type", "content", "text", "message"]);
    Ok(match &*kind.string().unwrap_or_default() {
        "chat_token" => match [content, text].into_iter().find_map(Json::words) {
            Some(token) => MessageType::Token(token.into_owned()),
            None => MessageType::Other,
        },
        "notification" if content.is_string() => {
            MessageType::Notice(content.string().unwrap_or_default())
        }
        // Since 1.9 this may be an object, which is shown unchanged.
        "notification" if !content.is_null() => MessageType::Notice(content.raw().to_owned()),
        "chat" => {
            // 1.8 and later repeat the reply three times; before, there is only `content`.
            let Some(reply) = [content, text, message].into_iter().find_map(Json::text) else {
                return Err(Trouble::new(Code::BadAnswer, "a chat without content and text"));
            };
            let [input, calls] = frame.get("why").members(["input", "model_interactions"]);
            let input = input.string().filter(|input| !input.is_empty());
            MessageType::Reply(reply, input, CatExtras::of(frame, calls))
        }
        "error" => return Err(failed(frame)),
        "" => {
            fault::of_another_shape(frame)?;
            MessageType::Other
        }
        _ => MessageType::Other,
    })
}

impl CatExtras {
    fn of(frame: Json<'_>, calls: Json<'_>) -> Self {
        let [image, audio] =
            frame.members(["image", "audio"]).map(|url| url.string().filter(|url| !url.is_empty()));
        // The tokens of an embedder are none of the reply's.
        let is_llm = |call: &Json<'_>| call.get("model_type").string().as_deref() == Some("llm");
        let usages = calls.items().into_iter().filter(is_llm).filter_map(facts::usage);
        Self { image, audio, usage: usages.reduce(facts::sum) }
    }
}

/// Whether an unrequested frame is a notice, or of a newer type, and no part of a reply.
pub(super) fn is_harmless(frame: &str) -> bool {
    parse(frame).is_ok_and(|document| {
        let kind = document.root().get("type").string();
        !matches!(kind.as_deref(), Some("chat_token" | "chat" | "error"))
    })
}

fn parse(text: &str) -> Result<Document<'_>, Trouble> {
    let document = Document::read(text)?;
    if !document.root().is_object() {
        return Err(Trouble::new(Code::BadAnswer, "not a JSON object"));
    }
    Ok(document)
}

/// The failure by the Cat's name and description, or by the whole frame.
fn failed(frame: Json<'_>) -> Trouble {
    let [name, description] = frame.members(["name", "description"]);
    let told: Vec<_> = [name, description].into_iter().filter(|member| member.is_set()).collect();
    if told.is_empty() {
        return fault::failed(frame);
    }
    let told: Vec<_> = told.into_iter().map(Json::raw).collect();
    Trouble::new(Code::Upstream, told.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(frame: &str) -> MessageType {
        read(frame).unwrap()
    }

    fn wrong(frame: &str) -> Code {
        read(frame).unwrap_err().code
    }

    #[test]
    fn a_question_is_what_the_python_client_sends() {
        let alone = question("a \"b\"\n", &Given::default());
        assert_eq!(alone.as_str(), r#"{"text": "a \"b\"\n"}"#);
        let given = Given {
            image: Some("https://a/\"".into()),
            level: Some("nano".into()),
            ..Given::default()
        };
        let expected = r#"{"text": "a", "image": "https://a/\"", "intelligence_level": "nano"}"#;
        assert_eq!(question("a", &given).as_str(), expected);
    }

    #[test]
    fn tokens_and_notices_of_every_version() {
        let token = |text: &str| MessageType::Token(text.into());
        assert_eq!(said(r#"{"type":"chat_token","content":"a\u00e8"}"#), token("aè"));
        assert_eq!(said(r#"{"type":"chat_token","content":""}"#), token(""));
        assert_eq!(said(r#"{"type":"chat_token","content":7,"x":NaN}"#), token("7"));
        assert_eq!(said(r#"{"type":"chat_token","text":"a","type":"chat_token"}"#), token("a"));
        for frame in [r#"{"type":"chat_token"}"#, r#"{"type":"chat_token","content":null}"#] {
            assert_eq!(said(frame), MessageType::Other);
        }
        let half = MessageType::Token(vec![0xED, 0xA0, 0xBD]);
        assert_eq!(said(r#"{"type":"chat_token","content":"\ud83d"}"#), half);
        let notice = |text: &str| MessageType::Notice(text.to_owned());
        assert_eq!(said(r#"{"type":"notification","content":"n"}"#), notice("n"));
        assert_eq!(said(r#"{"type":"notification","content":{"a":[1]}}"#), notice(r#"{"a":[1]}"#));
        assert_eq!(said(r#"{"type":"notification"}"#), MessageType::Other);
        assert_eq!(said(r#"{"type":"json-notification","content":1}"#), MessageType::Other);
        assert_eq!(said(r#"{"content":"x"}"#), MessageType::Other);
    }

    #[test]
    fn replies_of_every_version() {
        let frames = [
            (
                r#"{"type":"chat","user_id":"u","content":"R","why":{"input":"why?","memory":{}}}"#,
                Some("why?"),
            ),
            (r#"{"type":"chat","user_id":"u","content":"R","why":null}"#, None),
            (
                r#"{"type":"chat","text":"R","content":"R","message":"R","who":"AI","when":1.5}"#,
                None,
            ),
            (r#"{"type":"chat","text":"R","content":null,"why":{"input":null}}"#, None),
            (
                r#"{"why":{"memory":{"x":[{"score":NaN}]},"input":"why?"},"text":"R","type":"chat"}"#,
                Some("why?"),
            ),
            (r#"{"type":"chat","content":"R","why":{"input":""}}"#, None),
            (r#"{"type":"chat","content":"R","why":"because"}"#, None),
            (r#"{"type":"chat","content":"R","why":[{"input":"x"}],"error":false}"#, None),
            (r#"{"type":"chat","content":[{"type":"text","text":"R"}]}"#, None),
            (r#"{"type":"chat","message":"R"}"#, None),
        ];
        for (frame, input) in frames {
            assert_eq!(
                said(frame),
                MessageType::Reply("R".to_owned(), input.map(str::to_owned), CatExtras::default()),
                "{frame}"
            );
        }
        assert_eq!(
            said(r#"{"type":"chat","content":""}"#),
            MessageType::Reply(String::new(), None, CatExtras::default())
        );
    }

    #[test]
    fn a_reply_may_have_files_and_count_its_tokens() {
        let frame = r#"{"type":"chat","content":"R","image":"data:image/png;base64,AA==","audio":"",
            "why":{"model_interactions":[{"model_type":"embedder","input_tokens":50},
            {"model_type":"llm","input_tokens":9,"output_tokens":2},
            {"model_type":"llm","input_tokens":1,"output_tokens":1}]}}"#;
        let MessageType::Reply(_, _, extras) = said(frame) else { panic!("a reply") };
        let image = Some("data:image/png;base64,AA==".to_owned());
        let usage = Some(TokenUsage { input: 10, output: 3 });
        assert_eq!(extras, CatExtras { image, audio: None, usage });
        let odd =
            r#"{"type":"chat","content":"R","image":7,"audio":{},"why":{"model_interactions":1}}"#;
        assert_eq!(said(odd), MessageType::Reply("R".to_owned(), None, CatExtras::default()));
    }

    #[test]
    fn a_reply_that_is_none_is_a_bad_answer() {
        let frames = [
            r#"{"type":"chat"}"#,
            r#"{"type":"chat","content":{}}"#,
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
    fn failures_have_many_shapes() {
        let frames = [
            (r#"{"type":"error","name":"E","description":"no"}"#, r#""E": "no""#),
            (r#"{"type":"error","name":"E","description":""}"#, r#""E""#),
            (r#"{"type":"error","content":"no"}"#, r#"{"type":"error","content":"no"}"#),
            (r#"{"type":"chat","content":"R","error":"no"}"#, r#""no""#),
            (r#"{"error":{"message":"no"}}"#, r#"{"message":"no"}"#),
            (r#"{"detail":"no"}"#, r#"{"detail":"no"}"#),
        ];
        for (frame, told) in frames {
            assert_eq!(read(frame), Err(Trouble::new(Code::Upstream, told)), "{frame}");
        }
    }

    #[test]
    fn only_notices_and_news_may_come_unasked() {
        let is = |kind: &str| is_harmless(&format!(r#"{{"type":"{kind}","content":"x"}}"#));
        assert!(is("notification") && is("something-new"));
        assert!(!is("chat") && !is("chat_token") && !is("error") && !is_harmless("no JSON"));
    }
}
