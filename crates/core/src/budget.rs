//! The bytes that all logs together may hold.
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::Notify;

/// Counts what the logs hold, and says when it is time to drop idle ones.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    held: AtomicUsize,
    pressed: Notify,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, held: AtomicUsize::new(0), pressed: Notify::new() }
    }

    /// Count `bytes`. True if it is more than there may be.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let held = self.held.fetch_add(bytes, Relaxed) + bytes;
        if held > self.limit - self.limit / 4 {
            self.pressed.notify_one();
        }
        held > self.limit
    }

    /// Count `bytes` no more. True if there are still too many.
    pub(crate) fn give(&self, bytes: usize) -> bool {
        self.held.fetch_sub(bytes, Relaxed) - bytes > self.limit
    }

    /// Resolves when three quarters of the limit are held; cancel-safe.
    pub(crate) async fn pressed(&self) {
        self.pressed.notified().await;
    }

    /// Whether more than half of the limit is held.
    pub(crate) fn is_tight(&self) -> bool {
        self.held.load(Relaxed) > self.limit / 2
    }
}
