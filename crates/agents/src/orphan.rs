//! Notices when nobody watches a turn any more.
use std::time::Duration;

use tokio::time::Instant;

use crate::{Config, Orphans, desk::Inner, ticket::TurnState};

/// How often it is looked whether somebody watches.
const LOOK: Duration = Duration::from_secs(1);

/// Whether a turn is watched. Under [`Orphans::Finish`] that is never asked.
pub(crate) struct OrphanCheck {
    grace: Option<Duration>,
    next: Instant,
    since: Option<Instant>,
}

impl OrphanCheck {
    pub(crate) fn new(config: &Config) -> Self {
        let grace = (config.orphans == Orphans::Cancel).then_some(config.orphan_grace);
        Self { grace, next: Instant::now(), since: None }
    }

    /// When to look next.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.grace.map(|_| self.next)
    }

    /// Whether nobody has watched `turn` for the whole grace period.
    pub(crate) fn is_abandoned(&mut self, desk: &Inner, turn: &TurnState, now: Instant) -> bool {
        let Some(grace) = self.grace else { return false };
        if now >= self.next {
            let watched = turn.is_awaited() || desk.hub.subscribers(&turn.ask.topic) > 0;
            self.since = if watched { None } else { self.since.or(Some(now)) };
            self.next = now + LOOK.min(grace);
        }
        self.since.is_some_and(|since| now.duration_since(since) >= grace)
    }
}
