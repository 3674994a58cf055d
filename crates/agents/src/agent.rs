//! The interface of an agent: a question goes in, the parts of its reply come out.
use std::sync::Arc;

use futures_util::stream::BoxStream;
use quadrille_core::{
    Topic,
    turn::{PendingKind, RawJson, TokenUsage, ToolState},
};
use uuid::Uuid;

use crate::Failure;

/// Answers questions: one dialect of one upstream.
pub trait Agent: Send + Sync + 'static {
    /// Begins to answer. Nothing happens before the first poll, and dropping the stream cancels:
    /// its connection to the upstream is closed at once.
    ///
    /// The stream ends with [`Part::End`] or with an error, and is not polled after either.
    fn ask(&self, question: Question) -> Reply;

    /// Number of earlier turns of the topic that a question should bring along.
    fn window(&self) -> usize {
        0
    }
}

/// The parts of a reply, in order.
pub type Reply = BoxStream<'static, Result<Part, Failure>>;

/// A question to an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub turn: Uuid,
    /// The topic of the turn: one conversation, of one user as a rule.
    pub topic: Topic,
    /// The user who asks; never empty, without control characters, at most as long as a topic.
    pub user: Arc<str>,
    pub text: Arc<str>,
    /// The topic's earlier turns, oldest first, as many as [`Agent::window`] at most.
    pub history: Vec<HistoryEntry>,
    pub given: Given,
}

/// Additions of a client to its question, beyond the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// The client's own history, which replaces that of the topic.
    pub history: Option<Arc<[HistoryEntry]>>,
    /// The picture that the question is about: an address, or a `data:` URI. It is passed on
    /// unopened.
    pub image: Option<Arc<str>>,
    /// The effort that the client asks for, in its own word.
    pub level: Option<Arc<str>>,
}

/// An earlier question and its reply. An empty reply is not told to the agent: providers refuse to
/// read an empty message, and with it every further question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    pub question: String,
    pub reply: String,
}

impl HistoryEntry {
    /// Bytes of all exchanges that come along with a question, unless the newest alone has more.
    pub const BYTES: usize = 1 << 20;
}

/// A record of a tool's call; see [`Tool`](quadrille_core::turn::Tool).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolUse {
    pub call: String,
    pub name: String,
    pub state: ToolState,
    pub text: String,
    pub input: Option<RawJson>,
    pub output: Option<RawJson>,
}

// === impl Given ===

impl Given {
    /// Bytes of memory that the additions take.
    pub(crate) fn size(&self) -> usize {
        let texts = [&self.image, &self.level].into_iter().flatten().map(|text| text.len());
        let history = self.history.iter().flat_map(|exchanges| exchanges.iter());
        let lengths = history.map(|exchange| exchange.question.len() + exchange.reply.len());
        texts.chain(lengths).sum()
    }
}

/// A part of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A piece of the text. May be empty, and then only shows that the agent is alive.
    Text(String),
    /// A notice of the agent itself.
    Status(String),
    /// A piece of the agent's thoughts. May be empty, as a text.
    Reasoning(String),
    /// A tool that the agent uses: its arguments once they are complete, or its result.
    Tool(ToolUse),
    /// A source of the reply. The title may be empty.
    Source { url: String, title: String },
    /// A file that is part of the reply. The name may be empty.
    File { url: String, media_type: String, name: String },
    /// A value for the application.
    Data { name: String, value: RawJson },
    /// The agent waits for an answer.
    Waiting { ask: String, what: PendingKind, call: Option<String>, prompt: String },
    /// The tokens of the reply so far. The last one counts.
    Usage(TokenUsage),
    /// The reason for the end of the reply, as the upstream says it. The last one counts.
    Reason(String),
    /// The last part. The whole text if the agent repeats it; otherwise the text is that of all
    /// [`Part::Text`] together.
    End(Option<String>),
}
