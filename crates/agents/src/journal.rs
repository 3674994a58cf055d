//! Storage of questions and replies beyond the logs of their topics.
use std::sync::Arc;

use futures_util::future::{self, BoxFuture, FutureExt};
use quadrille_core::Topic;
use uuid::Uuid;

use crate::{
    HistoryEntry,
    ticket::{AgentReport, Ending, Ticket},
};

/// Stores turns: the question when it is asked, the text as it grows, and the end.
pub trait Journal: Send + Sync + 'static {
    /// Stores the question of `turn` and its key, when it is asked. If this fails, the turn fails
    /// unasked.
    fn begin<'a>(&'a self, turn: &'a Ticket) -> BoxFuture<'a, Result<Begun, NotStored>>;

    /// The stored exchanges before `turn`, oldest first, at most `window` of them. `None` if they
    /// are not stored or cannot be read: then the log of the topic has to do.
    fn history<'a>(
        &'a self,
        turn: &'a Ticket,
        window: usize,
    ) -> BoxFuture<'a, Option<Vec<HistoryEntry>>>;

    /// Stores what replies have grown by, all of it or nothing. If this fails, it comes again with
    /// the next growth.
    fn grow(&self, grown: Vec<Growth>) -> BoxFuture<'_, Result<(), NotStored>>;

    /// Stores how `turn` ended, before its last record is published, and returns the id of the
    /// stored message, which that record then carries. If this fails, a complete reply becomes a
    /// failure. With `untold`, the next start has to publish that record again.
    fn end<'a>(
        &'a self,
        turn: &'a Ticket,
        ending: &'a Ending,
        untold: bool,
    ) -> BoxFuture<'a, Result<Option<i64>, NotStored>>;

    /// The stored turn of this id.
    fn find(&self, turn: Uuid) -> BoxFuture<'_, Option<KeptTurn>>;
}

/// The outcome of storing a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    New,
    /// The key is of this turn; nothing was stored.
    Known(KeptTurn),
}

/// A part of a reply that came after what is stored of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    pub turn: Uuid,
    /// Bytes of the reply before this part.
    pub start: usize,
    pub text: String,
}

/// A stored turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptTurn {
    pub id: Uuid,
    pub topic: Topic,
    pub user: Arc<str>,
    pub question: Arc<str>,
    /// The name of the agent; empty if it is not known.
    pub agent: Arc<str>,
    /// The reply as far as it is stored, of a turn that goes on.
    pub text: String,
    /// `None` while it goes on, wherever that is.
    pub ending: Option<Ending>,
    /// Id of the stored message that holds the reply.
    pub message: Option<i64>,
    pub report: Option<AgentReport>,
}

/// The reason why a turn is not stored.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum NotStored {
    /// The cause is in the log; it may be possible later.
    #[error("the turn could not be stored")]
    Failed,
    /// Another task closed it, or it was deleted.
    #[error("the turn is not open any more")]
    Gone,
}

// === impl KeptTurn ===

impl KeptTurn {
    /// Whether it is the turn of this question to this agent. The store has no NUL, but U+FFFD.
    pub(crate) fn is_same(&self, topic: &Topic, question: &str, agent: &str) -> bool {
        let stored = question.chars().map(|char| if char == '\0' { '\u{fffd}' } else { char });
        self.topic == *topic
            && self.question.chars().eq(stored)
            && (self.agent.is_empty() || *self.agent == *agent)
    }
}

/// Stores nothing.
impl Journal for () {
    fn begin<'a>(&'a self, _turn: &'a Ticket) -> BoxFuture<'a, Result<Begun, NotStored>> {
        future::ready(Ok(Begun::New)).boxed()
    }

    fn history<'a>(
        &'a self,
        _turn: &'a Ticket,
        _window: usize,
    ) -> BoxFuture<'a, Option<Vec<HistoryEntry>>> {
        future::ready(None).boxed()
    }

    fn grow(&self, _grown: Vec<Growth>) -> BoxFuture<'_, Result<(), NotStored>> {
        future::ready(Ok(())).boxed()
    }

    fn end<'a>(
        &'a self,
        _turn: &'a Ticket,
        _ending: &'a Ending,
        _untold: bool,
    ) -> BoxFuture<'a, Result<Option<i64>, NotStored>> {
        future::ready(Ok(None)).boxed()
    }

    fn find(&self, _turn: Uuid) -> BoxFuture<'_, Option<KeptTurn>> {
        future::ready(None).boxed()
    }
}
