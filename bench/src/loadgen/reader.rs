//! What one subscriber has received, told apart: deliveries, gap frames and anything else.

use serde_json::Value;

use crate::message::{self, FIRST_SEQ, START, Shape};

#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) channel: usize,
    pub(crate) tally: Tally,
    shape: Shape,
    /// Read the sequence number of every frame.
    checked: bool,
    next: u64,
    /// A gap of unknown size was announced: the next number may be any later one.
    resync: bool,
}

/// Counts of frames, except `missed`: the records that gap frames have told of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) delivered: u64,
    pub(crate) gaps: u64,
    pub(crate) missed: u64,
    pub(crate) other: u64,
    /// A sequence number that had come before, or that a later one had overtaken.
    pub(crate) out_of_order: u64,
    /// Records left out without a gap frame, seen from the numbers.
    pub(crate) skipped: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.delivered += other.delivered;
        self.gaps += other.gaps;
        self.missed += other.missed;
        self.other += other.other;
        self.out_of_order += other.out_of_order;
        self.skipped += other.skipped;
    }
}

impl Reader {
    pub(crate) fn new(channel: usize, shape: Shape, checked: bool) -> Self {
        Self { channel, tally: Tally::default(), shape, checked, next: FIRST_SEQ, resync: false }
    }

    /// Counts one text frame, and returns how many publications it accounts for.
    pub(crate) fn take(&mut self, text: &[u8]) -> u64 {
        if text.len() == self.shape.size && text.starts_with(START) {
            self.tally.delivered += 1;
            if self.checked {
                self.check(text);
            }
            return 1;
        }
        match serde_json::from_slice::<Value>(text) {
            Ok(frame) if frame["payload"]["action"] == "gap" => {
                let missed = frame["payload"]["missed"].as_u64();
                self.tally.gaps += 1;
                self.tally.missed += missed.unwrap_or(0);
                self.next += missed.unwrap_or(0);
                self.resync |= missed.is_none();
                missed.unwrap_or(0)
            }
            _ => {
                self.tally.other += 1;
                0
            }
        }
    }

    pub(crate) fn accounted(&self) -> u64 {
        self.tally.delivered + self.tally.missed
    }

    fn check(&mut self, text: &[u8]) {
        let Some(seq) = message::seq(text, self.shape) else {
            self.tally.out_of_order += 1;
            return;
        };
        if seq < self.next {
            self.tally.out_of_order += 1;
            return;
        }
        if !self.resync {
            self.tally.skipped += seq - self.next;
        }
        self.resync = false;
        self.next = seq + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(feed: &[Result<u64, &str>]) -> Tally {
        let (text, shape) = message::publication("bench-0", 120).unwrap();
        let mut reader = Reader::new(0, shape, true);
        for item in feed {
            match item {
                Ok(seq) => {
                    let seq = (FIRST_SEQ + seq).to_string();
                    reader.take(text.replace(&FIRST_SEQ.to_string(), &seq).as_bytes())
                }
                Err(text) => reader.take(text.as_bytes()),
            };
        }
        reader.tally
    }

    fn gap(missed: &str) -> String {
        format!(r#"{{"channel":"subscription","payload":{{"action":"gap","missed":{missed}}}}}"#)
    }

    #[test]
    fn an_announced_gap_is_neither_skipped_nor_out_of_order() {
        let told = Tally { delivered: 3, gaps: 1, missed: 5, ..Tally::default() };
        assert_eq!(tally(&[Ok(0), Err(&gap("5")), Ok(6), Ok(7)]), told);
        let untold = Tally { delivered: 3, gaps: 1, ..Tally::default() };
        assert_eq!(tally(&[Ok(0), Err(&gap("null")), Ok(6), Ok(7)]), untold);
    }

    #[test]
    fn silent_loss_and_repeats_are_seen() {
        let expected = Tally { delivered: 3, skipped: 2, out_of_order: 1, ..Tally::default() };
        assert_eq!(tally(&[Ok(0), Ok(3), Ok(1)]), expected);
    }

    #[test]
    fn anything_else_is_counted_apart() {
        let expected = Tally { other: 2, ..Tally::default() };
        assert_eq!(tally(&[Err("{}"), Err("")]), expected);
    }
}
