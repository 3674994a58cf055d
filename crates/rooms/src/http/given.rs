//! The conversation so far and the picture that a form may send with a question.
use std::sync::Arc;

use quadrille_agents::HistoryEntry;
use serde_json::Value;

use super::{error::Error, fields::Fields};

/// Reads the conversation as the client has it, a list of messages: JSON, or JSON in a text.
/// Questions without a reply, and replies without a question, are left out, as models expect both
/// in turn.
pub(super) fn history(fields: &Fields) -> Result<Option<Arc<[HistoryEntry]>>, Error> {
    let wrong = || Error::Field { name: "history", expected: "a list of messages" };
    let Some(text) = fields.json_text("history")? else { return Ok(None) };
    let given = match serde_json::from_str(&text).map_err(|_| wrong())? {
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => serde_json::from_str(&text).map_err(|_| wrong())?,
        given => given,
    };
    let Value::Array(messages) = given else { return Err(wrong()) };
    let (mut exchanges, mut asked) = (Vec::<HistoryEntry>::new(), None);
    for message in &messages {
        let role = ["role", "sender"].into_iter().find_map(|key| message[key].as_str());
        let Some(said) = said(message).filter(|text| !text.trim().is_empty()) else { continue };
        match role.unwrap_or_default() {
            "user" | "human" => asked = Some(said),
            "assistant" | "model" | "ai" | "bot" => {
                if let Some(question) = asked.take() {
                    exchanges.push(HistoryEntry { question, reply: said });
                }
            }
            _ => {}
        }
    }
    Ok(Some(exchanges.into()))
}

/// Reads the text of a message: a text, or parts of which some are texts.
fn said(message: &Value) -> Option<String> {
    let names = ["content", "parts", "text", "message"];
    names.into_iter().find_map(|name| match &message[name] {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let text = |value: &Value| {
                value.as_str().or_else(|| value["text"].as_str()).map(str::to_owned)
            };
            Some(parts.iter().filter_map(text).collect())
        }
        _ => None,
    })
}

/// Reads the picture: its address, or the picture itself as a `data:` URI.
pub(super) fn image(fields: &Fields) -> Result<Option<Arc<str>>, Error> {
    for name in ["image", "image_url"] {
        let Some(image) = fields.text(name)?.filter(|image| !image.trim().is_empty()) else {
            continue;
        };
        let image = image.trim();
        let begins = ["https://", "http://", "data:image/"];
        if !begins.iter().any(|scheme| image.starts_with(scheme)) {
            return Err(Error::Field { name, expected: "an address, or a data: URI of a picture" });
        }
        return Ok(Some(image.into()));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: &str, text: &str) -> Fields {
        let mut fields = Fields::default();
        fields.put(name.to_owned(), text.to_owned());
        fields
    }

    #[test]
    fn a_history_is_questions_with_their_replies() {
        let text = r#"[{"role":"assistant","content":"alone"},{"role":"user","content":"a"},
            {"role":"model","parts":[{"text":"b"},"c"]},{"sender":"user","text":"d"},
            {"role":"system","content":"x"},{"sender":"assistant","message":"e\ud83d"},
            {"role":"user","content":"f"},{"role":"assistant","content":" "},7]"#;
        let exchange = |question: &str, reply: &str| HistoryEntry {
            question: question.to_owned(),
            reply: reply.to_owned(),
        };
        let expected = [exchange("a", "bc"), exchange("d", "e\u{fffd}")];
        assert_eq!(history(&fields("history", text)).unwrap().as_deref(), Some(&expected[..]));
        assert_eq!(history(&fields("history", "[]")).unwrap().as_deref(), Some(&[][..]));
        assert_eq!(history(&fields("history", " ")).unwrap(), None);
        for wrong in ["{}", "7", "[", "\"x\""] {
            assert!(history(&fields("history", wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_picture_is_an_address_or_itself() {
        for good in ["https://a/b.png", " http://a", "data:image/png;base64,AA=="] {
            for name in ["image", "image_url"] {
                let image = image(&fields(name, good)).unwrap();
                assert_eq!(image.as_deref(), Some(good.trim()));
            }
        }
        assert_eq!(image(&fields("image", "")).unwrap(), None);
        for wrong in ["file:///etc/passwd", "data:text/html,x", "b.png"] {
            assert!(image(&fields("image", wrong)).is_err(), "{wrong}");
        }
    }
}
