//! The numbers that publications carry, and the channel names they go to, all of one length per run.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The least number: ten digits without a leading zero, so it is JSON and all are as long.
pub(crate) const FIRST_NUMBER: u64 = 1_000_000_000;
pub(crate) const DIGITS: usize = 10;
/// How far the time of sending is behind the sequence number, in every protocol.
pub(crate) const TIME_AFTER: usize = DIGITS + 6;

/// Names channels that no other run and no other round uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names {
    run: u32,
    round: u32,
}

impl Names {
    pub(crate) fn new(round: u32) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { run: now.subsec_nanos() ^ std::process::id().rotate_left(16), round }
    }

    pub(crate) fn channel(self, number: usize) -> String {
        format!("bench-{:08x}-{:02}-{number:06}", self.run, self.round % 100)
    }
}

/// Where things are in every publication of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) size: usize,
    pub(crate) seq_at: usize,
}

/// Reads the number at `at`.
pub(crate) fn number(text: &[u8], at: usize) -> Option<u64> {
    let digits = text.get(at..at + DIGITS)?;
    digits.iter().try_fold(0, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit - b'0'))
    })
}

/// Reads the time of sending of a message whose sequence number is at `seq_at`.
pub(crate) fn sent_at(text: &[u8], seq_at: usize) -> Option<u64> {
    number(text, seq_at + TIME_AFTER)
}

/// The ten digits of a number.
pub(crate) fn digits(mut number: u64) -> [u8; DIGITS] {
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).expect("below ten");
        number /= 10;
    }
    digits
}

/// An instant as a number that a publication can carry: microseconds of this run.
pub(crate) fn time(at: Instant) -> u64 {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    let micros = at.saturating_duration_since(*BEGIN.get_or_init(|| at)).as_micros();
    FIRST_NUMBER + u64::try_from(micros).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn digits_are_read_back() {
        let text = digits(FIRST_NUMBER + 120_305);
        assert_eq!(number(&text, 0), Some(FIRST_NUMBER + 120_305));
        assert_eq!(number(&text, 1), None);
        assert_eq!(number(b"10000x0000", 0), None);
    }

    #[test]
    fn times_differ_by_microseconds() {
        let now = Instant::now();
        let before = time(now);
        assert_eq!(time(now + Duration::from_millis(3)), before + 3000);
    }
}
