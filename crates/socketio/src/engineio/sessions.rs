//! The sessions that poll: they have no connection, and so are kept here between two requests.
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::Wake,
    time::Duration,
};

use quadrille_core::{Inbox, Life, Session};
use tokio::time::Instant;

use super::{handler::Handler, polled::Polled, slot::Slot};
use crate::config::Config;

/// Time between two sweeps.
const SWEEP: Duration = Duration::from_secs(1);

type Slots<H> = HashMap<Box<str>, Arc<Slot<H>>>;

/// Every session that polls, by its id.
pub(super) struct PollingSessions<H>(Mutex<Slots<H>>);

/// Forgets a session that has to make room for another as soon as it has to: no task looks after
/// it.
struct EndWatch<H> {
    sessions: Weak<PollingSessions<H>>,
    sid: Box<str>,
}

impl<H> PollingSessions<H> {
    fn all(&self) -> MutexGuard<'_, Slots<H>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn find(&self, sid: &str) -> Option<Arc<Slot<H>>> {
        self.all().get(sid).cloned()
    }
}

impl<H: Handler> PollingSessions<H> {
    /// Begins a session that polls.
    pub(super) fn open(
        self: &Arc<Self>,
        sid: &str,
        handler: H,
        session: Session,
        inbox: Inbox,
        config: &Config,
    ) {
        let watch = Arc::new(EndWatch { sessions: Arc::downgrade(self), sid: sid.into() });
        let polled = Polled::new(handler, session, inbox, config, watch.into());
        let slot = Arc::new(Slot::new(polled));
        self.all().insert(sid.into(), Arc::clone(&slot));
        slot.watch();
    }

    /// Ends the sessions that are over, and forgets those that ended.
    fn sweep(&self, now: Instant) {
        let slots: Vec<_> = self.all().values().cloned().collect();
        for slot in &slots {
            slot.end_if_over(now);
        }
        drop(slots);
        // The id of a WebSocket is known as long as it lasts.
        self.all().retain(|_, slot| !slot.is_gone() || Arc::strong_count(slot) > 1);
    }
}

/// Ends sessions whose client is gone, until the process stops.
pub(super) async fn look_after<H: Handler>(sessions: Arc<PollingSessions<H>>, life: Life) {
    let mut every = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            _ = every.tick() => sessions.sweep(Instant::now()),
            () = life.draining() => return,
        }
    }
}

impl<H: Handler> Wake for EndWatch<H> {
    fn wake(self: Arc<Self>) {
        let Some(sessions) = self.sessions.upgrade() else { return };
        if let Some(slot) = sessions.find(&self.sid)
            && slot.make_room()
        {
            sessions.all().remove(&self.sid);
        }
    }
}

impl<H> Default for PollingSessions<H> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<H> fmt::Debug for PollingSessions<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sessions").field(&self.all().len()).finish()
    }
}
