//! The document of a running turn: all that its records have said so far.
//!
//! A log is a ring, and the deltas of a long reply fall out of it. The document keeps their text
//! until the turn ends, so that a reader without the beginning is given all of it as one record.
use std::{mem, sync::Arc};

use uuid::Uuid;

use crate::{
    Draft, Event, Kind, Position, Text, Topic,
    budget::Budget,
    event::Record,
    turn::{self, Delta, Started, TurnKind},
};

/// The parts of a running turn in order, with texts merged. Its bytes count against those of all
/// logs while it lives; the desk bounds the number of turns that run and the length of replies.
#[derive(Debug)]
pub(crate) struct TurnDocument {
    topic: Topic,
    started: Started,
    parts: Vec<DocumentPart>,
    /// Offset of the turn's first record.
    first: u64,
    /// Position and time of the last record that is folded in.
    last: Position,
    ts: u64,
    /// Bytes of the parts, and of those that are no text.
    bytes: usize,
    notices: usize,
    budget: Arc<Budget>,
    /// Bytes that are counted.
    held: usize,
    /// The document as a record, until the next one is folded in.
    snapshot: Option<Record>,
}

#[derive(Debug)]
enum DocumentPart {
    Text { kind: Kind, start: u64, end: u64, text: String },
    Notice { kind: Kind, payload: Text },
}

/// A record of a turn, decoded as far as a document needs it.
#[derive(Debug)]
pub(crate) struct TurnRecord {
    turn: Uuid,
    content: RecordContent,
}

#[derive(Debug)]
enum RecordContent {
    Started(Started),
    Text(Delta),
    Notice,
    Last,
}

/// Upper bound on the bytes of parts that are no text. Of more, the oldest are dropped.
const NOTICES: usize = 1 << 20;

/// Number of parts from which on a text joins the text before it, also across other parts: their order
/// is given up, and no text.
const PARTS: usize = 4096;

/// Whether `record` is of `turn` and not its last: a document of that turn has it.
pub(crate) fn is_part(record: &Event, turn: Uuid) -> bool {
    record.kind.starts_with("turn.") && !is_last(&record.kind) && is_of(record, turn)
}

/// Whether `record` is the last one of `turn`.
pub(crate) fn is_end(record: &Event, turn: Uuid) -> bool {
    is_last(&record.kind) && is_of(record, turn)
}

fn is_last(kind: &str) -> bool {
    let last = [TurnKind::Completed, TurnKind::Failed, TurnKind::Cancelled];
    last.into_iter().any(|last| last.as_str() == kind)
}

/// Keys begin with the turn, which is found there without a look at the payload.
fn is_of(record: &Event, turn: Uuid) -> bool {
    let key = record.key.as_ref().and_then(|key| key.split_once('/')?.0.parse().ok());
    key.or_else(|| turn::of(record)) == Some(turn)
}

// === impl TurnRecord ===

impl TurnRecord {
    /// Decodes `draft`; `None` if it is no record of a turn.
    pub(crate) fn of(draft: &Draft) -> Option<Self> {
        let kind = &*draft.kind;
        if !kind.starts_with("turn.") {
            return None;
        }
        let payload = &*draft.payload;
        let (turn, content) = if kind == TurnKind::Delta.as_str()
            || kind == TurnKind::Reasoning.as_str()
        {
            let delta: Delta = serde_json::from_str(payload).ok()?;
            (delta.turn, RecordContent::Text(delta))
        } else if kind == TurnKind::Started.as_str() {
            let started: Started = serde_json::from_str(payload).ok()?;
            (started.turn, RecordContent::Started(started))
        } else {
            let content = if is_last(kind) { RecordContent::Last } else { RecordContent::Notice };
            (turn::id(payload)?, content)
        };
        Some(Self { turn, content })
    }

    /// Folds `record`, of which this is the content, into the document of the turn that runs. The
    /// document begins with the turn's first record and ends with its last.
    pub(crate) fn fold(
        self,
        document: &mut Option<Box<TurnDocument>>,
        record: &Record,
        budget: &Arc<Budget>,
    ) {
        let Self { turn, content } = self;
        match (content, document.as_mut().filter(|document| document.turn() == turn)) {
            (RecordContent::Started(started), _) => {
                *document = Some(Box::new(TurnDocument::new(started, record, budget)));
            }
            (RecordContent::Last, Some(_)) => *document = None,
            (RecordContent::Text(delta), Some(document)) => document.push_text(delta, record),
            (RecordContent::Notice, Some(document)) => document.push_notice(record),
            // A turn that never ran, and whose end comes while another one runs.
            (_, None) => {}
        }
    }
}

// === impl TurnDocument ===

impl TurnDocument {
    fn new(started: Started, record: &Record, budget: &Arc<Budget>) -> Self {
        let mut document = Self {
            topic: record.topic.clone(),
            started,
            parts: Vec::new(),
            first: record.at.offset,
            last: record.at,
            ts: record.ts,
            bytes: 0,
            notices: 0,
            budget: Arc::clone(budget),
            held: 0,
            snapshot: None,
        };
        document.moved_to(record);
        document
    }

    pub(crate) fn turn(&self) -> Uuid {
        self.started.turn
    }

    /// Offset of the turn's first record.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// Offset of the last record that is folded in.
    pub(crate) fn last(&self) -> u64 {
        self.last.offset
    }

    /// Bytes that the document counts, its snapshot aside.
    pub(crate) fn size(&self) -> usize {
        let Started { agent, user, question, .. } = &self.started;
        let parts = self.parts.capacity() * size_of::<DocumentPart>() + self.bytes;
        size_of::<Self>() + agent.len() + user.len() + question.len() + parts
    }

    /// The document as one record, shared by all readers that come before it grows.
    pub(crate) fn snapshot(&mut self) -> Record {
        if let Some(made) = &self.snapshot {
            return Record::clone(made);
        }
        let kind = TurnKind::Snapshot.as_str();
        let key = format!("{}/{kind}", self.turn());
        let draft =
            Draft::new(self.topic.clone(), kind, self.payload()).key(Some(key.as_str().into()));
        let mut event = Event::new(draft, self.last);
        event.ts = self.ts;
        let made = Record::new(event);
        made.hold(&self.budget);
        self.snapshot = Some(Record::clone(&made));
        made
    }

    /// Bytes of the snapshot that is kept for the next reader.
    pub(crate) fn spare(&self) -> usize {
        self.snapshot.as_ref().map_or(0, |made| made.size())
    }

    /// Drops the snapshot, which can be made again.
    pub(crate) fn shrink(&mut self) {
        if let Some(made) = self.snapshot.take() {
            made.release();
        }
    }

    /// The snapshot's payload, a [`turn::TurnSnapshot`] as JSON. Texts are escaped once, for both places
    /// where they stand.
    fn payload(&self) -> String {
        let (mut text, mut parts) = (String::new(), String::new());
        for part in &self.parts {
            if !parts.is_empty() {
                parts.push(',');
            }
            parts.extend([r#"{"kind":"#, &quoted(part.kind()), r#","payload":"#]);
            match part {
                DocumentPart::Text { kind, start, text: own, .. } => {
                    let own = quoted(own);
                    let (turn, start) = (self.turn(), start.to_string());
                    let turn = turn.to_string();
                    let members = [r#"{"turn":""#, &turn, r#"","start":"#, &start, r#","text":"#];
                    parts.extend(members);
                    parts.extend([&*own, "}"]);
                    if *kind == TurnKind::Delta.as_str() {
                        let bare = own.strip_prefix('"').and_then(|own| own.strip_suffix('"'));
                        text.push_str(bare.unwrap_or_default());
                    }
                }
                DocumentPart::Notice { payload, .. } => parts.push_str(payload),
            }
            parts.push('}');
        }
        let Started { turn, agent, user, question } = &self.started;
        let (agent, user, question) = (quoted(agent), quoted(user), quoted(question));
        format!(
            r#"{{"turn":"{turn}","agent":{agent},"user":{user},"question":{question},"text":"{text}","parts":[{parts}]}}"#
        )
    }

    fn push_text(&mut self, delta: Delta, record: &Record) {
        let Delta { start, text, .. } = delta;
        self.cut(&record.kind, start);
        let end = start.saturating_add(text.chars().count() as u64);
        if let Some(DocumentPart::Text { end: reached, text: whole, .. }) =
            self.part_before(&record.kind, start)
        {
            let before = whole.capacity();
            whole.push_str(&text);
            *reached = end;
            self.bytes += whole.capacity() - before;
        } else {
            self.bytes += text.capacity();
            self.parts.push(DocumentPart::Text { kind: record.kind.clone(), start, end, text });
        }
        self.moved_to(record);
    }

    /// The last part, if it is text of `kind` that ends at `start`. Of more than [`PARTS`], any that is.
    fn part_before(&mut self, kind: &str, start: u64) -> Option<&mut DocumentPart> {
        let looked_at = if self.parts.len() < PARTS { 1 } else { usize::MAX };
        let is_before = |part: &&mut DocumentPart| {
            part.kind() == kind && matches!(part, DocumentPart::Text { end, .. } if *end == start)
        };
        self.parts.iter_mut().rev().take(looked_at).find(is_before)
    }

    /// Removes the text of `kind` from the character `start` on, which new text replaces.
    fn cut(&mut self, kind: &str, start: u64) {
        let mut is_cut = false;
        for part in self.parts.iter_mut().rev().filter(|part| part.kind() == kind) {
            let DocumentPart::Text { start: begin, end, text, .. } = part else { continue };
            if *end <= start {
                break;
            }
            is_cut = true;
            let kept = usize::try_from(start.saturating_sub(*begin)).unwrap_or(usize::MAX);
            let kept = text.char_indices().nth(kept).map_or(text.len(), |(at, _)| at);
            text.truncate(kept);
            *end = start.max(*begin);
        }
        if !is_cut {
            return;
        }
        let bytes = &mut self.bytes;
        self.parts.retain(|part| {
            let is_empty = matches!(part, DocumentPart::Text { text, .. } if text.is_empty());
            if is_empty {
                *bytes -= part.bytes();
            }
            !is_empty
        });
    }

    fn push_notice(&mut self, record: &Record) {
        let part =
            DocumentPart::Notice { kind: record.kind.clone(), payload: record.payload.clone() };
        self.bytes += part.bytes();
        self.notices += part.bytes() + size_of::<DocumentPart>();
        self.parts.push(part);
        while self.notices > NOTICES {
            let oldest =
                self.parts.iter().position(|part| matches!(part, DocumentPart::Notice { .. }));
            let Some(oldest) = oldest.filter(|oldest| oldest + 1 < self.parts.len()) else { break };
            let part = self.parts.remove(oldest);
            self.bytes -= part.bytes();
            self.notices -= part.bytes() + size_of::<DocumentPart>();
            self.join_at(oldest);
        }
        self.moved_to(record);
    }

    /// Merges the text at `at` with the one before, if it follows on that.
    fn join_at(&mut self, at: usize) {
        let (before, after) = self.parts.split_at_mut(at);
        let (
            Some(DocumentPart::Text { kind, end, text, .. }),
            Some(DocumentPart::Text { kind: next, start, end: reached, text: more }),
        ) = (before.last_mut(), after.first_mut())
        else {
            return;
        };
        if kind != next || end != start {
            return;
        }
        let held = text.capacity() + more.capacity();
        text.push_str(&mem::take(more));
        *end = *reached;
        self.bytes = self.bytes - held + text.capacity();
        self.parts.remove(at);
    }

    /// Notes that `record` is folded in, and counts what the document has grown by.
    fn moved_to(&mut self, record: &Record) {
        (self.last, self.ts) = (record.at, record.ts);
        self.shrink();
        let size = self.size();
        if size >= self.held {
            self.budget.take(size - self.held);
        } else {
            self.budget.give(self.held - size);
        }
        self.held = size;
    }
}

impl Drop for TurnDocument {
    fn drop(&mut self) {
        self.shrink();
        self.budget.give(self.held);
    }
}

// === impl DocumentPart ===

impl DocumentPart {
    fn kind(&self) -> &str {
        match self {
            Self::Text { kind, .. } | Self::Notice { kind, .. } => kind,
        }
    }

    /// Bytes besides the part's own.
    fn bytes(&self) -> usize {
        match self {
            Self::Text { text, .. } => text.capacity(),
            Self::Notice { payload, .. } => payload.held(),
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is always JSON")
}
