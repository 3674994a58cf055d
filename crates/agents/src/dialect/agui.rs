//! `agui`: the events of AG-UI over HTTP, as its own servers and Cheshire Cat 2 send them.
//!
//! Source of the events: docs.ag-ui.com, "Events" and `RunAgentInput`. Names of fields are read as
//! the protocol writes them (`toolCallName`) and as Cheshire Cat 2 does (`tool_call_name`).
use std::sync::Arc;

use serde_json::{Map, Value, json};

pub(super) use self::run::AguiReader;
use super::{reply, upstream, web::Web};
use crate::{Agent, BadConfig, Content, Question, Reply, Settings};

mod messages;
mod run;
mod snapshot;
mod thoughts;

#[derive(Debug)]
pub(super) struct Agui {
    web: Arc<Web>,
    content: Content,
    window: usize,
    max_reply: usize,
    body: Map<String, Value>,
}

// === impl Agui ===

impl Agui {
    /// The fields that the dialect sets itself.
    const OWN_FIELDS: [&str; 3] = ["messages", "runId", "threadId"];

    pub(super) fn open(name: &str, settings: &Settings) -> Result<Self, BadConfig> {
        let url = upstream::address(name, settings, &["http", "https"])?;
        let is_cat = url.path().contains("/agents/") && url.path().ends_with("/message");
        let guessed = if is_cat { Content::Blocks } else { Content::Text };
        Ok(Self {
            web: Web::open(name, settings, url)?,
            content: settings.content.unwrap_or(guessed),
            window: upstream::window(name, settings)?,
            max_reply: settings.max_reply,
            body: upstream::body(name, settings, &Self::OWN_FIELDS)?,
        })
    }

    /// A `RunAgentInput`. All of its fields are required, also the empty ones.
    fn body(&self, question: &Question) -> Value {
        let turn = question.turn;
        let mut messages = Vec::new();
        for (n, exchange) in question.history.iter().enumerate() {
            messages.push(self.message(&format!("{turn}-{n}q"), "user", &exchange.question));
            if !exchange.reply.trim().is_empty() {
                messages.push(self.message(&format!("{turn}-{n}r"), "assistant", &exchange.reply));
            }
        }
        let mut asked = self.message(&turn.to_string(), "user", &question.text);
        if let Some(image) = question.given.image.as_deref() {
            asked["content"] = json!([{"type": "text", "text": &*question.text}, picture(image)]);
        }
        messages.push(asked);
        let mut body = json!({
            "threadId": question.topic.as_str(),
            "runId": turn,
            "messages": messages,
            "state": {},
            "tools": [],
            "context": [],
            "forwardedProps": {},
        });
        upstream::add(&mut body, &self.body, &question.given);
        if let Some(level) = question.given.level.as_deref()
            && let Some(props) = body["forwardedProps"].as_object_mut()
        {
            props.entry("intelligence_level").or_insert_with(|| level.into());
        }
        body
    }

    fn message(&self, id: &str, role: &str, text: &str) -> Value {
        let content = match self.content {
            Content::Text => json!(text),
            Content::Blocks => json!([{"type": "text", "text": text}]),
        };
        json!({"id": id, "role": role, "content": content})
    }
}

impl Agent for Agui {
    fn ask(&self, question: Question) -> Reply {
        let body = self.body(&question).to_string().into_bytes();
        reply::reply(&self.web, body, AguiReader::new(&question, self.max_reply))
    }

    fn window(&self) -> usize {
        self.window
    }
}

/// A picture as a part of a message. The content of a `data:` URI is embedded.
fn picture(image: &str) -> Value {
    let data = image.strip_prefix("data:").and_then(|uri| uri.split_once(";base64,"));
    let source = match data {
        Some((media, data)) => json!({"type": "data", "value": data, "mimeType": media}),
        None => json!({"type": "url", "value": image}),
    };
    json!({"type": "image", "source": source})
}
