//! The messages of one run. They may come interleaved, and a reply is one text: the first that has not
//! ended is shown as it comes, and later ones wait.
use super::super::{reply::Parts, web::Trouble};
use crate::{Code, Part, lenient::Halves};

/// Messages that are kept apart; more are part of the last one.
const MAX_MESSAGES: usize = 256;

/// The text between two messages.
pub(super) const SEPARATOR: &str = "\n\n";

#[derive(Debug)]
pub(super) struct Messages {
    /// In the order of their begins.
    all: Vec<StreamedMessage>,
    /// Index of the message that is shown as it comes. Earlier ones have been shown.
    at: usize,
    /// Some text has been shown.
    has_shown: bool,
    /// The text that was shown is not the whole text, in order.
    is_incomplete: bool,
    bytes: usize,
    max: usize,
}

#[derive(Debug, Default)]
struct StreamedMessage {
    id: Option<String>,
    text: String,
    halves: Halves,
    is_open: bool,
    /// The message is not the agent's own.
    is_muted: bool,
    has_shown: bool,
}

// === impl Messages ===

impl Messages {
    /// At most `max` bytes of text. More are an error, also while they wait.
    pub(super) fn new(max: usize) -> Self {
        Self { all: Vec::new(), at: 0, has_shown: false, is_incomplete: false, bytes: 0, max }
    }

    /// Begins a message, or continues a known one.
    pub(super) fn begin(&mut self, id: Option<String>, is_muted: bool) {
        if let Some(known) = self.find(id.as_deref()) {
            self.reopen(known);
        } else if self.all.len() < MAX_MESSAGES {
            self.all.push(StreamedMessage {
                id,
                is_muted,
                is_open: true,
                ..StreamedMessage::default()
            });
        }
    }

    /// Adds to a message. A server that sends no id, or another one with each event, means the
    /// message that began last.
    pub(super) fn more(
        &mut self,
        id: Option<&str>,
        piece: &[u8],
        parts: &mut Parts,
    ) -> Result<(), Trouble> {
        let open = self.all.iter().rposition(|message| message.is_open);
        let at = self.find(id).or(open).unwrap_or_else(|| {
            self.begin(id.map(str::to_owned), false);
            self.all.len() - 1
        });
        self.reopen(at);
        let Some(message) = self.all.get_mut(at) else { return Ok(()) };
        let text = message.halves.join(piece);
        if message.is_muted || text.is_empty() {
            alive(parts);
            return Ok(());
        }
        self.push(at, &text, parts)
    }

    fn push(&mut self, at: usize, text: &str, parts: &mut Parts) -> Result<(), Trouble> {
        self.bytes += text.len();
        if self.bytes > self.max {
            return Err(too_long());
        }
        let Some(message) = self.all.get_mut(at) else { return Ok(()) };
        message.text.push_str(text);
        if at == self.at {
            self.show(at, text, parts);
        } else {
            self.is_incomplete |= at < self.at;
            alive(parts);
        }
        Ok(())
    }

    /// Ends a message.
    pub(super) fn end(&mut self, id: Option<&str>, parts: &mut Parts) -> Result<(), Trouble> {
        let open = self.all.iter().rposition(|message| message.is_open);
        let Some(at) = self.find(id).or(open) else { return Ok(()) };
        self.close(at, parts)?;
        self.advance(parts);
        Ok(())
    }

    /// Ends all messages.
    pub(super) fn end_all(&mut self, parts: &mut Parts) -> Result<(), Trouble> {
        for at in 0..self.all.len() {
            self.close(at, parts)?;
            self.advance(parts);
        }
        Ok(())
    }

    /// Adds a message of a snapshot: a known one may have another text there, and an unknown one may
    /// have come nowhere else.
    pub(super) fn add(
        &mut self,
        id: Option<&str>,
        text: &str,
        parts: &mut Parts,
    ) -> Result<(), Trouble> {
        let known = self.find(id);
        if let Some(known) = known.and_then(|at| self.all.get_mut(at)) {
            if known.is_muted || known.text == text {
                return Ok(());
            }
            self.bytes = self.bytes - known.text.len() + text.len();
            text.clone_into(&mut known.text);
            self.is_incomplete = true;
            return if self.bytes > self.max { Err(too_long()) } else { Ok(()) };
        }
        if self.has(text) {
            return Ok(());
        }
        self.begin(id.map(str::to_owned), false);
        self.advance(parts);
        self.push(self.all.len() - 1, text, parts)?;
        self.end_all(parts)
    }

    pub(super) fn has_text(&self) -> bool {
        self.all.iter().any(|message| !message.is_muted && !message.text.is_empty())
    }

    /// Whether `texts`, joined, are the text so far. A server that sends no ids may split its text only
    /// afterwards.
    pub(super) fn are<'a>(&self, texts: impl Iterator<Item = &'a str>) -> bool {
        let all = self.all.iter().filter(|message| !message.is_muted);
        all.flat_map(|message| message.text.bytes()).eq(texts.flat_map(str::bytes))
    }

    /// Whether `text` has come under another id, as one message or as all of them. A text that only
    /// occurs within one is another message.
    fn has(&self, text: &str) -> bool {
        let text = text.trim();
        let mut all = self.all.iter().filter(|message| !message.is_muted);
        // The last one also holds all messages beyond the bound.
        let last = self.all.last().filter(|_| self.all.len() == MAX_MESSAGES);
        all.any(|message| message.text.trim() == text)
            || last.is_some_and(|message| message.text.contains(text))
            || self.whole().trim() == text
    }

    /// The whole text, if another one was shown.
    pub(super) fn correction(&self) -> Option<String> {
        self.is_incomplete.then(|| self.whole())
    }

    fn whole(&self) -> String {
        let shown = |message: &&StreamedMessage| !message.is_muted && !message.text.is_empty();
        let texts = self.all.iter().filter(shown);
        texts.map(|message| &*message.text).collect::<Vec<_>>().join(SEPARATOR)
    }

    fn find(&self, id: Option<&str>) -> Option<usize> {
        self.all.iter().rposition(|message| id.is_some() && message.id.as_deref() == id)
    }

    /// Continues a message after its end. The last one can still be shown as it comes.
    fn reopen(&mut self, at: usize) {
        if at + 1 == self.all.len() && self.at == self.all.len() {
            self.at = at;
        }
    }

    fn close(&mut self, at: usize, parts: &mut Parts) -> Result<(), Trouble> {
        let Some(message) = self.all.get_mut(at) else { return Ok(()) };
        message.is_open = false;
        let half = message.halves.end().filter(|_| !message.is_muted);
        half.map_or(Ok(()), |half| self.push(at, half.encode_utf8(&mut [0; 4]), parts))
    }

    /// Shows the next message if the one before has ended.
    pub(super) fn advance(&mut self, parts: &mut Parts) {
        while self.all.get(self.at).is_some_and(|message| !message.is_open || message.is_muted) {
            self.at += 1;
            if let Some(next) = self.all.get(self.at).filter(|message| !message.is_muted) {
                let text = next.text.clone();
                self.show(self.at, &text, parts);
            }
        }
    }

    fn show(&mut self, at: usize, text: &str, parts: &mut Parts) {
        let Some(message) = self.all.get_mut(at).filter(|_| !text.is_empty()) else { return };
        let separated = !std::mem::replace(&mut message.has_shown, true) && self.has_shown;
        self.has_shown = true;
        parts.push_back(Part::Text(if separated {
            format!("{SEPARATOR}{text}")
        } else {
            text.to_owned()
        }));
    }
}

/// Shows that the agent is alive when there is nothing to show.
pub(super) fn alive(parts: &mut Parts) {
    parts.push_back(Part::Text(String::new()));
}

fn too_long() -> Trouble {
    Trouble::new(Code::TooLong, "")
}
