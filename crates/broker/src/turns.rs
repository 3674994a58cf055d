//! Turns as frames. Each frame has the whole text so far, so that it replaces the one before.
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use quadrille_core::{
    Event, Hub, Position, Record, Since, Text,
    turn::{self, Delta, TurnEvent, TurnKind, TurnSnapshot},
};
use serde::Serialize;
use uuid::Uuid;

use crate::wire::{self, Plain, Positioned};

/// The texts of the turns that are watched, shared by all who watch them. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct TurnTexts {
    hub: Hub,
    cache: Arc<Mutex<Cache>>,
}

#[derive(Debug, Default)]
struct Cache {
    turns: HashMap<Uuid, Entry>,
    /// The turns, oldest first.
    order: VecDeque<Uuid>,
    /// Bytes of all texts and newest frames.
    bytes: usize,
}

#[derive(Debug, Default)]
struct Entry {
    /// The reply as far as its deltas were seen, and its length in characters.
    text: String,
    chars: u64,
    /// The log no longer has what follows, up to some later delta. It is not searched again.
    broken: bool,
    /// The newest record, which is the one that readers without a backlog all take.
    newest: Option<NewestRecord>,
    /// The newest snapshot, which readers that come at once share.
    snapshot: Option<NewestRecord>,
}

/// Frames of one record.
#[derive(Debug)]
struct NewestRecord {
    at: Position,
    /// A reader with a backlog may get another record at this position, of several merged deltas.
    /// That has the same text, but may need a notice where this one does not.
    record: Weak<Event>,
    /// Without and with its position, each encoded on first use.
    frames: [Option<TurnFrames>; 2],
}

/// The notice before the first delta of a turn, and the frame of the record itself.
type TurnFrames = [Option<Text>; 2];

/// Upper bound on the turns in the cache. The text of another turn is read from the log again.
const TURNS: usize = 1024;

/// Upper bound on the bytes of the texts and frames in the cache.
const BYTES: usize = 32 << 20;

#[derive(Serialize)]
struct TurnPayload<'a> {
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

/// The members of a payload that depend on the record.
struct TurnFields<'a> {
    r#type: &'static str,
    status: &'static str,
    message: &'a str,
    last: bool,
    error: Option<&'a str>,
}

impl TurnFields<'_> {
    const fn new<'a>(
        r#type: &'static str,
        status: &'static str,
        message: &'a str,
    ) -> TurnFields<'a> {
        TurnFields { r#type, status, message, last: false, error: None }
    }
}

const STARTED: TurnFields<'static> =
    TurnFields::new("status", "started", "Assistant is processing your request...");

/// Whether `event` is a record of a turn.
pub(crate) fn is_turn(event: &Event) -> bool {
    event.kind.starts_with("turn.")
}

/// Whether the protocol shows no record of this kind.
fn is_hidden(kind: TurnKind) -> bool {
    matches!(
        kind,
        TurnKind::Reasoning
            | TurnKind::Source
            | TurnKind::File
            | TurnKind::Data
            | TurnKind::Waiting
            | TurnKind::Answered
            | TurnKind::Steered
    )
}

/// Id of the turn of `event`, read from its key; `None` if that is not the key of a turn's record.
fn turn_of(event: &Event) -> Option<Uuid> {
    let (turn, rest) = event.key.as_ref()?.split_once('/')?;
    let more = rest.strip_prefix(&*event.kind)?;
    if more.is_empty() || more.starts_with('/') { turn.parse().ok() } else { None }
}

// === impl TurnTexts ===

impl TurnTexts {
    pub(crate) fn new(hub: Hub) -> Self {
        Self { hub, cache: Arc::default() }
    }

    /// Frames of `record`, which is of a turn, for a subscriber: two for the first delta, and none
    /// for a delta whose beginning is no longer known, and for kinds that the protocol does not show.
    pub(crate) fn frames(&self, record: &Record, positioned: bool) -> TurnFrames {
        // Most readers of a record find its frames here, and need not parse it.
        if let Some(turn) = turn_of(record)
            && let Some(frames) = self.cache().frames(turn, record, positioned)
        {
            return frames;
        }
        if TurnKind::of(record).is_some_and(is_hidden) {
            return [None, None];
        }
        let form = |frame: &Text| plain_or_positioned(frame, record, positioned);
        let Some(turn) = TurnEvent::of(record) else {
            return [None, Some(form(record.frame::<Plain>()))];
        };
        let mut cache = self.cache();
        let entry = cache.entry(turn.turn());
        let before = entry.size();
        let is_snapshot = matches!(turn, TurnEvent::Snapshot(_));
        let known = entry.frame(record.at, positioned).filter(|_| !is_snapshot);
        let frame = known.or_else(|| Some(form(&self.encode(record, &turn, entry)?)));
        let notice = frame.as_ref().and_then(|_| Some(form(&notice(record, &turn)?)));
        let frames = [notice, frame];
        if frames != [None, None] {
            let newest = if is_snapshot { &mut entry.snapshot } else { &mut entry.newest };
            NewestRecord::keep(newest, record, positioned, &frames);
        }
        let after = entry.size();
        cache.bytes = cache.bytes + after - before;
        cache.evict();
        frames
    }

    /// Frames of `records` in an answer to `history`, with their positions. A turn has only its
    /// newest delta, unless another record of it follows, as that delta has the whole text.
    pub(crate) fn history(&self, records: &[Record]) -> Vec<Text> {
        let mut later = HashSet::new();
        let mut frames = Vec::with_capacity(records.len());
        for event in records.iter().rev() {
            if !is_turn(event) {
                frames.push(event.frame::<Positioned>().clone());
                continue;
            }
            let turn = turn_of(event).or_else(|| turn::of(event));
            let is_delta = TurnKind::of(event) == Some(TurnKind::Delta);
            if is_delta && later.contains(&turn) {
                continue;
            }
            let [_, frame] = self.frames(event, true);
            // A record that is not shown has not the text of the deltas before it.
            if is_delta || frame.is_some() {
                later.insert(turn);
            }
            frames.extend(frame);
        }
        frames.reverse();
        frames
    }

    fn encode(&self, event: &Event, turn: &TurnEvent, entry: &mut Entry) -> Option<Text> {
        let message;
        let fields = match turn {
            TurnEvent::Started(_) => STARTED,
            TurnEvent::Snapshot(snapshot) if snapshot.text.is_empty() => STARTED,
            TurnEvent::Snapshot(snapshot) => {
                entry.reach(snapshot);
                TurnFields::new("response", "in_progress", &snapshot.text)
            }
            TurnEvent::Status(status) => TurnFields::new("status", "processing", &status.text),
            TurnEvent::Tool(tool) if tool.is_shown_once() => {
                let text = if tool.text.is_empty() { &tool.name } else { &tool.text };
                TurnFields::new("tool", "processing", text)
            }
            TurnEvent::Delta(delta) => {
                if !entry.reaches(delta.start) {
                    self.read_between(event, delta, entry)?;
                }
                message = entry.up_to(delta);
                TurnFields::new("response", "in_progress", &message)
            }
            TurnEvent::Completed(end) => {
                TurnFields { last: true, ..TurnFields::new("response", "completed", &end.text) }
            }
            TurnEvent::Cancelled(end) => {
                TurnFields { last: true, ..TurnFields::new("response", "cancelled", &end.text) }
            }
            TurnEvent::Failed(end) => TurnFields {
                error: Some(&end.code),
                ..TurnFields::new("error", "error", &end.title)
            },
            _ => return None,
        };
        Some(frame(event, turn.turn(), &fields))
    }

    /// Adds what is between `entry` and `delta` from the log: deltas, or if those are gone and the turn
    /// runs, its text. `None` if there is neither.
    fn read_between(&self, event: &Event, delta: &Delta, entry: &mut Entry) -> Option<()> {
        if entry.broken {
            return None;
        }
        let history = self.hub.history(&event.topic, Since::Start, usize::MAX)?;
        let records = history.records.iter();
        let snapshots = records.clone().filter(|record| turn_of(record) == Some(delta.turn));
        for record in snapshots.filter(|one| TurnKind::of(one) == Some(TurnKind::Snapshot)) {
            if let Some(TurnEvent::Snapshot(snapshot)) = TurnEvent::of(record) {
                entry.reach(&snapshot);
            }
        }
        let before = records.take_while(|record| record.at.offset < event.at.offset);
        for record in before.filter(|record| TurnKind::of(record) == Some(TurnKind::Delta)) {
            if let Some(TurnEvent::Delta(between)) = TurnEvent::of(record)
                && between.turn == delta.turn
                && between.start == entry.chars
            {
                entry.up_to(&between);
            }
        }
        entry.broken = !entry.reaches(delta.start);
        (!entry.broken).then_some(())
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Cache ===

impl Cache {
    /// Frames of a record of `turn`, if it is the newest and they were encoded.
    fn frames(&self, turn: Uuid, record: &Record, positioned: bool) -> Option<TurnFrames> {
        let entry = self.turns.get(&turn)?;
        let mut kept = [&entry.newest, &entry.snapshot].into_iter().flatten();
        let newest = kept.find(|newest| newest.record.as_ptr() == Arc::as_ptr(record))?;
        newest.frames[usize::from(positioned)].clone()
    }

    fn entry(&mut self, turn: Uuid) -> &mut Entry {
        self.turns.entry(turn).or_insert_with(|| {
            self.order.push_back(turn);
            Entry::default()
        })
    }

    /// Removes the oldest turns beyond the bounds; the newest stays.
    fn evict(&mut self) {
        while self.order.len() > 1 && (self.order.len() > TURNS || self.bytes > BYTES) {
            let Some(turn) = self.order.pop_front() else { return };
            self.bytes -= self.turns.remove(&turn).map_or(0, |entry| entry.size());
        }
    }
}

// === impl NewestRecord ===

impl NewestRecord {
    /// Keeps the frames of a record in `kept`, unless there is a newer one.
    fn keep(kept: &mut Option<Self>, record: &Record, positioned: bool, frames: &TurnFrames) {
        let order = |at: Position| (at.epoch, at.offset);
        let at = record.at;
        let newest = match kept {
            Some(newest) if newest.record.as_ptr() == Arc::as_ptr(record) => newest,
            Some(newest) if order(newest.at) >= order(at) => return,
            kept => {
                let record = Arc::downgrade(record);
                kept.insert(Self { at, record, frames: [None, None] })
            }
        };
        newest.frames[usize::from(positioned)] = Some(frames.clone());
    }
}

// === impl Entry ===

impl Entry {
    /// Whether everything before the character `start` is here.
    fn reaches(&self, start: u64) -> bool {
        self.chars >= start
    }

    /// Bytes of the text and the frames.
    fn size(&self) -> usize {
        let kept = self.newest.iter().chain(&self.snapshot);
        let newest = kept.flat_map(|newest| newest.frames.iter().flatten());
        self.text.len() + newest.flatten().flatten().map(|frame| frame.len()).sum::<usize>()
    }

    /// Frame of the record `at` a position, if it is the newest and was encoded.
    fn frame(&self, at: Position, positioned: bool) -> Option<Text> {
        let newest = self.newest.as_ref().filter(|newest| newest.at == at)?;
        let [_, frame] = newest.frames[usize::from(positioned)].as_ref()?;
        frame.clone()
    }

    /// Adds the text of a snapshot, unless there is more.
    fn reach(&mut self, snapshot: &TurnSnapshot) {
        if snapshot.text.len() > self.text.len() {
            self.text.clone_from(&snapshot.text);
            self.chars = self.text.chars().count() as u64;
            self.broken = false;
        }
    }

    /// Adds `delta`, which starts within the text or at its end. Gives the text up to its end.
    fn up_to(&mut self, delta: &Delta) -> String {
        let head = self.chars - delta.start.min(self.chars);
        // A merged delta may start before the end of the text, and end after it.
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

/// Frame that comes before the first text of a turn.
fn notice(event: &Event, turn: &TurnEvent) -> Option<Text> {
    let is_first = match turn {
        TurnEvent::Delta(delta) => delta.start == 0,
        TurnEvent::Snapshot(snapshot) => !snapshot.text.is_empty(),
        _ => false,
    };
    let fields = TurnFields::new("status", "responding", "Assistant is responding...");
    is_first.then(|| frame(event, turn.turn(), &fields))
}

fn frame(event: &Event, turn: Uuid, fields: &TurnFields<'_>) -> Text {
    let thread = event.topic.channel();
    let payload = TurnPayload {
        message: fields.message,
        timestamp: wire::seconds(event.ts),
        status: fields.status,
        r#type: fields.r#type,
        final_message: fields.error.is_none().then_some(fields.last),
        error_details: fields.error,
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
