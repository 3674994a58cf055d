//! The agent's thoughts: one text, whose messages are separated by an empty line.
use super::{
    super::reply::Parts,
    messages::{SEPARATOR, alive},
};
use crate::{Part, lenient::Halves};

#[derive(Debug, Default)]
pub(super) struct Thoughts {
    halves: Halves,
    /// Id of the message of the last chunk.
    chunk: Option<String>,
    has_shown: bool,
    /// Another message has begun, and nothing of it was shown.
    is_new: bool,
}

impl Thoughts {
    /// Reads an event of the message `id` whose name ends with `kind`.
    pub(super) fn read(&mut self, kind: &str, id: Option<String>, piece: &[u8], parts: &mut Parts) {
        match kind {
            "MESSAGE_START" => self.begin(parts),
            "MESSAGE_CONTENT" => self.more(piece, parts),
            "MESSAGE_CHUNK" => {
                if id.is_some() && id != self.chunk {
                    self.begin(parts);
                    self.chunk = id;
                }
                self.more(piece, parts);
            }
            _ => {}
        }
        alive(parts);
    }

    fn begin(&mut self, parts: &mut Parts) {
        self.end(parts);
        self.is_new = self.has_shown;
    }

    fn more(&mut self, piece: &[u8], parts: &mut Parts) {
        let text = self.halves.join(piece);
        self.show(&text, parts);
    }

    /// Shows a half of a character that stays alone.
    pub(super) fn end(&mut self, parts: &mut Parts) {
        if let Some(half) = self.halves.end() {
            self.show(half.encode_utf8(&mut [0; 4]), parts);
        }
    }

    fn show(&mut self, text: &str, parts: &mut Parts) {
        if text.is_empty() {
            return;
        }
        self.has_shown = true;
        let separator = if std::mem::take(&mut self.is_new) { SEPARATOR } else { "" };
        parts.push_back(Part::Reasoning([separator, text].concat()));
    }
}
