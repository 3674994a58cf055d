//! `openai`: anything with the `/chat/completions` of `OpenAI`.
//!
//! The request has what every such server takes: `model`, `messages` and `stream`. Everything else,
//! as `temperature`, `user` or `stream_options`, comes from the configuration, because many servers
//! refuse fields that they do not know. See the API reference of `OpenAI`, "Chat Completions" and
//! "Streaming events", and `docs/agents.md` for how others differ.
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    reply::{self, Parts, Reader},
    tools::Tools,
    upstream,
    web::{Trouble, Web},
};
use crate::{Agent, BadConfig, Code, Part, Question, Reply, Settings, sse::Event};

#[derive(Debug)]
pub(super) struct Openai {
    web: Arc<Web>,
    model: String,
    system: String,
    window: usize,
    body: Map<String, Value>,
}

/// What has been heard of one answer.
#[derive(Debug, Default)]
struct Stream {
    tools: Tools<u64>,
    has_text: bool,
    finished: bool,
}

/// A chunk of a stream, or the whole of an answer. Chunks without choices tell what was used.
#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Option<Vec<Choice>>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u64,
    #[serde(alias = "message")]
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<Content>,
    refusal: Option<String>,
    tool_calls: Option<Vec<Call>>,
}

/// A text, or a list of parts of which some are texts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Pieces(Vec<Piece>),
}

#[derive(Deserialize)]
struct Piece {
    #[serde(rename = "type")]
    kind: Option<String>,
    text: Option<String>,
}

#[derive(Deserialize)]
struct Call {
    index: Option<u64>,
    id: Option<String>,
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: Option<String>,
    arguments: Option<String>,
}

// === impl Openai ===

impl Openai {
    /// What the dialect says itself.
    const OWN: [&str; 2] = ["messages", "model"];

    pub(super) fn open(name: &str, settings: &Settings) -> Result<Self, BadConfig> {
        let mut url = upstream::address(name, settings, &["http", "https"])?;
        if !url.path().trim_end_matches('/').ends_with("/chat/completions")
            && let Ok(mut path) = url.path_segments_mut()
        {
            path.pop_if_empty().extend(["chat", "completions"]);
        }
        if settings.model.is_empty() {
            let expected = "expected the name of a model, as the upstream calls it".to_owned();
            return Err(BadConfig { key: format!("{name}.model"), expected });
        }
        Ok(Self {
            web: Web::open(name, settings, url)?,
            model: settings.model.clone(),
            system: settings.system.clone(),
            window: upstream::window(name, settings)?,
            body: upstream::body(name, settings, &Self::OWN)?,
        })
    }

    fn body(&self, question: &Question) -> Value {
        let message = |role: &str, content: &str| json!({"role": role, "content": content});
        let mut messages = Vec::new();
        if !self.system.is_empty() {
            messages.push(message("system", &self.system));
        }
        for exchange in &question.before {
            messages.push(message("user", &exchange.question));
            messages.push(message("assistant", &exchange.reply));
        }
        messages.push(message("user", &question.text));
        let mut body = json!({"model": self.model, "messages": messages, "stream": true});
        upstream::add(&mut body, &self.body);
        body
    }
}

impl Agent for Openai {
    fn ask(&self, question: Question) -> Reply {
        let body = self.body(&question).to_string().into_bytes();
        reply::reply(&self.web, body, Stream::default())
    }

    fn window(&self) -> usize {
        self.window
    }
}

// === impl Stream ===

impl Reader for Stream {
    fn event(&mut self, event: &Event, parts: &mut Parts) -> Result<(), Trouble> {
        if event.data.trim() == "[DONE]" {
            self.tools.end_all(parts);
            parts.push_back(Part::End(None));
            return Ok(());
        }
        if event.kind == "error" {
            return Err(Trouble::new(Code::Upstream, &*event.data));
        }
        self.read(event.data.as_bytes(), parts)
    }

    fn whole(&mut self, json: &[u8], parts: &mut Parts) -> Result<(), Trouble> {
        self.read(json, parts)?;
        if !self.finished && !self.has_text && parts.is_empty() {
            return Err(Trouble::new(Code::BadAnswer, "no choice with a message"));
        }
        self.tools.end_all(parts);
        parts.push_back(Part::End(None));
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.finished
    }
}

impl Stream {
    fn read(&mut self, json: &[u8], parts: &mut Parts) -> Result<(), Trouble> {
        let chunk: Chunk = serde_json::from_slice(json)?;
        if let Some(error) = chunk.error {
            return Err(Trouble::new(Code::Upstream, error.to_string()));
        }
        // There is more than one only if the configuration asks for it.
        let mut choices = chunk.choices.into_iter().flatten();
        let Some(choice) = choices.find(|it| it.index == 0) else { return Ok(()) };
        if let Some(delta) = choice.delta {
            self.delta(delta, parts)?;
        }
        match choice.finish_reason.as_deref() {
            None | Some("") => Ok(()),
            Some(reason) => self.finish(reason, parts),
        }
    }

    /// Thoughts and arguments of tools are no text, but a sign of life.
    fn delta(&mut self, delta: Delta, parts: &mut Parts) -> Result<(), Trouble> {
        let mut text = delta.content.map(Content::text).unwrap_or_default();
        text.push_str(&delta.refusal.unwrap_or_default());
        self.has_text |= !text.is_empty();
        parts.push_back(Part::Text(text));
        for call in delta.tool_calls.into_iter().flatten() {
            // Some servers leave the index out, and tell calls apart by their id.
            let last = self.tools.last().copied();
            let implied = match last {
                Some(last) if call.id.is_none() => last,
                last => last.map_or(0, |last| last + 1),
            };
            let function = call.function.unwrap_or(Function { name: None, arguments: None });
            let (name, arguments) = (function.name, function.arguments);
            self.tools.more(
                call.index.unwrap_or(implied),
                name.as_deref().unwrap_or_default(),
                arguments.as_deref().unwrap_or_default(),
            )?;
        }
        Ok(())
    }

    fn finish(&mut self, reason: &str, parts: &mut Parts) -> Result<(), Trouble> {
        self.finished = true;
        self.tools.end_all(parts);
        let notice = match reason {
            "length" => "the agent stopped at its limit of length",
            "content_filter" if !self.has_text => {
                return Err(Trouble::new(Code::Upstream, "nothing passed the content filter"));
            }
            "content_filter" => "the agent's content filter ended the reply",
            _ => return Ok(()),
        };
        parts.push_back(Part::Status(notice.to_owned()));
        Ok(())
    }
}

// === impl Content ===

impl Content {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Pieces(pieces) => {
                let texts = pieces.into_iter().filter(|it| it.kind.as_deref() == Some("text"));
                texts.filter_map(|it| it.text).collect()
            }
        }
    }
}
