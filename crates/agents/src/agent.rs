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
    pub given: Given,
}

/// What a client gives along with a question, beyond its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// What was said before, as the client has it, in place of what the topic has.
    pub before: Option<Arc<[Exchange]>>,
    /// The picture that is asked about: an address, or a `data:` URI. Nobody here opens it.
    pub image: Option<Arc<str>>,
    /// How much effort the client asks for, in its own word.
    pub level: Option<Arc<str>>,
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

// === impl Given ===

impl Given {
    /// Bytes of memory that it takes.
    pub(crate) fn size(&self) -> usize {
        let texts = [&self.image, &self.level].into_iter().flatten().map(|it| it.len());
        let before = self.before.iter().flat_map(|it| it.iter());
        texts.chain(before.map(|it| it.question.len() + it.reply.len())).sum()
    }
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
