//! One session that polls, as its requests share it.
use std::{
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
};

use quadrille_core::{Close, Holder, telemetry};
use tokio::time::Instant;

use super::{
    handler::{EngineLink, Handler},
    polled::{PollAnswer, Polled},
    work::{BeginError, RequestKind},
};

/// One session, until it ends or goes on as a WebSocket.
pub(super) struct Slot<H> {
    polled: Mutex<Option<Polled<H>>>,
    /// Answer to the poll that waits when the session ends, if there is one besides a refusal.
    farewell: OnceLock<&'static str>,
    /// A WebSocket has taken the session over. It holds the slot until it ends.
    upgraded: AtomicBool,
}

impl<H: Handler> Slot<H> {
    pub(super) fn new(polled: Polled<H>) -> Self {
        Self {
            polled: Mutex::new(Some(polled)),
            farewell: OnceLock::new(),
            upgraded: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Polled<H>>> {
        self.polled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the session, if there is one, and wakes the tasks that wait for that.
    fn change<T>(&self, change: impl FnOnce(&mut Polled<H>) -> T) -> Option<T> {
        let mut slot = self.lock();
        let polled = slot.as_mut()?;
        let changed = change(polled);
        let wakers = std::mem::take(&mut polled.wakers);
        drop(slot);
        wakers.into_iter().for_each(Waker::wake);
        Some(changed)
    }

    /// The client that the session counts for; `None` if it has ended.
    pub(super) fn holder(&self) -> Option<Holder> {
        self.lock().as_ref().map(|polled| polled.inbox.holder())
    }

    /// Wakes the watch when the session has to end, unless a poll that waits will see it.
    pub(super) fn watch(&self) {
        if let Some(polled) = self.lock().as_ref().filter(|polled| !polled.busy.reading) {
            // That it has to end already is seen at the next sweep.
            let _is_over = polled.session.poll_ended(&mut Context::from_waker(&polled.watch));
        }
    }

    /// Forgets a session whose place another has. False if it stays: it has to be told first, or a
    /// request is at it just now, and the next sweep ends it.
    pub(super) fn make_room(&self) -> bool {
        let Ok(mut slot) = self.polled.try_lock() else { return false };
        let Some(polled) = slot.take_if(|polled| polled.is_displaced()) else { return false };
        drop(slot);
        polled.wakers.into_iter().for_each(Waker::wake);
        true
    }

    /// Ready when there is no session here any more.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.lock().as_mut() {
            Some(polled) => {
                polled.wake(cx);
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }

    /// Whether it went on as a WebSocket.
    pub(super) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Relaxed)
    }

    /// Answer to the poll that waited when the session ended.
    pub(super) fn farewell(&self) -> Option<&'static str> {
        self.farewell.get().copied()
    }

    /// Whether there is no session here any more; false while a request is at it. Never waits: the
    /// table of all sessions is locked meanwhile, and the request may look into that.
    pub(super) fn is_gone(&self) -> bool {
        self.polled.try_lock().is_ok_and(|polled| polled.is_none())
    }

    /// Begins a request, and tells whether a WebSocket is probing the session.
    pub(super) fn begin(&self, work: RequestKind) -> Result<bool, BeginError> {
        let now = Instant::now();
        self.end_if_over(now);
        let mut slot = self.lock();
        let polled = slot.as_mut().ok_or(BeginError::Gone)?;
        let is_probed = polled.busy.probing;
        let flag = polled.busy.flag(work);
        if *flag {
            return Err(BeginError::Overlap);
        }
        *flag = true;
        polled.last_request = now;
        let wakers = std::mem::take(&mut polled.wakers);
        drop(slot);
        wakers.into_iter().for_each(Waker::wake);
        Ok(is_probed)
    }

    /// Ends a request.
    pub(super) fn finish(&self, work: RequestKind) {
        self.change(|polled| *polled.busy.flag(work) = false);
    }

    /// Ready when a poll waits, or there is no session any more.
    pub(super) fn poll_reader(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.lock().as_mut().filter(|polled| !polled.busy.reading) {
            Some(polled) => {
                polled.wake(cx);
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }

    /// Calls the handler; the poll that waits gets what it sends. `None` if there is no session any
    /// more.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut H, &mut EngineLink<'_>) -> T) -> Option<T> {
        self.change(|polled| polled.with(work))
    }

    /// Whether the client should poll before it sends more.
    pub(super) fn is_congested(&self) -> bool {
        self.lock().as_ref().is_some_and(Polled::is_congested)
    }

    /// Time at which a poll has to end with a ping, or with the session.
    pub(super) fn due(&self) -> Option<Instant> {
        self.lock().as_ref().map(Polled::due)
    }

    /// Answers the poll that is [due](Self::due) with a ping, unless the session ends.
    pub(super) fn ping(&self, now: Instant) {
        if let Some(polled) = self.lock().as_mut() {
            polled.ping(now);
        }
    }

    /// Ready with a body for the poll that waits, which is empty if a WebSocket is about to take
    /// over; `None` if there is no session any more.
    pub(super) fn poll_read(&self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        let mut slot = self.lock();
        let Some(polled) = slot.as_mut() else { return Poll::Ready(None) };
        match polled.read(cx) {
            PollAnswer::Pending => Poll::Pending,
            PollAnswer::Body(body) => Poll::Ready(Some(body)),
            PollAnswer::Last(body) => {
                *slot = None;
                Poll::Ready(Some(body).filter(|body| !body.is_empty()))
            }
        }
    }

    /// Ends the session; the poll that waits is answered with `farewell`.
    pub(super) fn part(&self, close: &Close, farewell: &'static str) {
        // Of two ends the first counts.
        self.farewell.set(farewell).ok();
        self.close(close);
    }

    /// Ends the session; the poll that waits is refused.
    pub(super) fn close(&self, close: &Close) {
        let mut slot = self.lock();
        let Some(polled) = slot.take() else { return };
        // Clients that are sent away may close it themselves.
        let close = polled.session.info().ending().unwrap_or(close);
        telemetry::connection_ended(H::NAME, polled.session.id(), close);
        drop(slot);
        polled.wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether the packets of the client do not count any more.
    pub(super) fn is_ending(&self) -> bool {
        let now = Instant::now();
        self.lock().as_ref().is_some_and(|polled| polled.is_ending(now))
    }

    pub(super) fn end_if_over(&self, now: Instant) {
        let close = self.lock().as_mut().and_then(|polled| polled.is_over(now));
        if let Some(close) = close {
            self.close(&close);
        }
    }

    /// Ends the poll that is under way, and further ones, for a WebSocket is about to take over.
    pub(super) fn release(&self) {
        self.change(|polled| polled.release = true);
    }

    /// Goes on polling after an upgrade that failed.
    pub(super) fn keep(&self) {
        if let Some(polled) = self.lock().as_mut() {
            polled.release = false;
        }
    }

    /// Takes the session away, once no packet is written to it any more; `None` if it has ended.
    pub(super) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<Polled<H>>> {
        let mut slot = self.lock();
        if let Some(polled) = slot.as_mut().filter(|polled| polled.busy.writing) {
            polled.wake(cx);
            return Poll::Pending;
        }
        let mut taken = slot.take();
        self.upgraded.store(taken.is_some(), Relaxed);
        drop(slot);
        if let Some(polled) = &mut taken {
            std::mem::take(&mut polled.wakers).into_iter().for_each(Waker::wake);
        }
        Poll::Ready(taken)
    }
}
