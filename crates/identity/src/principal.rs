//! An authenticated client.
use std::{sync::Arc, time::Duration};

use quadrille_core::Topic;
use tokio::time::Instant;

use super::grants::Grants;

/// Added before seconds are cut off, to round them.
const HALF_A_SECOND: Duration = Duration::from_millis(500);

/// An action on a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Subscribe, read history and presence.
    Read,
    /// Publish.
    Write,
}

/// A client's identity. Cloning is a few reference counts.
#[derive(Clone, Debug)]
pub struct Principal {
    /// `None` for a guest, or a program without a user.
    pub user: Option<Arc<str>>,
    /// Name of the user, if the token has one.
    pub name: Option<Arc<str>>,
    pub(super) is_guest: bool,
    pub(super) grants: Arc<Grants>,
    /// Time at which the token expires; `None` for guests, and where connections outlive their tokens.
    pub expires: Option<Instant>,
}

impl Principal {
    /// A client without a token, where a token is not needed: nothing is granted.
    pub fn guest() -> Self {
        Self { user: None, name: None, is_guest: true, grants: Arc::default(), expires: None }
    }

    /// Whether this is a client without a token, where a token is not needed.
    pub fn is_guest(&self) -> bool {
        self.is_guest
    }

    /// Seconds until the token expires, rounded.
    pub fn expires_in(&self) -> Option<u64> {
        let left = |at: Instant| at.saturating_duration_since(Instant::now());
        self.expires.map(|at| (left(at) + HALF_A_SECOND).as_secs())
    }

    pub(super) fn allows(&self, action: Action, topic: &Topic) -> bool {
        self.owns(topic) || self.grants.allow(action, topic)
    }

    /// Whether the token has `scope`, for what is not about a topic.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.grants.has_scope(scope)
    }

    /// A user's own topic needs no grant.
    fn owns(&self, topic: &Topic) -> bool {
        topic.namespace() == "user" && self.user.as_deref() == Some(topic.name())
    }
}
