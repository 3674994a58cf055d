//! Cancelling a turn without knowing the desk that runs it.
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use uuid::Uuid;

use crate::Topic;

/// The turns that run on this node. Cloning shares it.
#[derive(Clone, Default)]
pub struct Turns(Arc<OnceLock<Box<CancelFn>>>);

type CancelFn = dyn Fn(&Topic, Option<Uuid>) -> Option<Uuid> + Send + Sync;

impl Turns {
    /// Registers the desk's [`cancel`](Self::cancel). Panics if one is registered already: a node has
    /// one desk.
    pub fn register(
        &self,
        cancel: impl Fn(&Topic, Option<Uuid>) -> Option<Uuid> + Send + Sync + 'static,
    ) {
        assert!(self.0.set(Box::new(cancel)).is_ok(), "a node has one desk");
    }

    /// Ends a turn of `topic` before its reply is complete: `turn`, or else the one that runs, or else
    /// the one that has waited longest. Returns the turn, or `None` if there is none. A turn that has
    /// ended stays as it is; its last record tells which came first.
    pub fn cancel(&self, topic: &Topic, turn: Option<Uuid>) -> Option<Uuid> {
        self.0.get().and_then(|cancel| cancel(topic, turn))
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Turns").field(&self.0.get().is_some()).finish()
    }
}
