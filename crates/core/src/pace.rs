//! When a publisher waits for its readers, without counting them one by one.
//!
//! A log sets a mark at its end, lets a quarter of a ring of records pass, and then wants every
//! reader to have come by the mark before it sets the next one; so a reader that is waited for has
//! half a ring to read at most, and the other half is for publishers that do not wait yet. Only the number of readers behind the mark
//! is kept, and a publish or a read costs O(1) whatever the audience. Readers that did not come by
//! within the publisher's patience are laggards until they have caught up; nobody waits for those.
use std::task::{Context, Poll, Waker};

/// The pace of one log. Lives under its lock.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Readers are wanted at this offset or later.
    mark: u64,
    /// How many readers, laggards aside, are not there yet.
    behind: usize,
    /// A reader before this offset is a laggard, known as one or not.
    line: u64,
    laggards: usize,
    waiting: Vec<Waker>,
}

impl Pace {
    /// A record was appended and `next` is the offset after it. True when the publisher should
    /// wait. The ring takes `capacity` records; of `readers` all are behind `next`.
    pub(crate) fn appended(&mut self, next: u64, capacity: usize, readers: usize) -> bool {
        let quarter = capacity as u64 / 4;
        if self.behind == 0 && next - self.mark >= quarter {
            self.mark = next;
            self.behind = readers - self.laggards;
        }
        self.behind > 0 && next - self.mark >= quarter
    }

    /// A reader joined that has records to catch up with: a laggard until it has.
    pub(crate) fn joined_late(&mut self) {
        self.laggards += 1;
    }

    /// A reader moved from `old` to `new`, where `next` is the end of the log. Tells whether it is
    /// a laggard from now on.
    pub(crate) fn moved(&mut self, laggard: bool, old: u64, new: u64, next: u64) -> bool {
        if laggard || old < self.line {
            if new < next {
                return true;
            }
            self.laggards -= 1;
        } else if old < self.mark && new >= self.mark {
            self.one_less();
        }
        false
    }

    /// A reader left.
    pub(crate) fn left(&mut self, laggard: bool, at: u64) {
        if laggard || at < self.line {
            self.laggards -= 1;
        } else if at < self.mark {
            self.one_less();
        }
    }

    /// The log starts over at `next`: whoever is on it has to catch up.
    pub(crate) fn restarted(&mut self, next: u64, readers: usize) {
        (self.mark, self.line) = (next, next);
        (self.behind, self.laggards) = (0, readers);
        self.wake();
    }

    /// Ready when there is nobody to wait for at `mark`.
    pub(crate) fn poll_clear(&mut self, mark: u64, cx: &mut Context<'_>) -> Poll<()> {
        if self.behind == 0 || self.mark != mark {
            return Poll::Ready(());
        }
        if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// The mark that readers are waited for at, and how many of them.
    pub(crate) fn wanted(&self) -> (u64, usize) {
        (self.mark, self.behind)
    }

    /// The publisher's patience is over: those behind `mark` are laggards.
    pub(crate) fn give_up(&mut self, mark: u64) {
        if self.mark != mark {
            return;
        }
        self.line = self.mark;
        self.laggards += self.behind;
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
