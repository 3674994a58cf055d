//! The bytes that all logs together may hold.
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::Notify;

/// Counts what the logs hold, and says when it is time to drop idle ones.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: AtomicUsize,
    held: AtomicUsize,
    pressed: Notify,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        let limit = AtomicUsize::new(limit);
        Self { limit, held: AtomicUsize::new(0), pressed: Notify::new() }
    }

    fn limit(&self) -> usize {
        self.limit.load(Relaxed)
    }

    /// Allow so many bytes from now on. If more are held, idle logs are dropped at once, and the
    /// others shrink as they are next written to.
    pub(crate) fn set(&self, limit: usize) {
        self.limit.store(limit, Relaxed);
        if self.is_tight() {
            self.pressed.notify_one();
        }
    }

    /// Count `bytes`. True if it is more than there may be.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let held = self.held.fetch_add(bytes, Relaxed) + bytes;
        let limit = self.limit();
        if held > limit - limit / 4 {
            self.pressed.notify_one();
        }
        held > limit
    }

    /// Count `bytes` no more. True if there are still too many.
    pub(crate) fn give(&self, bytes: usize) -> bool {
        self.held.fetch_sub(bytes, Relaxed) - bytes > self.limit()
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
