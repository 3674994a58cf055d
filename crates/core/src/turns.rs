//! How a door ends a turn, without knowing who runs it.
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use uuid::Uuid;

use crate::Topic;

/// The turns that run on this node. Cloning shares it.
#[derive(Clone, Default)]
pub struct Turns(Arc<OnceLock<Box<Cancel>>>);

type Cancel = dyn Fn(&Topic, Uuid) -> bool + Send + Sync;

impl Turns {
    /// Let `cancel` end turns: it is given a topic and a turn, and says whether there is such a turn
    /// in that topic. Only the first to be set counts.
    pub fn serve(&self, cancel: impl Fn(&Topic, Uuid) -> bool + Send + Sync + 'static) {
        // There is one who runs turns; a second would be ignored.
        drop(self.0.set(Box::new(cancel)));
    }

    /// End a turn of `topic` before its reply is complete. False if there is none. A turn that has
    /// ended stays as it is; its last record tells which came first.
    pub fn cancel(&self, topic: &Topic, turn: Uuid) -> bool {
        self.0.get().is_some_and(|cancel| cancel(topic, turn))
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Turns").field(&self.0.get().is_some()).finish()
    }
}
