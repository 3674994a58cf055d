//! A publisher: a prebuilt buffer of masked frames, restamped with new numbers and written whole.

use std::ops::Range;
use std::time::Instant;

use anyhow::Result;

use crate::fleet::Fleet;
use crate::frame::{self, MASK, TEXT};
use crate::message::{self, FIRST_NUMBER, Names, Shape, TIME_AFTER};
use crate::protocol::Protocol;

/// Publishes to its channels in turn. A cycle is one message to each of them.
#[derive(Debug)]
pub(crate) struct Publisher {
    conn: usize,
    channels: Range<usize>,
    shape: Shape,
    buffer: Vec<u8>,
    frame_len: usize,
    /// Cycles the buffer holds.
    pub(crate) depth: u64,
    /// Cycles stamped so far.
    pub(crate) cycles: u64,
    at: usize,
    end: usize,
    written: u64,
}

impl Publisher {
    /// Prepares a buffer of about `bytes` bytes, but of one cycle at least.
    pub(crate) fn new(
        protocol: Protocol,
        conn: usize,
        channels: Range<usize>,
        names: Names,
        size: usize,
        bytes: usize,
    ) -> Result<Self> {
        let frame_len = frame::header_len(size) + size;
        let depth = (bytes / (frame_len * channels.len().max(1))).max(1);
        let mut buffer = Vec::new();
        let mut shape = Shape { size, seq_at: 0 };
        for _ in 0..depth {
            for channel in channels.clone() {
                let text;
                (text, shape) = protocol.publication(&names.channel(channel), size)?;
                frame::encode(TEXT, text.as_bytes(), &mut buffer);
            }
        }
        let depth = u64::try_from(depth)?;
        let (at, end, written, cycles) = (0, 0, 0, 0);
        Ok(Self { conn, channels, shape, buffer, frame_len, depth, cycles, at, end, written })
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// Makes the next `cycles` cycles due, at most as many as the buffer holds, as sent now.
    pub(crate) fn stamp(&mut self, cycles: u64) {
        let now = message::time(Instant::now());
        self.stamp_each(cycles, |_| now);
    }

    /// Makes the next `cycles` cycles due, at most as many as the buffer holds. `time` tells by the
    /// number of a cycle when it counts as sent.
    pub(crate) fn stamp_each(&mut self, cycles: u64, time: impl Fn(u64) -> u64) {
        let cycles = cycles.min(self.depth);
        let header = self.frame_len - self.shape.size;
        let seq_at = self.shape.seq_at;
        let mut frames = self.buffer.chunks_exact_mut(self.frame_len);
        for cycle in self.cycles..self.cycles + cycles {
            let numbers = [(seq_at, FIRST_NUMBER + cycle), (seq_at + TIME_AFTER, time(cycle))];
            for frame in frames.by_ref().take(self.channels.len()) {
                for (at, number) in numbers {
                    write_masked(&mut frame[header..], at, number);
                }
            }
        }
        self.cycles += cycles;
        self.at = 0;
        let used = usize::try_from(cycles).expect("at most the depth");
        self.end = used * self.channels.len() * self.frame_len;
    }

    /// Nothing that is due waits to be written.
    pub(crate) fn is_idle(&self) -> bool {
        self.at == self.end
    }

    /// The server has closed its connection.
    pub(crate) fn is_closed(&self, fleet: &Fleet) -> bool {
        fleet.conns[self.conn].closed.is_some()
    }

    pub(crate) fn is_writable(&self, fleet: &Fleet) -> bool {
        fleet.conns[self.conn].writable
    }

    /// Writes the messages that are due, as far as the socket takes them.
    pub(crate) fn pump(&mut self, fleet: &mut Fleet) {
        let conn = &mut fleet.conns[self.conn];
        let n = conn.write(&self.buffer[self.at..self.end]);
        self.at += n;
        self.written += n as u64;
    }

    /// Whole frames written so far.
    pub(crate) fn sent(&self) -> u64 {
        self.written / u64::try_from(self.frame_len).expect("usize has at most 64 bits")
    }

    /// Whole frames written so far to `channel`; 0 if it is another publisher's.
    pub(crate) fn sent_to(&self, channel: usize) -> u64 {
        if !self.channels.contains(&channel) {
            return 0;
        }
        let (share, place) = (self.channels.len() as u64, channel - self.channels.start);
        self.sent() / share + u64::from((place as u64) < self.sent() % share)
    }
}

/// Puts a number into a masked payload.
fn write_masked(payload: &mut [u8], at: usize, number: u64) {
    let key = MASK.iter().cycle().skip(at % MASK.len());
    let digits = message::digits(number);
    for ((to, digit), key) in payload[at..].iter_mut().zip(digits).zip(key) {
        *to = digit ^ key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamped_frames_carry_the_next_numbers_and_times_for_each_channel() {
        let mut publisher =
            Publisher::new(Protocol::Broker, 0, 3..5, Names::new(0), 256, 2000).unwrap();
        assert_eq!(publisher.depth, 3);
        publisher.stamp(2);
        publisher.stamp_each(2, |cycle| FIRST_NUMBER + 10 + cycle);
        assert_eq!(publisher.end, 4 * publisher.frame_len);
        let numbers = |at: usize| -> Vec<u64> {
            let frames = publisher.buffer[..publisher.end].chunks(publisher.frame_len);
            let texts = frames.map(|frame| {
                let masked = &frame[publisher.frame_len - 256..];
                masked.iter().zip(MASK.iter().cycle()).map(|(b, k)| b ^ k).collect()
            });
            let number = |text: Vec<u8>| message::number(&text, at).unwrap() - FIRST_NUMBER;
            texts.map(number).collect()
        };
        let seq_at = publisher.shape.seq_at;
        assert_eq!(numbers(seq_at), [2, 2, 3, 3]);
        assert_eq!(numbers(seq_at + TIME_AFTER), [12, 12, 13, 13]);
    }

    #[test]
    fn frames_are_counted_per_channel() {
        let mut publisher =
            Publisher::new(Protocol::Broker, 0, 3..5, Names::new(0), 256, 2000).unwrap();
        publisher.written = (publisher.frame_len * 3 + 100) as u64;
        assert_eq!([2, 3, 4, 5].map(|channel| publisher.sent_to(channel)), [0, 2, 1, 0]);
    }
}
