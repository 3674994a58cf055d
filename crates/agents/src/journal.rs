//! Where questions and replies are kept beyond the logs, for topics that have such a place.
use std::fmt;

use futures_util::future::BoxFuture;

use crate::{Ending, Exchange, Ticket};

/// Keeps turns. Which ones is up to it: of others it keeps nothing, and gives no id.
pub struct Journal {
    begin: Box<Begin>,
    before: Box<Before>,
    end: Box<End>,
}

type Begin = dyn Fn(Ticket) -> BoxFuture<'static, Result<(), NotStored>> + Send + Sync;
type Before = dyn Fn(Ticket, usize) -> BoxFuture<'static, Option<Vec<Exchange>>> + Send + Sync;
type End =
    dyn Fn(Ticket, Ending) -> BoxFuture<'static, Result<Option<i64>, NotStored>> + Send + Sync;

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").finish_non_exhaustive()
    }
}

/// It could not be stored; the cause is in the log.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[error("the turn could not be stored")]
pub struct NotStored;

impl Journal {
    /// `begin` stores the question of a turn before the turn starts; `before` gives at most so many
    /// exchanges that came before a turn, the oldest first, if they are kept; `end` stores the reply
    /// before the last record, which then carries the id that `end` gives.
    pub fn new(
        begin: impl Fn(Ticket) -> BoxFuture<'static, Result<(), NotStored>> + Send + Sync + 'static,
        before: impl Fn(Ticket, usize) -> BoxFuture<'static, Option<Vec<Exchange>>>
        + Send
        + Sync
        + 'static,
        end: impl Fn(Ticket, Ending) -> BoxFuture<'static, Result<Option<i64>, NotStored>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self { begin: Box::new(begin), before: Box::new(before), end: Box::new(end) }
    }

    pub(crate) async fn begin(&self, turn: Ticket) -> Result<(), NotStored> {
        (self.begin)(turn).await
    }

    pub(crate) async fn before(&self, turn: Ticket, window: usize) -> Option<Vec<Exchange>> {
        (self.before)(turn, window).await
    }

    pub(crate) async fn end(&self, turn: Ticket, ending: Ending) -> Result<Option<i64>, NotStored> {
        (self.end)(turn, ending).await
    }
}
