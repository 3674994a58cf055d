//! One turn, as clients hold it that ask for it, watch it or cancel it.
use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
};

use quadrille_core::{
    Holder, IdempotencyKey, Position, Topic,
    turn::{Cancelled, Completed, Failed, TokenUsage, TurnEvent},
};
use serde::{Deserialize, Serialize};
use tokio::{sync::SetOnce, time::Instant};
use uuid::Uuid;

use crate::{
    Code, Given,
    ask::{Ask, Refused},
    journal::{Growth, KeptTurn},
    named_agent::NamedAgent,
};

/// A turn. Cloning shares it, and dropping it changes nothing.
#[derive(Clone)]
pub struct Ticket(pub(crate) Arc<TurnState>);

pub(crate) struct TurnState {
    pub(crate) id: Uuid,
    pub(crate) ask: Ask,
    pub(crate) given: Given,
    pub(crate) agent: Arc<NamedAgent>,
    /// The end of the topic's log when the turn was asked for: its records come after.
    pub(crate) since: Position,
    pub(crate) asked: Instant,
    pub(crate) started: AtomicBool,
    /// Whether a task stores the question, or it is stored already.
    pub(crate) begins: AtomicBool,
    pub(crate) begun: SetOnce<Begin>,
    /// The text of the reply as far as it is in the log, until the turn has ended.
    shown: Mutex<String>,
    /// Bytes of `shown` that are stored.
    stored: AtomicUsize,
    pub(crate) stop: SetOnce<Stop>,
    /// Set before the end, if the agent was asked.
    pub(crate) report: OnceLock<AgentReport>,
    pub(crate) ended: SetOnce<Ended>,
    /// Callers that wait for the end.
    waiters: AtomicUsize,
}

/// The outcome of storing the question.
#[derive(Clone, Debug)]
pub(crate) enum Begin {
    Own,
    /// The turn fails.
    NotStored,
    /// The key is of this turn, and this one is none.
    Joined(Ticket),
    /// The key is of another question, and this turn is none.
    Refused(Refused),
}

/// The reason why a turn has to end before its reply does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Cancelled,
    Interrupted,
}

/// The progress of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    Waiting,
    Running,
    Ended(Ended),
}

/// The end of a turn, and the place of its last record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub ending: Ending,
    /// `None` if the record is not in the log.
    pub at: Option<Position>,
    /// Id of the stored message that holds the reply, if the reply is stored.
    pub message: Option<i64>,
}

/// The agent's own account of its reply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentReport {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<TokenUsage>,
    /// The reason for the end, as the upstream says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Arc<str>>,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The whole reply.
    Completed(Arc<str>),
    Failed {
        code: Code,
        /// The reply as far as it got.
        text: Arc<str>,
    },
    /// The reply as far as it got.
    Cancelled(Arc<str>),
}

/// Counts a caller that waits.
struct Waiter<'a>(&'a AtomicUsize);

// === impl Ending ===

impl Ending {
    /// A failure before there was any text.
    pub fn failed(code: Code) -> Self {
        Self::Failed { code, text: "".into() }
    }

    /// Whether the same question may be asked again with the same key, because no agent was asked.
    pub fn frees_key(&self) -> bool {
        matches!(self, Self::Failed { code: Code::QueueTimeout, .. })
    }

    /// The reply, as far as it got.
    pub fn text(&self) -> &Arc<str> {
        match self {
            Self::Completed(text) | Self::Cancelled(text) | Self::Failed { text, .. } => text,
        }
    }

    /// The last record of `turn`, which ended like this and is stored as `message`.
    pub fn event(&self, turn: Uuid, message: Option<i64>) -> TurnEvent {
        self.reported(turn, message, AgentReport::default())
    }

    /// [`Self::event`], with what the agent has reported.
    pub(crate) fn event_of(&self, turn: &TurnState, message: Option<i64>) -> TurnEvent {
        self.reported(turn.id, message, turn.report.get().cloned().unwrap_or_default())
    }

    fn reported(&self, turn: Uuid, message: Option<i64>, report: AgentReport) -> TurnEvent {
        let AgentReport { usage, reason } = report;
        match self {
            Self::Completed(text) => {
                let text = Arc::clone(text);
                TurnEvent::Completed(Completed { turn, text, message, reason, usage })
            }
            Self::Cancelled(text) => {
                TurnEvent::Cancelled(Cancelled { turn, text: Arc::clone(text), message, usage })
            }
            Self::Failed { code, text } => {
                let (code, title) = (code.as_str().into(), code.title().into());
                let text = Arc::clone(text);
                TurnEvent::Failed(Failed { turn, code, title, text, message, usage })
            }
        }
    }
}

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

    /// The key under which the question was asked.
    pub fn key(&self) -> Option<&IdempotencyKey> {
        self.0.ask.key.as_ref()
    }

    /// The name of the agent.
    pub fn agent(&self) -> &str {
        &self.0.agent.name
    }

    /// The position in the topic's log after which the records of the turn are.
    pub fn since(&self) -> Position {
        self.0.since
    }

    /// Whether the turn runs or ran, so that its agent may have been asked.
    pub fn has_started(&self) -> bool {
        self.0.started.load(Relaxed)
    }

    pub fn phase(&self) -> Phase {
        match self.end() {
            Some(ended) => Phase::Ended(ended.clone()),
            None if self.0.started.load(Relaxed) => Phase::Running,
            None => Phase::Waiting,
        }
    }

    /// The agent's account of the reply, if it gave any and the turn is ending or has ended.
    pub fn report(&self) -> Option<&AgentReport> {
        self.0.report.get().filter(|report| **report != AgentReport::default())
    }

    /// The tokens of the reply, if the agent has counted them and the turn is ending or has ended.
    pub fn usage(&self) -> Option<TokenUsage> {
        self.0.report.get()?.usage
    }

    /// The reason for the end of the reply, as the upstream says it, under the same conditions.
    pub fn reason(&self) -> Option<&str> {
        self.0.report.get()?.reason.as_deref()
    }

    /// The reply as far as readers of the topic have been shown it; of a turn that has ended, all of
    /// it.
    pub fn text(&self) -> Arc<str> {
        match self.end() {
            Some(ended) => Arc::clone(ended.ending.text()),
            None => self.0.text(),
        }
    }

    /// Resolves when the question is stored, or could not be, which its end tells. Gives the turn of
    /// its key, which may be another one. Cancel-safe.
    pub async fn begun(self) -> Result<Self, Refused> {
        match self.0.begun.wait().await {
            Begin::Own | Begin::NotStored => {}
            Begin::Joined(other) => return Ok(other.clone()),
            Begin::Refused(err) => return Err(err.clone()),
        }
        Ok(self)
    }

    pub(crate) fn end(&self) -> Option<&Ended> {
        self.0.ended.get()
    }

    /// Resolves when the last record of the turn is published. A caller that waits counts as
    /// watching the turn. Cancel-safe.
    pub async fn ended(&self) -> &Ended {
        self.0.waiters.fetch_add(1, SeqCst);
        let _waiter = Waiter(&self.0.waiters);
        self.0.ended.wait().await
    }

    /// The last record of the turn, if the turn has ended.
    pub fn last_event(&self) -> Option<TurnEvent> {
        self.end().map(|ended| ended.ending.event_of(&self.0, ended.message))
    }

    /// The last record of the turn, if the turn has ended and a reader of its topic who has come to
    /// `position` will not meet that record: it came before, or is in no log or in an earlier one.
    pub fn last_event_missed_at(&self, position: Position) -> Option<TurnEvent> {
        let last = self.end()?.at;
        let follows =
            last.is_some_and(|last| last.epoch == position.epoch && last.offset > position.offset);
        if follows { None } else { self.last_event() }
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
        let is_stored = ask.id.is_some();
        Self {
            id: ask.id.unwrap_or_else(Uuid::now_v7),
            ask,
            given,
            agent,
            since,
            asked: Instant::now(),
            started: AtomicBool::new(false),
            begins: AtomicBool::new(is_stored),
            begun: if is_stored { SetOnce::new_with(Some(Begin::Own)) } else { SetOnce::new() },
            shown: Mutex::default(),
            stored: AtomicUsize::new(0),
            stop: SetOnce::new(),
            report: OnceLock::new(),
            ended: SetOnce::new(),
            waiters: AtomicUsize::new(0),
        }
    }

    /// A turn from the store, which this desk does not run. Its records are in no log.
    pub(crate) fn restored(kept: KeptTurn, agent: Arc<NamedAgent>) -> Self {
        let KeptTurn { id, topic, user, question, text, ending, message, report, .. } = kept;
        let ask = Ask {
            topic,
            user,
            holder: Holder::Program,
            text: question,
            agent: None,
            key: None,
            id: Some(id),
        };
        let ended = ending.map(|ending| Ended { ending, at: None, message });
        Self {
            started: AtomicBool::new(true),
            shown: Mutex::new(text),
            report: report.map(OnceLock::from).unwrap_or_default(),
            ended: SetOnce::new_with(ended),
            ..Self::new(ask, Given::default(), agent, Position { epoch: 0, offset: 0 })
        }
    }

    /// The text that is in the log.
    pub(crate) fn text(&self) -> Arc<str> {
        self.shown().as_str().into()
    }

    /// Notes that `text` goes into the log.
    pub(crate) fn show(&self, text: &str) {
        self.shown().push_str(text);
    }

    /// Frees the text, which the end has.
    pub(crate) fn forget_text(&self) {
        *self.shown() = String::new();
    }

    /// The part of the text that is in the log and not stored.
    pub(crate) fn growth(&self) -> Option<Growth> {
        let (shown, start) = (self.shown(), self.stored.load(Relaxed));
        let text = shown.get(start..).filter(|text| !text.is_empty())?.to_owned();
        Some(Growth { turn: self.id, start, text })
    }

    /// Notes that so many bytes of the text are stored.
    pub(crate) fn grew_to(&self, stored: usize) {
        self.stored.store(stored, Relaxed);
    }

    fn shown(&self) -> MutexGuard<'_, String> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a caller waits for the end.
    pub(crate) fn is_awaited(&self) -> bool {
        self.waiters.load(SeqCst) > 0
    }

    /// Bytes of memory that the turn takes, without its reply.
    pub(crate) fn size(&self) -> usize {
        Self::size_of(&self.ask, &self.given)
    }

    /// [`Self::size`] of the turn that a question would have.
    pub(crate) fn size_of(ask: &Ask, given: &Given) -> usize {
        2 * size_of::<Self>() + ask.size() + given.size()
    }
}

// === impl Waiter ===

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}
