//! Frames that one subscriber has received, by kind: deliveries, gap frames and anything else.

use serde_json::Value;

use crate::message::{self, FIRST_NUMBER};
use crate::protocol::Finder;

#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) channel: usize,
    pub(crate) tally: Tally,
    finder: Finder,
    /// The sequence number of every frame is read, and all that have arrived are known.
    seen: Option<Seen>,
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
    /// Sequence numbers that had come before.
    pub(crate) duplicated: u64,
    /// Sequence numbers that a later one had overtaken.
    pub(crate) out_of_order: u64,
    /// Records left out without a gap frame, seen from the numbers, and not come late.
    pub(crate) skipped: u64,
}

/// Which numbers have come: a bit for each.
#[derive(Debug, Default)]
struct Seen(Vec<u64>);

impl Seen {
    /// Notes a number; false if it had been noted before.
    fn note(&mut self, number: u64) -> bool {
        let index = usize::try_from(number / 64).expect("numbers begin at 0 and are few");
        let bit = 1 << (number % 64);
        if index >= self.0.len() {
            self.0.resize(index + 1, 0);
        }
        let new = self.0[index] & bit == 0;
        self.0[index] |= bit;
        new
    }
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.delivered += other.delivered;
        self.gaps += other.gaps;
        self.missed += other.missed;
        self.other += other.other;
        self.duplicated += other.duplicated;
        self.out_of_order += other.out_of_order;
        self.skipped += other.skipped;
    }
}

/// Parses a gap frame: an envelope, or an event of Socket.IO.
fn gap(text: &[u8]) -> Option<Value> {
    let event =
        text.strip_prefix(b"42").and_then(|json| serde_json::from_slice::<Value>(json).ok());
    if let Some(event) = event.filter(|event| event[0] == "gap") {
        return Some(event[1].clone());
    }
    let frame = serde_json::from_slice::<Value>(text).ok()?;
    (frame["payload"]["action"] == "gap").then(|| frame["payload"].clone())
}

impl Reader {
    pub(crate) fn new(channel: usize, finder: Finder, checked: bool) -> Self {
        let seen = checked.then(Seen::default);
        Self { channel, tally: Tally::default(), finder, seen, next: FIRST_NUMBER, resync: false }
    }

    /// Counts one text frame, and returns how many publications it accounts for.
    pub(crate) fn take(&mut self, text: &[u8]) -> u64 {
        if let Some(seq_at) = self.finder.find(text) {
            self.tally.delivered += 1;
            if let Some(mut seen) = self.seen.take() {
                self.check(message::number(text, seq_at), &mut seen);
                self.seen = Some(seen);
            }
            return 1;
        }
        let Some(gap) = gap(text) else {
            self.tally.other += 1;
            return 0;
        };
        let missed = gap["missed"].as_u64();
        self.tally.gaps += 1;
        self.tally.missed += missed.unwrap_or(0);
        self.next += missed.unwrap_or(0);
        self.resync |= missed.is_none();
        missed.unwrap_or(0)
    }

    /// Counts one text frame as [`Self::take`] does; for a publication, tells when it was sent.
    pub(crate) fn take_timed(&mut self, text: &[u8]) -> Option<u64> {
        let sent_at = self.finder.find(text).and_then(|at| message::sent_at(text, at));
        (self.take(text) > 0).then_some(sent_at).flatten()
    }

    pub(crate) fn accounted(&self) -> u64 {
        self.tally.delivered + self.tally.missed
    }

    fn check(&mut self, seq: Option<u64>, seen: &mut Seen) {
        /// No run sends as many; a larger number is no number of this run.
        const MOST: u64 = 1 << 32;
        let Some(seq) = seq.filter(|seq| (FIRST_NUMBER..FIRST_NUMBER + MOST).contains(seq)) else {
            self.tally.out_of_order += 1;
            return;
        };
        if !seen.note(seq - FIRST_NUMBER) {
            self.tally.duplicated += 1;
            return;
        }
        if seq < self.next {
            self.tally.out_of_order += 1;
            self.tally.skipped = self.tally.skipped.saturating_sub(1);
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
    use crate::protocol::Protocol;

    fn tally(feed: &[Result<u64, &str>]) -> Tally {
        let (text, shape) = Protocol::Broker.publication("bench-0", 120).unwrap();
        let mut reader = Reader::new(0, Finder::new(Protocol::Broker, shape), true);
        for item in feed {
            match item {
                Ok(seq) => {
                    let seq = (FIRST_NUMBER + seq).to_string();
                    reader.take(text.replacen(&FIRST_NUMBER.to_string(), &seq, 1).as_bytes())
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
        let event = r#"42["gap",{"topic":"room:@a","missed":5}]"#;
        assert_eq!(tally(&[Ok(0), Err(event), Ok(6), Ok(7)]), told);
        let untold = Tally { delivered: 3, gaps: 1, ..Tally::default() };
        assert_eq!(tally(&[Ok(0), Err(&gap("null")), Ok(6), Ok(7)]), untold);
    }

    #[test]
    fn silent_loss_lateness_and_repeats_are_told_apart() {
        let late = Tally { delivered: 3, skipped: 1, out_of_order: 1, ..Tally::default() };
        assert_eq!(tally(&[Ok(0), Ok(3), Ok(1)]), late);
        let twice = Tally { delivered: 4, skipped: 2, duplicated: 2, ..Tally::default() };
        assert_eq!(tally(&[Ok(0), Ok(3), Ok(0), Ok(3)]), twice);
    }

    #[test]
    fn numbers_are_noted_once() {
        let mut seen = Seen::default();
        let new = [0, 63, 64, 1000, 64, 0, 999].map(|number| seen.note(number));
        assert_eq!(new, [true, true, true, true, false, false, true]);
    }

    #[test]
    fn a_publication_tells_when_it_was_sent() {
        let (text, shape) = Protocol::Socketio.publication("bench-0", 200).unwrap();
        let mut reader = Reader::new(0, Finder::new(Protocol::Socketio, shape), true);
        let delivery = text.replace(r#"42["message","#, r#"42["new_message","#);
        assert_eq!(reader.take_timed(delivery.as_bytes()), Some(FIRST_NUMBER));
        assert_eq!(reader.take_timed(br#"42["status",{}]"#), None);
        assert_eq!(reader.tally, Tally { delivered: 1, other: 1, ..Tally::default() });
    }

    #[test]
    fn anything_else_is_counted_apart() {
        let expected = Tally { other: 2, ..Tally::default() };
        assert_eq!(tally(&[Err("{}"), Err("")]), expected);
    }
}
