//! Asking an agent, and what is heard of it.
use std::sync::Arc;

use e2e::patience::within;
use futures_util::StreamExt;
use quadrille_agents::{
    Agent, Code, Failure, Given, HistoryEntry, Part, Question, Settings, ToolUse, open,
};
use quadrille_core::{
    Life,
    turn::{TokenUsage, ToolState},
};
use uuid::Uuid;

/// All that an agent said.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) parts: Vec<Part>,
    pub(crate) failure: Option<Failure>,
}

/// The settings of a table.
pub(crate) fn settings(table: &str) -> Settings {
    toml::from_str(table).unwrap_or_else(|why| panic!("{why}: {table}"))
}

pub(crate) fn agent(table: &str) -> Arc<dyn Agent> {
    open("it", &settings(table), &Life::new()).unwrap_or_else(|why| panic!("{why}: {table}"))
}

/// User 7 asks in `room:cats`, and has asked there before.
pub(crate) fn question(text: &str) -> Question {
    let exchange = |question: &str, reply: &str| HistoryEntry {
        question: question.to_owned(),
        reply: reply.to_owned(),
    };
    Question {
        turn: Uuid::now_v7(),
        topic: "room:cats".parse().expect("a topic"),
        user: "7".into(),
        text: text.into(),
        history: vec![exchange("Hello?", "Meow."), exchange("Again?", "Purr.")],
        given: Given::default(),
    }
}

pub(crate) async fn ask(agent: &dyn Agent, text: &str) -> Heard {
    let mut reply = agent.ask(question(text));
    let (mut parts, mut failure) = (Vec::new(), None);
    within("the end of a reply", async {
        while let Some(part) = reply.next().await {
            match part {
                Ok(part) => parts.push(part),
                Err(why) => failure = Some(why),
            }
        }
    })
    .await;
    Heard { parts, failure }
}

impl Heard {
    /// The whole reply, which must have come to its end.
    pub(crate) fn reply(&self) -> String {
        assert!(self.failure.is_none(), "{self:?}");
        let ends = self.parts.iter().filter(|part| matches!(part, Part::End(_))).count();
        match self.parts.last() {
            Some(Part::End(end)) if ends == 1 => end.clone().unwrap_or_else(|| self.text()),
            _ => panic!("one end, and nothing after it: {self:?}"),
        }
    }

    /// The texts so far.
    pub(crate) fn text(&self) -> String {
        let text =
            |part: &Part| if let Part::Text(text) = part { Some(text.clone()) } else { None };
        self.parts.iter().filter_map(text).collect()
    }

    /// How the reply failed, which it must have without an end.
    pub(crate) fn code(&self) -> Code {
        assert!(!self.parts.iter().any(|part| matches!(part, Part::End(_))), "{self:?}");
        self.failure.as_ref().unwrap_or_else(|| panic!("a failure: {self:?}")).code
    }

    /// The cause that is logged for the failure.
    pub(crate) fn cause(&self) -> String {
        let cause = self.failure.as_ref().and_then(|failure| failure.source.as_ref());
        cause.map(ToString::to_string).unwrap_or_default()
    }

    pub(crate) fn tools(&self) -> Vec<(String, String)> {
        let tool = |part: &Part| match part {
            Part::Tool(tool) if tool.state == ToolState::Input || !tool.text.is_empty() => {
                Some((tool.name.clone(), tool.text.clone()))
            }
            _ => None,
        };
        self.parts.iter().filter_map(tool).collect()
    }

    /// The thoughts.
    pub(crate) fn thoughts(&self) -> String {
        let thoughts =
            |part: &Part| if let Part::Reasoning(text) = part { Some(text.clone()) } else { None };
        self.parts.iter().filter_map(thoughts).collect()
    }

    /// The tokens that count: those told last.
    pub(crate) fn usage(&self) -> Option<TokenUsage> {
        let usage = |part: &Part| if let Part::Usage(usage) = part { Some(*usage) } else { None };
        self.parts.iter().rev().find_map(usage)
    }

    /// The parts in short, without empty texts, adjacent ones joined.
    pub(crate) fn outline(&self) -> Vec<String> {
        let mut all: Vec<(&str, String)> = Vec::new();
        for part in &self.parts {
            let (kind, text) = match part {
                Part::Text(text) | Part::Reasoning(text) if text.is_empty() => continue,
                Part::Text(text) => ("text", text.clone()),
                Part::Reasoning(text) => ("thought", text.clone()),
                Part::Status(text) => ("status", text.clone()),
                Part::Tool(ToolUse { call, name, state, input, output, .. }) => {
                    let values = [input, output].into_iter().flatten();
                    let values: Vec<_> = values.map(|value| value.get().to_owned()).collect();
                    ("tool", format!("{call} {name} {} {}", state.as_str(), values.join(" ")))
                }
                Part::Source { url, title } => ("source", format!("{url} {title}")),
                Part::File { url, media_type, .. } => ("file", format!("{url} {media_type}")),
                Part::Data { name, value } => ("data", format!("{name} {}", value.get())),
                Part::Waiting { ask, what, call, prompt } => {
                    ("waiting", format!("{ask} {what:?} {call:?} {prompt}"))
                }
                Part::Usage(usage) => ("usage", format!("{} {}", usage.input, usage.output)),
                Part::Reason(reason) => ("reason", reason.clone()),
                Part::End(_) => ("end", String::new()),
            };
            match all.last_mut() {
                Some((last, before)) if *last == kind && matches!(kind, "text" | "thought") => {
                    before.push_str(&text);
                }
                _ => all.push((kind, text)),
            }
        }
        all.into_iter().map(|(kind, text)| format!("{kind} {text}").trim_end().to_owned()).collect()
    }

    pub(crate) fn notices(&self) -> Vec<String> {
        let notice =
            |part: &Part| if let Part::Status(text) = part { Some(text.clone()) } else { None };
        self.parts.iter().filter_map(notice).collect()
    }
}
