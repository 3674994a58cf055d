//! One immutable record of a log, encoded at most once per wire format.
use std::{
    any::Any,
    borrow::Cow,
    fmt,
    str::FromStr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::AcqRel},
    },
    time::SystemTime,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::{Text, Topic, budget::Budget};

/// Kind of an event, for clients: `message`, `turn.delta`, `progress`.
pub type Kind = Cow<'static, str>;

/// Kind of the events that clients publish as a payload.
pub const MESSAGE: &str = "message";

/// Names what an event supersedes: under [`OnSlow::Coalesce`](crate::OnSlow) only the newest event
/// of a key reaches a reader that has fallen behind.
pub type EventKey = Text;

/// Key of the events of `publisher` about one `message`. It supersedes earlier ones of the same
/// publisher about the same message, and nothing else: no other key begins in this way.
pub fn published_key(publisher: &str, kind: &str, message: &str) -> EventKey {
    let length = publisher.len();
    EventKey::from(format!("published {kind} {length} {publisher} {message}").as_str())
}

/// Position of a record in its topic. An opaque token to clients, `epoch-offset`, that they send back
/// verbatim to resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Identifies the log: a position of an earlier log of this name never matches by accident.
    pub epoch: u64,
    /// Counts the records of one epoch from 1. Zero is the place before the first.
    pub offset: u64,
}

/// The text is not a position.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[error("not a position; send one back exactly as it was received")]
pub struct BadPosition;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.epoch, self.offset)
    }
}

impl FromStr for Position {
    type Err = BadPosition;

    fn from_str(text: &str) -> Result<Self, BadPosition> {
        let (epoch, offset) = text.split_once('-').ok_or(BadPosition)?;
        let at = Self {
            epoch: u64::from_str_radix(epoch, 16).map_err(|_| BadPosition)?,
            offset: offset.parse().map_err(|_| BadPosition)?,
        };
        // One spelling each, so that tokens can be compared as text.
        if at.to_string() == text { Ok(at) } else { Err(BadPosition) }
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// An event to publish; the log adds time and position.
#[derive(Debug)]
pub struct Draft {
    pub topic: Topic,
    pub kind: Kind,
    /// One JSON value, passed on byte for byte.
    pub payload: Text,
    pub key: Option<EventKey>,
    /// Session of the publisher, for protocols that do not echo.
    pub publisher: Option<Uuid>,
    frames: EncodedFrames,
    /// Bytes of `frames`.
    framed: usize,
}

impl Draft {
    pub fn new(topic: Topic, kind: impl Into<Kind>, payload: impl Into<Text>) -> Self {
        Self {
            topic,
            kind: kind.into(),
            payload: payload.into(),
            key: None,
            publisher: None,
            frames: EncodedFrames::default(),
            framed: 0,
        }
    }

    /// A draft of `payload` as JSON. Fails as `serde_json` does, for example on a map whose keys
    /// are not text.
    pub fn json<T: Serialize + ?Sized>(
        topic: Topic,
        kind: impl Into<Kind>,
        payload: &T,
    ) -> serde_json::Result<Self> {
        Ok(Self::new(topic, kind, serde_json::to_string(payload)?))
    }

    #[must_use]
    pub fn key(mut self, key: Option<EventKey>) -> Self {
        self.key = key;
        self
    }

    #[must_use]
    pub fn publisher(mut self, session: Uuid) -> Self {
        self.publisher = Some(session);
        self
    }

    /// The event as it came in on wire `W`, so that it leaves on that wire unchanged.
    #[must_use]
    pub fn framed<W: Wire>(mut self, frame: W::Frame) -> Self {
        self.framed += W::held(&frame, &self.payload) + FRAME_OVERHEAD;
        // The slot is empty: a draft is framed where it is made.
        drop(self.frames[W::SLOT as usize].set(Box::new(frame)));
        self
    }
}

/// A record of a log.
pub struct Event {
    pub topic: Topic,
    pub kind: Kind,
    /// One JSON value, as the publisher wrote it.
    pub payload: Text,
    pub key: Option<EventKey>,
    pub publisher: Option<Uuid>,
    /// Milliseconds since the Unix epoch, stamped by the node that accepted the event.
    pub ts: u64,
    pub at: Position,
    frames: EncodedFrames,
    /// Bytes of `frames`, with [`HELD`] set while a log holds the record.
    framed: AtomicUsize,
    /// Budget of the log that took the record in.
    budget: OnceLock<Arc<Budget>>,
}

/// Bit of [`Event::framed`] that is set while the bytes are counted.
const HELD: usize = 1 << (usize::BITS - 1);

/// Bytes of a frame besides its text: its box, and the reference counts.
const FRAME_OVERHEAD: usize = 48;

type EncodedFrames = [OnceLock<Box<dyn Any + Send + Sync>>; WireSlot::COUNT];

/// The places of an event's encoded forms, one for each [`Wire`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireSlot {
    Broker,
    BrokerWithPositions,
    ServerSentEvents,
    Workflows,
    SocketIo,
}

impl WireSlot {
    const COUNT: usize = Self::SocketIo as usize + 1;
}

/// A way to put an event on a wire.
pub trait Wire {
    type Frame: Send + Sync + 'static;
    /// No two wires have the same.
    const SLOT: WireSlot;
    fn encode(event: &Event) -> Self::Frame;

    /// Bytes that `frame` keeps alive and `payload` does not.
    fn held(frame: &Self::Frame, payload: &Text) -> usize;
}

impl Event {
    pub fn new(draft: Draft, at: Position) -> Self {
        let Draft { topic, kind, payload, key, publisher, frames, framed } = draft;
        let (framed, budget) = (AtomicUsize::new(framed), OnceLock::new());
        Self { topic, kind, payload, key, publisher, ts: now(), at, frames, framed, budget }
    }

    /// The event encoded for `W`: encoded at the first call, shared by all later ones.
    pub fn frame<W: Wire>(&self) -> &W::Frame {
        self.frames[W::SLOT as usize]
            .get_or_init(|| {
                let frame = W::encode(self);
                self.grew(W::held(&frame, &self.payload) + FRAME_OVERHEAD);
                Box::new(frame)
            })
            .downcast_ref()
            .expect("each wire has a slot of its own")
    }

    /// Counts `bytes` by which a frame has grown after it was made.
    pub fn grew(&self, bytes: usize) {
        // Taken before it is known to be needed, so that no release gives back more than was taken.
        let taken = self.budget.get();
        taken.inspect(|budget| _ = budget.take(bytes));
        match (self.framed.fetch_add(bytes, AcqRel) & HELD != 0, taken) {
            (false, Some(budget)) => _ = budget.give(bytes),
            (true, None) => _ = self.budget.get().map(|budget| budget.take(bytes)),
            _ => {}
        }
    }

    /// Bytes that the event counts against a log's bound in bytes: its content and the record around it.
    pub fn size(&self) -> usize {
        let key = self.key.as_ref().map_or(0, |key| key.held_beside(&self.payload));
        size_of::<Self>() + self.payload.held() + key
    }

    /// Counts the event and its frames, those that are made later included, until
    /// [`release`](Self::release). True if that is more than there may be.
    pub(crate) fn hold(&self, budget: &Arc<Budget>) -> bool {
        // Fails if the record is in the log of the same hub again; the budget is the same.
        drop(self.budget.set(Arc::clone(budget)));
        let framed = self.framed.fetch_or(HELD, AcqRel) & !HELD;
        budget.take(self.size() + framed)
    }

    /// Ends the count of the event. True if there are still too many bytes.
    pub(crate) fn release(&self) -> bool {
        let framed = self.framed.fetch_and(!HELD, AcqRel);
        match self.budget.get() {
            Some(budget) if framed & HELD != 0 => budget.give(self.size() + (framed & !HELD)),
            _ => false,
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.topic, self.at, self.kind, &*self.payload)
    }
}

/// Milliseconds since the Unix epoch.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Shared by every reader that it is delivered to.
pub type Record = Arc<Event>;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_position_survives_its_text(epoch: u64, offset: u64) {
            let at = Position { epoch, offset };
            prop_assert_eq!(at.to_string().parse(), Ok(at));
        }
    }

    #[test]
    fn only_the_text_of_a_position_is_one() {
        for text in ["", "-", "1", "1-", "-1", "x-1", "1-x", "01-1", "A-1", "1-+1", "1-1 ", "1-1-1"]
        {
            assert_eq!(text.parse::<Position>(), Err(BadPosition), "{text:?}");
        }
    }
}
