//! Storage of questions and replies beyond the logs of their topics.
use futures_util::future::{self, BoxFuture, FutureExt};

use crate::{
    HistoryEntry,
    ticket::{Ending, Ticket},
};

/// Stores turns. Which ones is up to the journal; of all others it stores nothing and returns no id.
pub trait Journal: Send + Sync + 'static {
    /// Stores the question of `turn` before the turn starts. If this fails, the turn fails unasked.
    fn begin<'a>(&'a self, turn: &'a Ticket) -> BoxFuture<'a, Result<(), NotStored>>;

    /// The stored exchanges before `turn`, oldest first, at most `window` of them. `None` if they
    /// are not stored or cannot be read: then the log of the topic has to do.
    fn history<'a>(
        &'a self,
        turn: &'a Ticket,
        window: usize,
    ) -> BoxFuture<'a, Option<Vec<HistoryEntry>>>;

    /// Stores how `turn` ended, before its last record is published, and returns the id of the
    /// stored message, which that record then carries. If this fails, a complete reply becomes a
    /// failure.
    fn end<'a>(
        &'a self,
        turn: &'a Ticket,
        ending: &'a Ending,
    ) -> BoxFuture<'a, Result<Option<i64>, NotStored>>;
}

/// The turn could not be stored; the cause is in the log.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[error("the turn could not be stored")]
pub struct NotStored;

/// Stores nothing.
impl Journal for () {
    fn begin<'a>(&'a self, _turn: &'a Ticket) -> BoxFuture<'a, Result<(), NotStored>> {
        future::ready(Ok(())).boxed()
    }

    fn history<'a>(
        &'a self,
        _turn: &'a Ticket,
        _window: usize,
    ) -> BoxFuture<'a, Option<Vec<HistoryEntry>>> {
        future::ready(None).boxed()
    }

    fn end<'a>(
        &'a self,
        _turn: &'a Ticket,
        _ending: &'a Ending,
    ) -> BoxFuture<'a, Result<Option<i64>, NotStored>> {
        future::ready(Ok(None)).boxed()
    }
}
