//! `agui`: the events of AG-UI over HTTP, as its own servers and Cheshire Cat 2 send them.
//!
//! Source of the events: docs.ag-ui.com, "Events" and `RunAgentInput`. Names of fields are read as
//! the protocol writes them (`toolCallName`) and as Cheshire Cat 2 does (`tool_call_name`).
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    reply::{self, Parts, Reader},
    tools::Tools,
    upstream,
    web::{Trouble, Web},
};
use crate::{Agent, BadConfig, Code, Content, Part, Question, Reply, Settings, sse};

/// Bytes of a notice that are shown.
const MAX_NOTICE: usize = 1000;

#[derive(Debug)]
pub(super) struct Agui {
    web: Arc<Web>,
    content: Content,
    window: usize,
    body: Map<String, Value>,
}

/// What has been heard of one run.
#[derive(Debug, Default)]
struct Run {
    tools: Tools<String>,
    /// There has been text in this run.
    has_text: bool,
    /// A message has begun, and has not had text. Messages are parted by an empty line.
    is_new: bool,
    /// The message is not the agent's own.
    is_muted: bool,
    /// The message that the last chunk of a message was of.
    message: Option<String>,
    /// The tool that the last event was a chunk of.
    tool: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE")]
enum Event {
    RunStarted,
    RunFinished {
        outcome: Option<Value>,
        result: Option<Value>,
    },
    RunError {
        #[serde(default)]
        message: Value,
        #[serde(default)]
        code: Value,
    },
    StepStarted {
        #[serde(alias = "stepName")]
        step_name: String,
    },
    TextMessageStart {
        role: Option<String>,
    },
    TextMessageContent {
        delta: String,
    },
    TextMessageEnd,
    TextMessageChunk {
        #[serde(alias = "messageId")]
        message_id: Option<String>,
        role: Option<String>,
        delta: Option<String>,
    },
    ToolCallStart {
        #[serde(alias = "toolCallId")]
        tool_call_id: String,
        #[serde(alias = "toolCallName")]
        tool_call_name: String,
    },
    ToolCallArgs {
        #[serde(alias = "toolCallId")]
        tool_call_id: String,
        delta: String,
    },
    ToolCallEnd {
        #[serde(alias = "toolCallId")]
        tool_call_id: String,
    },
    ToolCallChunk {
        #[serde(alias = "toolCallId")]
        tool_call_id: Option<String>,
        #[serde(alias = "toolCallName")]
        tool_call_name: Option<String>,
        delta: Option<String>,
    },
    Custom {
        value: Option<Value>,
    },
    /// Thoughts, state, activities, results of tools, and what is not known yet.
    #[serde(other)]
    Other,
}

// === impl Agui ===

impl Agui {
    /// What the dialect says itself.
    const OWN: [&str; 3] = ["messages", "runId", "threadId"];

    pub(super) fn open(name: &str, settings: &Settings) -> Result<Self, BadConfig> {
        let url = upstream::address(name, settings, &["http", "https"])?;
        let is_cat = url.path().contains("/agents/") && url.path().ends_with("/message");
        let guessed = if is_cat { Content::Blocks } else { Content::Text };
        Ok(Self {
            web: Web::open(name, settings, url)?,
            content: settings.content.unwrap_or(guessed),
            window: upstream::window(name, settings)?,
            body: upstream::body(name, settings, &Self::OWN)?,
        })
    }

    /// A `RunAgentInput`. All of its fields are needed, also those that are empty here.
    fn body(&self, question: &Question) -> Value {
        let turn = question.turn;
        let mut messages = Vec::new();
        for (n, exchange) in question.before.iter().enumerate() {
            messages.push(self.message(&format!("{turn}-{n}q"), "user", &exchange.question));
            messages.push(self.message(&format!("{turn}-{n}r"), "assistant", &exchange.reply));
        }
        messages.push(self.message(&turn.to_string(), "user", &question.text));
        let mut body = json!({
            "threadId": question.topic.as_str(),
            "runId": turn,
            "messages": messages,
            "state": {},
            "tools": [],
            "context": [],
            "forwardedProps": {},
        });
        upstream::add(&mut body, &self.body);
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
        reply::reply(&self.web, body, Run::default())
    }

    fn window(&self) -> usize {
        self.window
    }
}

// === impl Run ===

impl Reader for Run {
    fn event(&mut self, event: &sse::Event, parts: &mut Parts) -> Result<(), Trouble> {
        let event = serde_json::from_str(&event.data)?;
        // Chunks of a tool end with whatever comes after them.
        if !matches!(event, Event::ToolCallChunk { .. })
            && let Some(id) = self.tool.take()
        {
            self.tools.end(&id, parts);
        }
        match event {
            Event::RunStarted => {}
            Event::RunFinished { outcome, result } => self.finish(outcome, result, parts),
            Event::RunError { message, code } => {
                return Err(Trouble::new(Code::Upstream, format!("{message} {code}")));
            }
            Event::StepStarted { step_name: notice }
            | Event::Custom { value: Some(Value::String(notice)) } => {
                let end = notice.floor_char_boundary(MAX_NOTICE);
                parts.push_back(Part::Status(notice.get(..end).unwrap_or_default().to_owned()));
            }
            Event::TextMessageStart { role } => self.begin(role.as_deref()),
            Event::TextMessageContent { delta } => self.text(delta, parts),
            Event::TextMessageChunk { message_id, role, delta } => {
                if message_id.is_some() && message_id != self.message {
                    self.begin(role.as_deref());
                    self.message = message_id;
                }
                self.text(delta.unwrap_or_default(), parts);
            }
            Event::ToolCallStart { tool_call_id: id, tool_call_name: name } => {
                self.tools.more(id, &name, "")?;
                alive(parts);
            }
            Event::ToolCallArgs { tool_call_id: id, delta } => {
                self.tools.more(id, "", &delta)?;
                alive(parts);
            }
            Event::ToolCallEnd { tool_call_id: id } => self.tools.end(&id, parts),
            Event::ToolCallChunk { tool_call_id, tool_call_name, delta } => {
                self.tool_chunk(tool_call_id, tool_call_name, delta, parts)?;
            }
            Event::TextMessageEnd | Event::Custom { .. } | Event::Other => alive(parts),
        }
        Ok(())
    }

    /// As Cheshire Cat 2 answers to `stream = false`.
    fn whole(&mut self, json: &[u8], parts: &mut Parts) -> Result<(), Trouble> {
        let result: Value = serde_json::from_slice(json)?;
        let Some(text) = last_words(&result) else {
            return Err(Trouble::new(Code::BadAnswer, "no message of an assistant at its end"));
        };
        parts.push_back(Part::End(Some(text)));
        Ok(())
    }
}

impl Run {
    fn begin(&mut self, role: Option<&str>) {
        self.is_new = true;
        self.is_muted = role.is_some_and(|it| it != "assistant");
    }

    fn text(&mut self, delta: String, parts: &mut Parts) {
        if self.is_muted || delta.is_empty() {
            return alive(parts);
        }
        let parted = std::mem::take(&mut self.is_new) && self.has_text;
        self.has_text = true;
        parts.push_back(Part::Text(if parted { format!("\n\n{delta}") } else { delta }));
    }

    fn finish(&mut self, outcome: Option<Value>, result: Option<Value>, parts: &mut Parts) {
        self.tools.end_all(parts);
        let outcome = outcome.unwrap_or_default();
        if outcome == "interrupt" || outcome["type"] == "interrupt" {
            let notice = "the agent waits for a decision that cannot be given here";
            parts.push_back(Part::Status(notice.to_owned()));
        }
        // An agent that did not stream has its reply in the result.
        let text = result.filter(|_| !self.has_text).and_then(|it| last_words(&it));
        parts.push_back(Part::End(text));
    }

    fn tool_chunk(
        &mut self,
        id: Option<String>,
        name: Option<String>,
        delta: Option<String>,
        parts: &mut Parts,
    ) -> Result<(), Trouble> {
        if let Some(open) = self.tool.take_if(|open| id.as_ref().is_some_and(|id| id != open)) {
            self.tools.end(&open, parts);
        }
        let Some(id) = id.or_else(|| self.tool.take()) else {
            return Err(Trouble::new(Code::BadAnswer, "a chunk of a tool call without an id"));
        };
        let (name, delta) = (name.unwrap_or_default(), delta.unwrap_or_default());
        self.tools.more(id.clone(), &name, &delta)?;
        self.tool = Some(id);
        alive(parts);
        Ok(())
    }
}

/// Something came, but nothing to show.
fn alive(parts: &mut Parts) {
    parts.push_back(Part::Text(String::new()));
}

/// The text of a result: itself, or its last message if that is the assistant's, with the content
/// as a text or in blocks.
fn last_words(result: &Value) -> Option<String> {
    if let Value::String(text) = result {
        return Some(text.clone());
    }
    let last = result["messages"].as_array()?.last()?;
    if last["role"] != "assistant" {
        return None;
    }
    match &last["content"] {
        Value::String(text) => Some(text.clone()),
        Value::Array(blocks) => Some(blocks.iter().filter_map(|it| it["text"].as_str()).collect()),
        _ => None,
    }
}
