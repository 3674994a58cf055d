//! What an agent is: a question goes in, the parts of its reply come out.
use std::sync::Arc;

use futures_util::stream::BoxStream;
use quadrille_core::Topic;
use uuid::Uuid;

use crate::Failure;

/// Whatever can answer a question: one dialect of one upstream.
pub trait Agent: Send + Sync + 'static {
    /// Begin to answer. Nothing happens before the first poll, and dropping the stream cancels:
    /// what it holds upstream is closed at once.
    ///
    /// The stream ends with [`Part::End`] or with an error, and is not polled after either.
    fn ask(&self, question: Question) -> Reply;

    /// How many earlier turns of the topic a question should bring along.
    fn window(&self) -> usize {
        0
    }
}

/// The parts of a reply, in order.
pub type Reply = BoxStream<'static, Result<Part, Failure>>;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub turn: Uuid,
    /// Where it is asked: one conversation, of one user as a rule.
    pub topic: Topic,
    /// Who asks; never empty, without control characters, at most as long as a topic.
    pub user: Arc<str>,
    pub text: Arc<str>,
    /// The topic's earlier turns, oldest first, as many as [`Agent::window`] at most.
    pub before: Vec<Exchange>,
}

/// An earlier question and its reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub question: String,
    pub reply: String,
}

impl Exchange {
    /// Bytes of all that comes along with a question, at most, unless the newest alone has more.
    pub const BYTES: usize = 1 << 20;
}

/// A part of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// More of the text. May be empty, and is then only a sign of life.
    Text(String),
    /// The agent's own notice.
    Status(String),
    /// A tool that the agent uses, and what it says about it.
    Tool { name: String, text: String },
    /// The last part. The whole text if the agent tells it, or else all [`Part::Text`] together.
    End(Option<String>),
}
