//! Noticing that a turn is not watched any more.
use std::time::Duration;

use quadrille_core::Hub;
use tokio::time::Instant;

use crate::{Config, Orphans, ticket::TurnState};

/// Interval between two looks for watchers.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Tells when a turn has been unwatched for too long. Under [`Orphans::Finish`] it never has.
pub(crate) struct OrphanCheck {
    grace: Option<Duration>,
    next: Instant,
    unwatched_since: Option<Instant>,
}

impl OrphanCheck {
    pub(crate) fn new(config: &Config) -> Self {
        let grace = (config.orphans == Orphans::Cancel).then_some(config.orphan_grace);
        Self { grace, next: Instant::now(), unwatched_since: None }
    }

    /// The time of the next look.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.grace.map(|_| self.next)
    }

    /// Whether `turn` has been unwatched for the whole grace period.
    pub(crate) fn is_abandoned(&mut self, hub: &Hub, turn: &TurnState, now: Instant) -> bool {
        let Some(grace) = self.grace else { return false };
        if now >= self.next {
            let watched = turn.is_awaited() || hub.subscribers(&turn.ask.topic) > 0;
            self.unwatched_since = if watched { None } else { self.unwatched_since.or(Some(now)) };
            self.next = now + CHECK_INTERVAL.min(grace);
        }
        self.unwatched_since.is_some_and(|since| now.duration_since(since) >= grace)
    }
}
