//! Turns as the clients of this protocol know them: a frame has the whole text so far, so that each
//! replaces the one before.
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use quadrille_core::{
    Event, Hub, Position, Record, Since, Text,
    turn::{self, Delta, TurnEvent, TurnKind},
};
use serde::Serialize;
use uuid::Uuid;

use crate::wire::{self, Plain, Positioned};

/// The texts of the turns that somebody watches, one for all who do. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Texts {
    hub: Hub,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    turns: HashMap<Uuid, Entry>,
    /// The turns, in the order in which they were first seen.
    order: VecDeque<Uuid>,
    /// Bytes of all texts and newest frames.
    bytes: usize,
}

#[derive(Debug, Default)]
struct Entry {
    /// The reply as far as its deltas were seen, and how many characters it has.
    text: String,
    chars: u64,
    /// The log has forgotten what comes after, up to some later delta: it is not looked for again.
    broken: bool,
    /// The newest frame, without and with its position: those who keep up all take this one.
    newest: Option<(Position, [Option<Text>; 2])>,
}

/// Turns that are kept, and bytes of their texts and newest frames; a text that is gone is read from the log again.
const TURNS: usize = 1024;
const BYTES: usize = 32 << 20;

#[derive(Serialize)]
struct Payload<'a> {
    message: &'a str,
    timestamp: f64,
    status: &'static str,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    final_message: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<&'a str>,
    message_id: Uuid,
    thread_id: &'a str,
}

/// What a frame says.
struct Said<'a> {
    r#type: &'static str,
    status: &'static str,
    message: &'a str,
    last: bool,
    error: Option<&'a str>,
}

impl Said<'_> {
    const fn new<'a>(r#type: &'static str, status: &'static str, message: &'a str) -> Said<'a> {
        Said { r#type, status, message, last: false, error: None }
    }
}

/// Whether `event` is a record of a turn.
pub(crate) fn is_one(event: &Event) -> bool {
    event.kind.starts_with("turn.")
}

// === impl Texts ===

impl Texts {
    pub(crate) fn new(hub: Hub) -> Self {
        Self { hub, kept: Arc::default() }
    }

    /// The frames that `event`, a record of a turn, is to a subscriber: none if it is a delta whose
    /// beginning nobody knows any more, and two for the first delta.
    pub(crate) fn frames(&self, event: &Event, positioned: bool) -> [Option<Text>; 2] {
        let Some(turn) = TurnEvent::of(event) else {
            return [None, Some(plain_or_positioned(event.frame::<Plain>(), event, positioned))];
        };
        let first = matches!(&turn, TurnEvent::Delta(it) if it.start == 0).then(|| {
            let said = Said::new("status", "responding", "Assistant is responding...");
            plain_or_positioned(&frame(event, turn.turn(), &said), event, positioned)
        });
        let text = self.newest(event, &turn, positioned);
        [first.filter(|_| text.is_some()), text]
    }

    /// What `records` are in an answer to `history`, each with its position. Of the deltas of a turn
    /// only one that nothing of the turn comes after, as each has all before it.
    pub(crate) fn history(&self, records: &[Record]) -> Vec<Text> {
        let mut later = HashSet::new();
        let mut frames = Vec::with_capacity(records.len());
        for event in records.iter().rev() {
            if !is_one(event) {
                frames.push(event.frame::<Positioned>().clone());
                continue;
            }
            let turn = turn::of(event);
            if later.insert(turn) || TurnKind::of(event) != Some(TurnKind::Delta) {
                let [_, text] = self.frames(event, true);
                frames.extend(text);
            }
        }
        frames.reverse();
        frames
    }

    fn newest(&self, event: &Event, turn: &TurnEvent, positioned: bool) -> Option<Text> {
        let mut kept = self.kept();
        let entry = kept.entry(turn.turn());
        if let Some((at, made)) = &entry.newest
            && *at == event.at
            && let Some(text) = &made[usize::from(positioned)]
        {
            return Some(text.clone());
        }
        let before = entry.size();
        let text = self.encode(event, turn, entry);
        let text = text.map(|text| plain_or_positioned(&text, event, positioned));
        let order = |at: &Position| (at.epoch, at.offset);
        let newer = entry.newest.as_ref().is_none_or(|(at, _)| order(at) <= order(&event.at));
        if newer && let Some(text) = &text {
            let same = entry.newest.take().filter(|(at, _)| *at == event.at);
            let mut made = same.map(|(_, made)| made).unwrap_or_default();
            made[usize::from(positioned)] = Some(text.clone());
            entry.newest = Some((event.at, made));
        }
        let after = entry.size();
        kept.bytes = kept.bytes + after - before;
        kept.forget();
        text
    }

    fn encode(&self, event: &Event, turn: &TurnEvent, entry: &mut Entry) -> Option<Text> {
        let message;
        let said = match turn {
            TurnEvent::Started(_) => {
                Said::new("status", "started", "Assistant is processing your request...")
            }
            TurnEvent::Status(it) => Said::new("status", "processing", &it.text),
            TurnEvent::Tool(it) => {
                let text = if it.text.is_empty() { &it.name } else { &it.text };
                Said::new("tool", "processing", text)
            }
            TurnEvent::Delta(delta) => {
                if !entry.reaches(delta.start) {
                    self.read_between(event, delta, entry)?;
                }
                message = entry.up_to(delta);
                Said::new("response", "in_progress", &message)
            }
            TurnEvent::Completed(it) => {
                Said { last: true, ..Said::new("response", "completed", &it.text) }
            }
            TurnEvent::Cancelled(it) => {
                Said { last: true, ..Said::new("response", "cancelled", &it.text) }
            }
            TurnEvent::Failed(it) => {
                Said { error: Some(&it.code), ..Said::new("error", "error", &it.title) }
            }
        };
        Some(frame(event, turn.turn(), &said))
    }

    /// Take in from the log what was said between `entry` and `delta`; none if it is not there.
    fn read_between(&self, event: &Event, delta: &Delta, entry: &mut Entry) -> Option<()> {
        if entry.broken {
            return None;
        }
        let history = self.hub.history(&event.topic, Since::Start, usize::MAX)?;
        let before = history.records.iter().take_while(|it| it.at.offset < event.at.offset);
        for record in before.filter(|it| TurnKind::of(it) == Some(TurnKind::Delta)) {
            if let Some(TurnEvent::Delta(it)) = TurnEvent::of(record)
                && it.turn == delta.turn
                && it.start == entry.chars
            {
                entry.up_to(&it);
            }
        }
        entry.broken = !entry.reaches(delta.start);
        (!entry.broken).then_some(())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Kept ===

impl Kept {
    fn entry(&mut self, turn: Uuid) -> &mut Entry {
        self.turns.entry(turn).or_insert_with(|| {
            self.order.push_back(turn);
            Entry::default()
        })
    }

    /// Keep within the bounds, but for the newest.
    fn forget(&mut self) {
        while self.order.len() > 1 && (self.order.len() > TURNS || self.bytes > BYTES) {
            let Some(turn) = self.order.pop_front() else { return };
            self.bytes -= self.turns.remove(&turn).map_or(0, |entry| entry.size());
        }
    }
}

// === impl Entry ===

impl Entry {
    /// Whether everything before the character `start` is here.
    fn reaches(&self, start: u64) -> bool {
        self.chars >= start
    }

    /// Bytes of its texts.
    fn size(&self) -> usize {
        let made = self.newest.iter().flat_map(|(_, made)| made.iter().flatten());
        self.text.len() + made.map(|text| text.len()).sum::<usize>()
    }

    /// The text up to the end of `delta`, which begins within it or where it ends.
    fn up_to(&mut self, delta: &Delta) -> String {
        let head = self.chars - delta.start.min(self.chars);
        // A merged delta may begin before the end of what is known, and reach further.
        let known = usize::try_from(head).unwrap_or(usize::MAX);
        let new = delta.text.char_indices().nth(known).and_then(|(at, _)| delta.text.get(at..));
        let new = new.unwrap_or_default();
        if known == 0 || !new.is_empty() {
            self.text.push_str(new);
            self.chars += new.chars().count() as u64;
            self.broken = false;
            return self.text.clone();
        }
        let head = usize::try_from(delta.start).unwrap_or(usize::MAX);
        self.text.chars().take(head).chain(delta.text.chars()).collect()
    }
}

fn frame(event: &Event, turn: Uuid, said: &Said<'_>) -> Text {
    let thread = event.topic.channel();
    let payload = Payload {
        message: said.message,
        timestamp: wire::seconds(event.ts),
        status: said.status,
        r#type: said.r#type,
        final_message: said.error.is_none().then_some(said.last),
        error_details: said.error,
        message_id: turn,
        thread_id: thread,
    };
    let payload = serde_json::to_string(&payload).expect("texts and numbers are JSON");
    format!(r#"{{"channel":{},"payload":{payload}}}"#, wire::quoted(thread)).into()
}

fn plain_or_positioned(text: &Text, event: &Event, positioned: bool) -> Text {
    if positioned { wire::with_position(text, event.at) } else { text.clone() }
}

#[cfg(test)]
mod tests;
