//! A publication under way, and its outcome.
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;

use crate::{Position, Shortage};

/// The record is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub at: Position,
    /// Connections that follow the topic.
    pub subscribers: usize,
}

/// Why there is no room for a topic.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum TooManyTopics {
    /// The node holds as many topics as it may, and all of them are in use.
    #[error("too many topics")]
    Full,
    /// The client follows as many topics as one may; others may still follow more.
    #[error("this user follows too many topics")]
    Share,
}

impl From<Shortage> for TooManyTopics {
    fn from(shortage: Shortage) -> Self {
        match shortage {
            Shortage::Full => Self::Full,
            Shortage::Share | Shortage::Strangers => Self::Share,
        }
    }
}

/// A publication: done at once as a rule, or waiting for its readers.
#[must_use]
pub enum Publish {
    Done(std::future::Ready<Result<Receipt, TooManyTopics>>),
    /// Publications of one caller are in the order in which it awaits them.
    Wait(BoxFuture<'static, Result<Receipt, TooManyTopics>>),
}

impl Future for Publish {
    type Output = Result<Receipt, TooManyTopics>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Done(done) => Pin::new(done).poll(cx),
            Self::Wait(waiting) => waiting.as_mut().poll(cx),
        }
    }
}

impl fmt::Debug for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(done) => f.debug_tuple("Done").field(done).finish(),
            Self::Wait(_) => f.write_str("Wait"),
        }
    }
}
