//! The messages of one run. They may be told at the same time, and a reply is one text: the first
//! that has not ended is shown as it comes, and those after it wait for their turn.
use super::super::{reply::Parts, web::Trouble};
use crate::{Code, Part, lenient::Halves};

/// Messages that are told apart; more are part of the last one.
const MAX: usize = 256;

/// What parts messages.
const PARTED: &str = "\n\n";

#[derive(Debug)]
pub(super) struct Messages {
    /// In the order of their begins.
    all: Vec<Message>,
    /// Which one is shown as it comes. Those before it have been shown.
    at: usize,
    /// Some text has been shown.
    has_shown: bool,
    /// What was shown is not the whole text, in order.
    is_other: bool,
    bytes: usize,
    max: usize,
}

#[derive(Debug, Default)]
struct Message {
    id: Option<String>,
    text: String,
    halves: Halves,
    is_open: bool,
    /// It is not the agent's own.
    is_muted: bool,
    has_shown: bool,
}

// === impl Messages ===

impl Messages {
    /// For `max` bytes of text. More are an error, also while they wait.
    pub(super) fn new(max: usize) -> Self {
        Self { all: Vec::new(), at: 0, has_shown: false, is_other: false, bytes: 0, max }
    }

    /// A message begins, or goes on if it is known.
    pub(super) fn begin(&mut self, id: Option<String>, is_muted: bool) {
        if let Some(known) = self.find(id.as_deref()) {
            self.reopen(known);
        } else if self.all.len() < MAX {
            self.all.push(Message { id, is_muted, is_open: true, ..Message::default() });
        }
    }

    /// More of a message. A server that tells no id, or another one with each event, means the
    /// message that began last.
    pub(super) fn more(
        &mut self,
        id: Option<&str>,
        piece: &[u8],
        parts: &mut Parts,
    ) -> Result<(), Trouble> {
        let open = self.all.iter().rposition(|it| it.is_open);
        let at = self.find(id).or(open).unwrap_or_else(|| {
            self.begin(id.map(str::to_owned), false);
            self.all.len() - 1
        });
        self.reopen(at);
        let Some(message) = self.all.get_mut(at) else { return Ok(()) };
        let text = message.halves.join(piece);
        if message.is_muted || text.is_empty() {
            super::alive(parts);
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
            self.is_other |= at < self.at;
            super::alive(parts);
        }
        Ok(())
    }

    /// A message is over.
    pub(super) fn end(&mut self, id: Option<&str>, parts: &mut Parts) -> Result<(), Trouble> {
        let open = self.all.iter().rposition(|it| it.is_open);
        let Some(at) = self.find(id).or(open) else { return Ok(()) };
        self.close(at, parts)?;
        self.go_on(parts);
        Ok(())
    }

    /// All are over.
    pub(super) fn end_all(&mut self, parts: &mut Parts) -> Result<(), Trouble> {
        for at in 0..self.all.len() {
            self.close(at, parts)?;
            self.go_on(parts);
        }
        Ok(())
    }

    /// What a snapshot of the conversation has: a message that is known may be another one there, and
    /// one that is not may have been told nowhere else.
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
            self.is_other = true;
            return if self.bytes > self.max { Err(too_long()) } else { Ok(()) };
        }
        if self.has(text) {
            return Ok(());
        }
        self.begin(id.map(str::to_owned), false);
        self.go_on(parts);
        self.push(self.all.len() - 1, text, parts)?;
        self.end_all(parts)
    }

    pub(super) fn has_text(&self) -> bool {
        self.all.iter().any(|it| !it.is_muted && !it.text.is_empty())
    }

    /// Whether `texts`, one after another, are what was told. A server that tells no ids may part its
    /// text only afterwards.
    pub(super) fn are<'a>(&self, texts: impl Iterator<Item = &'a str>) -> bool {
        let all = self.all.iter().filter(|it| !it.is_muted);
        all.flat_map(|it| it.text.bytes()).eq(texts.flat_map(str::bytes))
    }

    /// Whether `text` was told under another id: it is a message, or all of them. What only occurs
    /// within one is another message.
    fn has(&self, text: &str) -> bool {
        let text = text.trim();
        let mut all = self.all.iter().filter(|it| !it.is_muted);
        // The last one is also all that were too many.
        let last = self.all.last().filter(|_| self.all.len() == MAX);
        all.any(|it| it.text.trim() == text)
            || last.is_some_and(|it| it.text.contains(text))
            || self.whole().trim() == text
    }

    /// The whole text, if it is not what was shown.
    pub(super) fn other(&self) -> Option<String> {
        self.is_other.then(|| self.whole())
    }

    fn whole(&self) -> String {
        let texts = self.all.iter().filter(|it| !it.is_muted && !it.text.is_empty());
        texts.map(|it| &*it.text).collect::<Vec<_>>().join(PARTED)
    }

    fn find(&self, id: Option<&str>) -> Option<usize> {
        self.all.iter().rposition(|it| id.is_some() && it.id.as_deref() == id)
    }

    /// A message goes on after its end. The last one can still be shown as it comes.
    fn reopen(&mut self, at: usize) {
        if at + 1 == self.all.len() && self.at == self.all.len() {
            self.at = at;
        }
    }

    fn close(&mut self, at: usize, parts: &mut Parts) -> Result<(), Trouble> {
        let Some(message) = self.all.get_mut(at) else { return Ok(()) };
        message.is_open = false;
        let half = message.halves.end().filter(|_| !message.is_muted);
        half.map_or(Ok(()), |it| self.push(at, it.encode_utf8(&mut [0; 4]), parts))
    }

    /// Show the next message if the one before has ended.
    pub(super) fn go_on(&mut self, parts: &mut Parts) {
        while self.all.get(self.at).is_some_and(|it| !it.is_open || it.is_muted) {
            self.at += 1;
            if let Some(next) = self.all.get(self.at).filter(|it| !it.is_muted) {
                let text = next.text.clone();
                self.show(self.at, &text, parts);
            }
        }
    }

    fn show(&mut self, at: usize, text: &str, parts: &mut Parts) {
        let Some(message) = self.all.get_mut(at).filter(|_| !text.is_empty()) else { return };
        let parted = !std::mem::replace(&mut message.has_shown, true) && self.has_shown;
        self.has_shown = true;
        parts.push_back(Part::Text(if parted {
            format!("{PARTED}{text}")
        } else {
            text.to_owned()
        }));
    }
}

fn too_long() -> Trouble {
    Trouble::new(Code::TooLong, "")
}
