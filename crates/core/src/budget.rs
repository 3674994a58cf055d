//! The bytes that all logs together may hold.
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::sync::Notify;

/// Counts the bytes of all logs, and tells when to drop idle ones.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: AtomicUsize,
    held: AtomicUsize,
    /// Of these, the backlogs copied for readers that have fallen behind.
    copied: AtomicUsize,
    pressed: Notify,
}

/// Counts the bytes of a backlog that was copied for one reader, as long as it is held.
#[derive(Debug)]
pub(crate) struct Copied {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        let limit = AtomicUsize::new(limit);
        let [held, copied] = [AtomicUsize::new(0), AtomicUsize::new(0)];
        Self { limit, held, copied, pressed: Notify::new() }
    }

    fn limit(&self) -> usize {
        self.limit.load(Relaxed)
    }

    /// Applies the limit from now on. If more are held, idle logs are dropped at once, and the
    /// others shrink as they are next written to.
    pub(crate) fn set(&self, limit: usize) {
        self.limit.store(limit, Relaxed);
        if self.is_tight() {
            self.pressed.notify_one();
        }
    }

    /// Counts `bytes`. True if the limit is exceeded.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let held = self.held.fetch_add(bytes, Relaxed) + bytes;
        let limit = self.limit();
        if held > limit - limit / 4 {
            self.pressed.notify_one();
        }
        held > limit
    }

    /// Ends the count of `bytes`. True if the limit is still exceeded.
    pub(crate) fn give(&self, bytes: usize) -> bool {
        self.held.fetch_sub(bytes, Relaxed) - bytes > self.limit()
    }

    /// Counts `bytes` that are copied for one reader; `None` if the copies of all readers would take
    /// more than a quarter of the limit. So readers that do not read cannot empty the logs.
    pub(crate) fn copy(self: &Arc<Self>, bytes: usize) -> Option<Copied> {
        let quarter = self.limit() / 4;
        let more = |copied: usize| Some(copied.saturating_add(bytes)).filter(|sum| *sum <= quarter);
        self.copied.fetch_update(Relaxed, Relaxed, more).ok()?;
        self.take(bytes);
        Some(Copied { budget: Arc::clone(self), bytes })
    }

    /// Whether the limit is exceeded.
    pub(crate) fn is_over(&self) -> bool {
        self.held.load(Relaxed) > self.limit()
    }

    /// Whether a sixteenth of the limit is free.
    pub(crate) fn has_slack(&self) -> bool {
        let limit = self.limit();
        self.held.load(Relaxed) <= limit - limit / 16
    }

    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.held.load(Relaxed)
    }

    /// Resolves when three quarters of the limit are held; cancel-safe.
    pub(crate) async fn pressed(&self) {
        self.pressed.notified().await;
    }

    /// Whether more than half of the limit is held.
    pub(crate) fn is_tight(&self) -> bool {
        self.held.load(Relaxed) > self.limit() / 2
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        self.budget.copied.fetch_sub(self.bytes, Relaxed);
        self.budget.give(self.bytes);
    }
}
