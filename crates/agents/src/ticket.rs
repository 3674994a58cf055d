//! One turn, as those hold it who asked for it, watch it or cancel it.
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
};

use quadrille_core::{Position, Topic};
use tokio::{sync::SetOnce, time::Instant};
use uuid::Uuid;

use crate::{Ask, Code, Given, named_agent::NamedAgent};

/// A turn. Cloning shares it, and dropping it changes nothing.
#[derive(Clone)]
pub struct Ticket(pub(crate) Arc<TurnState>);

pub(crate) struct TurnState {
    pub(crate) id: Uuid,
    pub(crate) ask: Ask,
    pub(crate) given: Given,
    pub(crate) agent: Arc<NamedAgent>,
    /// Where the topic stood when the turn was asked for: its records come after.
    pub(crate) since: Position,
    pub(crate) asked: Instant,
    pub(crate) started: AtomicBool,
    pub(crate) stop: SetOnce<Stop>,
    pub(crate) ended: SetOnce<Ended>,
    /// How many wait for the end.
    waiting: AtomicUsize,
}

/// Why a turn has to end before its reply does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Cancelled,
    Interrupted,
}

/// How far a turn is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    Waiting,
    Running,
    Ended(Ended),
}

/// The end of a turn: its last record, and where that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub ending: Ending,
    /// `None` if the record is not in the log.
    pub at: Option<Position>,
    /// What the reply is kept under, if it is kept beyond the log.
    pub message: Option<i64>,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The whole reply.
    Completed(Arc<str>),
    Failed(Code),
    /// What there was of the reply.
    Cancelled(Arc<str>),
}

// === impl Ending ===

impl Ending {
    /// Bytes of the reply.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Completed(text) | Self::Cancelled(text) => text.len(),
            Self::Failed(_) => 0,
        }
    }
}

/// Counts one who waits.
struct Waiter<'a>(&'a AtomicUsize);

// === impl Ticket ===

impl Ticket {
    pub fn id(&self) -> Uuid {
        self.0.id
    }

    pub fn topic(&self) -> &Topic {
        &self.0.ask.topic
    }

    pub fn user(&self) -> &Arc<str> {
        &self.0.ask.user
    }

    pub fn question(&self) -> &Arc<str> {
        &self.0.ask.text
    }

    /// The name of the agent.
    pub fn agent(&self) -> &str {
        &self.0.agent.name
    }

    /// The records of the turn are in the log of its topic, after this place.
    pub fn since(&self) -> Position {
        self.0.since
    }

    pub fn phase(&self) -> Phase {
        match self.0.ended.get() {
            Some(ended) => Phase::Ended(ended.clone()),
            None if self.0.started.load(Relaxed) => Phase::Running,
            None => Phase::Waiting,
        }
    }

    /// Resolves when the last record of the turn is published. Whoever waits counts as watching the
    /// turn. Cancel-safe.
    pub async fn ended(&self) -> &Ended {
        self.0.waiting.fetch_add(1, SeqCst);
        let _waiter = Waiter(&self.0.waiting);
        self.0.ended.wait().await
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("id", &self.0.id).finish_non_exhaustive()
    }
}

// === impl TurnState ===

impl TurnState {
    pub(crate) fn new(ask: Ask, given: Given, agent: Arc<NamedAgent>, since: Position) -> Self {
        Self {
            id: ask.id.unwrap_or_else(Uuid::now_v7),
            ask,
            given,
            agent,
            since,
            asked: Instant::now(),
            started: AtomicBool::new(false),
            stop: SetOnce::new(),
            ended: SetOnce::new(),
            waiting: AtomicUsize::new(0),
        }
    }

    pub(crate) fn is_awaited(&self) -> bool {
        self.waiting.load(SeqCst) > 0
    }

    /// Bytes of memory that the turn takes, without its reply.
    pub(crate) fn size(&self) -> usize {
        self.ask.size() + self.given.size()
    }
}

// === impl Waiter ===

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}
