//! A publication under way.
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;

use super::{PublishError, Receipt};

/// A publication: done at once as a rule, or waiting for its readers or for the backplane.
#[must_use]
pub enum Publish {
    Done(std::future::Ready<Result<Receipt, PublishError>>),
    /// The order among the publications of one caller is the order in which it awaits these.
    Wait(BoxFuture<'static, Result<Receipt, PublishError>>),
}

impl Future for Publish {
    type Output = Result<Receipt, PublishError>;

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
