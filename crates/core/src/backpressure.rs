//! When a publisher waits for its readers, without counting them one by one.
//!
//! A log sets a target at its end, lets a quarter of a ring of records pass, and then expects every
//! reader to have reached the target before it sets the next one. So a reader that is waited for
//! has half a ring to read at most, and the other half is for publishers that do not wait yet. Only
//! the number of readers before the target is kept, and a publish or a read costs O(1) whatever the
//! audience. Readers that did not reach it within the publisher's patience are lagging until they
//! have read everything; publishers do not wait for those.
use std::task::{Context, Poll, Waker};

/// The backpressure of one log. Lives under its lock.
#[derive(Debug, Default)]
pub(crate) struct Backpressure {
    /// Readers are expected at this offset or later.
    target: u64,
    /// Number of readers before the target, the lagging ones aside.
    behind: usize,
    /// A reader before this offset is lagging, whether it is marked as such or not.
    lag_end: u64,
    lagging: usize,
    waiting: Vec<Waker>,
}

impl Backpressure {
    /// Notes that a record was appended and `next` is the offset after it. True if the publisher
    /// should wait. The ring takes `capacity` records; all `readers` are before `next`.
    pub(crate) fn on_append(&mut self, next: u64, capacity: usize, readers: usize) -> bool {
        let quarter = capacity as u64 / 4;
        if self.behind == 0 && next - self.target >= quarter {
            self.target = next;
            self.behind = readers - self.lagging;
        }
        self.behind > 0 && next - self.target >= quarter
    }

    /// Notes that a reader joined with records to catch up on: it lags until it has.
    pub(crate) fn on_late_join(&mut self) {
        self.lagging += 1;
    }

    /// Notes that a reader moved from `old` to `new`, where `next` is the end of the log. True if
    /// it is lagging from now on.
    pub(crate) fn on_read(&mut self, lagging: bool, old: u64, new: u64, next: u64) -> bool {
        if lagging || old < self.lag_end {
            if new < next {
                return true;
            }
            self.lagging -= 1;
        } else if old < self.target && new >= self.target {
            self.one_less();
        }
        false
    }

    /// Notes that a reader at `at` left.
    pub(crate) fn on_leave(&mut self, lagging: bool, at: u64) {
        if lagging || at < self.lag_end {
            self.lagging -= 1;
        } else if at < self.target {
            self.one_less();
        }
    }

    /// Ready when every reader has reached `target`.
    pub(crate) fn poll_reached(&mut self, target: u64, cx: &mut Context<'_>) -> Poll<()> {
        if self.behind == 0 || self.target != target {
            return Poll::Ready(());
        }
        if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// The target, and the number of readers before it.
    pub(crate) fn target(&self) -> (u64, usize) {
        (self.target, self.behind)
    }

    /// Gives up on the readers before `target`: they are lagging.
    pub(crate) fn give_up(&mut self, target: u64) {
        if self.target != target {
            return;
        }
        self.lag_end = self.target;
        self.lagging += self.behind;
        self.behind = 0;
        self.wake();
    }

    fn one_less(&mut self) {
        self.behind -= 1;
        if self.behind == 0 {
            self.wake();
        }
    }

    fn wake(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }
}
