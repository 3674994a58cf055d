//! `openai`: any server with the `/chat/completions` of `OpenAI`.
//!
//! The request has the fields that every such server takes: `model`, `messages` and `stream`. Everything else,
//! as `temperature`, `user` or `stream_options`, comes from the configuration, because many servers
//! refuse fields that they do not know. See the API reference of `OpenAI`, "Chat Completions" and
//! "Streaming events", and `docs/agents.md` for how others differ.
use std::sync::Arc;

use serde_json::{Map, Value, json};

pub(super) use self::stream::OpenaiReader;
use super::{reply, upstream, web::Web};
use crate::{Agent, BadConfig, Question, Reply, Settings};

mod calls;
mod stream;

#[derive(Debug)]
pub(super) struct Openai {
    web: Arc<Web>,
    model: String,
    system: String,
    window: usize,
    body: Map<String, Value>,
}

// === impl Openai ===

impl Openai {
    /// The fields that the dialect sets itself.
    const OWN_FIELDS: [&str; 2] = ["messages", "model"];

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
            body: upstream::body(name, settings, &Self::OWN_FIELDS)?,
        })
    }

    fn body(&self, question: &Question) -> Value {
        let message = |role: &str, content: &str| json!({"role": role, "content": content});
        let mut messages = Vec::new();
        if !self.system.is_empty() {
            messages.push(message("system", &self.system));
        }
        for exchange in &question.history {
            messages.push(message("user", &exchange.question));
            if !exchange.reply.trim().is_empty() {
                messages.push(message("assistant", &exchange.reply));
            }
        }
        messages.push(match question.given.image.as_deref() {
            None => message("user", &question.text),
            Some(image) => json!({"role": "user", "content": [
                {"type": "text", "text": &*question.text},
                {"type": "image_url", "image_url": {"url": image}},
            ]}),
        });
        let mut body = json!({"model": self.model, "messages": messages, "stream": true});
        upstream::add(&mut body, &self.body, &question.given);
        body
    }
}

impl Agent for Openai {
    fn ask(&self, question: Question) -> Reply {
        let body = self.body(&question).to_string().into_bytes();
        reply::reply(&self.web, body, OpenaiReader::default())
    }

    fn window(&self) -> usize {
        self.window
    }
}
