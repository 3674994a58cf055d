//! Snapshots: a server sends the whole conversation, with the reply at its end.
use super::super::web::Trouble;
use crate::{
    Question,
    dialect::reply::Parts,
    lenient::{Halves, Json},
};

use super::messages::Messages;

/// The question, so that its reply is found after it.
#[derive(Debug)]
pub(super) struct AskedQuestion {
    turn: String,
    text: String,
}

/// The assistant's messages after a question.
#[derive(Debug)]
pub(super) struct Snapshot {
    replies: Vec<(Option<String>, String)>,
    /// The question before them is surely this turn's. Otherwise it may be an earlier one, sent before
    /// the run.
    is_sure: bool,
}

impl AskedQuestion {
    pub(super) fn new(question: &Question) -> Self {
        Self { turn: question.turn.to_string(), text: question.text.to_string() }
    }

    /// The assistant's messages of a snapshot after the question.
    pub(super) fn snapshot(&self, messages: Json<'_>) -> Snapshot {
        let messages: Vec<_> =
            messages.items().into_iter().map(|message| SnapshotMessage::of(message)).collect();
        let question = messages.iter().rposition(|message| message.role == "user");
        let is_sure = question.and_then(|at| messages.get(at)).is_some_and(|message| {
            message.id.as_deref() == Some(&self.turn) || message.text.trim() == self.text.trim()
        });
        // Without a question the whole may be of earlier turns; the last message is not.
        let from = question.map_or(messages.len().saturating_sub(1), |at| at + 1);
        let is_reply = |message: &SnapshotMessage| {
            let is_ours = message.id.as_ref().is_some_and(|id| id.starts_with(&self.turn));
            message.role == "assistant" && !message.text.is_empty() && !is_ours
        };
        let replies = messages.into_iter().skip(from).filter(is_reply);
        let replies = replies.map(|message| (message.id, message.text));
        Snapshot { replies: replies.collect(), is_sure }
    }
}

impl Snapshot {
    /// Adds the messages that came only here. Those that are not surely the reply count if there is no
    /// other.
    pub(super) fn add_to(self, messages: &mut Messages, parts: &mut Parts) -> Result<(), Trouble> {
        let texts = self.replies.iter().map(|(_, text)| &**text);
        if !self.is_sure && messages.has_text() || messages.are(texts) {
            return Ok(());
        }
        self.replies.iter().try_for_each(|(id, text)| messages.add(id.as_deref(), text, parts))
    }
}

struct SnapshotMessage {
    id: Option<String>,
    role: String,
    text: String,
}

impl SnapshotMessage {
    fn of(message: Json<'_>) -> Self {
        let [id, role, content] = message.members(["id", "role", "content"]);
        let text = content.words().map(|text| Halves::alone(&text)).unwrap_or_default();
        Self { id: id.text(), role: role.string().unwrap_or_default(), text }
    }
}

/// The text of a result: itself, or its last message if that is the assistant's, with the content
/// as a text or in blocks, or a member that is one.
pub(super) fn last_words(result: Json<'_>) -> Option<String> {
    if result.is_string() {
        return result.string();
    }
    let [messages, text, content, output] =
        result.members(["messages", "text", "content", "output"]);
    if let Some(last) = messages.items().last() {
        let SnapshotMessage { role, text, .. } = SnapshotMessage::of(*last);
        return (role == "assistant" && !last.get("content").is_null()).then_some(text);
    }
    [text, content, output].into_iter().find_map(Json::text)
}
