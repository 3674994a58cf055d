//! A question for the desk, and the reasons to refuse one.
use std::sync::Arc;

use quadrille_core::{Holder, IdempotencyKey, TooManyTopics, Topic};
use uuid::Uuid;

use crate::queue::QueueFull;

/// A question for the desk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The topic that gets the turn's records.
    pub topic: Topic,
    /// The user who asks.
    pub user: Arc<str>,
    /// The client whose share of the desk the turn takes.
    pub holder: Holder,
    pub text: Arc<str>,
    /// The name of the agent, if not the default.
    pub agent: Option<Arc<str>>,
    /// The same question of the same user with this key joins the first one's turn, over whichever
    /// protocol. Another question, or one in another topic, is refused.
    pub key: Option<IdempotencyKey>,
    /// The id of the turn, if the question is stored under it already.
    pub id: Option<Uuid>,
}

/// The reason why a question is not taken.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    #[error("too many questions wait in this topic")]
    TopicFull,
    #[error("too many questions wait")]
    DeskFull,
    /// Other users may still ask.
    #[error("your share of the questions that may wait is taken; wait for a reply first")]
    Share,
    #[error("there is no agent of this name")]
    NoAgent,
    #[error("the key came with another question")]
    KeyReused,
    #[error("the gateway is shutting down")]
    Draining,
    #[error(transparent)]
    Topics(#[from] TooManyTopics),
}

// === impl Ask ===

impl Ask {
    /// Bytes of its texts.
    pub(crate) fn size(&self) -> usize {
        let key = self.key.as_ref().map_or(0, |key| key.len());
        self.topic.as_str().len() + self.user.len() + self.text.len() + key
    }
}

// === impl Refused ===

impl From<QueueFull> for Refused {
    fn from(full: QueueFull) -> Self {
        match full {
            QueueFull::Topic => Self::TopicFull,
            QueueFull::Desk => Self::DeskFull,
            QueueFull::Share => Self::Share,
        }
    }
}
