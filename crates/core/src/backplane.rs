//! The wire between nodes. Without one, the hub is the whole cluster.
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::{Draft, Hub, Position, Topic, event::Record};

/// A shared log that every node appends to and reads from.
pub trait Backplane: Send + Sync + 'static {
    /// Append to the shared log. The record comes back to every node, this one too, through
    /// [`Hub::accept`].
    fn publish(&self, draft: Draft) -> BoxFuture<'_, Result<Position, BackplaneError>>;

    /// Begin or cease to feed this node with `topic`: its first reader came, its last one left.
    fn follow(&self, topic: &Topic, on: bool);

    /// At most `limit` records after `since`, oldest first, that the local log no longer holds.
    fn backfill<'a>(
        &'a self,
        topic: &'a Topic,
        since: Position,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, BackplaneError>>;

    /// Drive the connections until told to stop.
    fn run(self: Arc<Self>, hub: Hub, stop: CancellationToken) -> BoxFuture<'static, ()>;
}

/// The backplane did not do it.
#[derive(Debug, thiserror::Error)]
pub enum BackplaneError {
    #[error("the backplane is unreachable")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
}
