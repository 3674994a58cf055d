//! Server-sent events out of the bytes of a body (WHATWG HTML, 9.2.6).
//!
//! Every byte is read once, however the body is cut. A line or an event over the bound is an
//! error, so that a server that never ends one costs no memory. What reconnecting needs, `id` and
//! `retry`, is left out: an answer to a question cannot be asked for again.
use std::{collections::VecDeque, mem};

/// An event as a page would get it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SseEvent {
    /// The field `event`; empty if there was none.
    pub(crate) kind: String,
    /// The `data` lines, with a line break between them.
    pub(crate) data: String,
}

/// Decodes bytes into events.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// The begin of an unfinished line.
    line: Vec<u8>,
    event: SseEvent,
    /// The event has a `data` line.
    has_data: bool,
    /// No line has ended.
    at_begin: bool,
    /// The last byte was a CR: an LF that comes next belongs to it.
    after_cr: bool,
    /// Bytes of a line, and of an event's data.
    max: usize,
}

/// A line or an event is longer than the bound. Nothing after it can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is too long")]
pub(crate) struct TooLong;

// === impl Decoder ===

impl Decoder {
    const BOM: &[u8] = "\u{feff}".as_bytes();

    /// A decoder for lines and events of at most `max` bytes.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            line: Vec::new(),
            event: SseEvent::default(),
            has_data: false,
            at_begin: true,
            after_cr: false,
            max,
        }
    }

    /// Reads on, and appends the events that have ended. After an error the decoder is of no use.
    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        events: &mut VecDeque<SseEvent>,
    ) -> Result<(), TooLong> {
        if bytes.is_empty() {
            return Ok(());
        }
        if mem::take(&mut self.after_cr) {
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            let (head, rest) = bytes.split_at(end);
            let is_cr = rest.starts_with(b"\r");
            bytes = rest.get(1..).unwrap_or_default();
            if is_cr && bytes.is_empty() {
                self.after_cr = true;
            } else if is_cr {
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            }
            if self.line.is_empty() {
                self.end_line(head, events)?;
            } else {
                self.keep(head)?;
                let line = mem::take(&mut self.line);
                self.end_line(&line, events)?;
            }
        }
        self.keep(bytes)
    }

    /// Ends the body. By the standard, an event without an empty line after it is lost; some servers
    /// leave that line, or the last line break, out, so here it counts.
    pub(crate) fn finish(&mut self, events: &mut VecDeque<SseEvent>) -> Result<(), TooLong> {
        let line = mem::take(&mut self.line);
        if !line.is_empty() {
            self.end_line(&line, events)?;
        }
        self.end_line(b"", events)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + bytes.len() > self.max {
            return Err(TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, line: &[u8], events: &mut VecDeque<SseEvent>) -> Result<(), TooLong> {
        if line.len() > self.max {
            return Err(TooLong);
        }
        let mut line = line;
        if mem::take(&mut self.at_begin) {
            line = line.strip_prefix(Self::BOM).unwrap_or(line);
        }
        if line.is_empty() {
            let event = mem::take(&mut self.event);
            if mem::take(&mut self.has_data) {
                events.push_back(event);
            }
            return Ok(());
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (field, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => self.data(&String::from_utf8_lossy(value)),
            b"event" => {
                self.event.kind = String::from_utf8_lossy(value).into_owned();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn data(&mut self, value: &str) -> Result<(), TooLong> {
        let data = &mut self.event.data;
        if data.len() + value.len() >= self.max {
            return Err(TooLong);
        }
        if mem::replace(&mut self.has_data, true) {
            data.push('\n');
        }
        data.push_str(value);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
