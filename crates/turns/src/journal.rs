//! The journal: turns of every topic in the store.
use futures_util::{FutureExt, future::BoxFuture};
use quadrille_agents::{Begun, Ending, Growth, HistoryEntry, Journal, KeptTurn, NotStored, Ticket};
use quadrille_core::{Holder, Hub, Life};
use quadrille_store::{self as store, NewEnd, NewTurn, Segment, Store, TurnOpening};
use uuid::Uuid;

use crate::kept::{apology, kept, new_end};

/// Attempts to store something while the database is busy, each as long as `store.busy_timeout`.
const ATTEMPTS: usize = 6;

/// Stores turns, for the desk. Cloning shares it.
#[derive(Clone, Debug)]
pub struct StoreJournal {
    pub(crate) hub: Hub,
    pub(crate) life: Life,
    pub(crate) store: Store,
}

// === impl StoreJournal ===

impl StoreJournal {
    /// A journal in `store`. The ends of turns that the last process left are published in `hub`.
    pub fn new(hub: &Hub, life: &Life, store: Store) -> Self {
        Self { hub: hub.clone(), life: life.clone(), store }
    }

    async fn open(&self, turn: &Ticket) -> Result<Begun, NotStored> {
        let new = NewTurn { id: turn.id(), topic: turn.topic().as_str(), agent: turn.agent() };
        let key = turn.key().map(|key| &**key);
        let opened =
            retried(is_busy, || self.store.open_turn(new, turn.user(), turn.question(), key));
        match opened.await.map_err(|err| not_stored(&err))? {
            TurnOpening::New => Ok(Begun::New),
            TurnOpening::Known(turn) => kept(*turn).map(Begun::Known).ok_or(NotStored::Failed),
        }
    }

    async fn exchanges(&self, turn: &Ticket, window: usize) -> Option<Vec<HistoryEntry>> {
        let window = u32::try_from(window).unwrap_or(u32::MAX);
        let topic = turn.topic().as_str();
        let stored = self.store.exchanges(topic, window, HistoryEntry::BYTES).await;
        let stored = stored.inspect_err(|err| {
            tracing::warn!(error = %err, "an agent is asked without the stored history");
        });
        let exchange = |(question, reply)| HistoryEntry { question, reply };
        Some(stored.ok()?.into_iter().map(exchange).collect())
    }

    async fn store_growth(&self, grown: Vec<Growth>) -> Result<(), NotStored> {
        let segment = |Growth { turn, start, text }| Segment {
            turn,
            start: i64::try_from(start).unwrap_or(i64::MAX),
            text,
        };
        let segments: Vec<_> = grown.into_iter().map(segment).collect();
        self.store.grow_turns(&segments).await.map_err(|err| {
            tracing::warn!(error = %err, "the text of running replies is not stored yet");
            NotStored::Failed
        })
    }

    /// Stores how a turn ended that no agent was asked for, with this text in place of a reply, and
    /// returns the id of the message that stands for it.
    pub async fn refuse(
        &self,
        turn: Uuid,
        ending: &Ending,
        sentence: &str,
    ) -> Result<Option<i64>, NotStored> {
        self.store_end(turn, new_end(ending, sentence)).await
    }

    /// Stores how a turn ended that the last process left, to be told to its topic.
    pub(crate) async fn close(
        &self,
        turn: Uuid,
        ending: &Ending,
    ) -> Result<Option<i64>, NotStored> {
        let sentence = sentence(ending);
        self.store_end(turn, NewEnd { untold: true, ..new_end(ending, &sentence) }).await
    }

    /// Stores how a turn ended, and what its agent reported, as JSON.
    async fn finish(
        &self,
        turn: &Ticket,
        ending: &Ending,
        untold: bool,
    ) -> Result<Option<i64>, NotStored> {
        let details = turn.report().map(|report| {
            serde_json::to_string(report).expect("numbers and texts are always JSON")
        });
        // No agent was asked. The question of a conversation is a message, which its key stores once.
        let is_unasked = !turn.has_started() && turn.topic().namespace() != "room";
        let sentence = sentence(ending);
        let end = new_end(ending, &sentence);
        let frees_key = end.frees_key || is_unasked;
        self.store_end(turn.id(), NewEnd { details: details.as_deref(), untold, frees_key, ..end })
            .await
    }

    async fn store_end(&self, turn: Uuid, end: NewEnd<'_>) -> Result<Option<i64>, NotStored> {
        match retried(is_busy, || self.store.end_turn(turn, end)).await {
            Ok(Some(ended)) => Ok(ended.message.map(|message| message.id)),
            // Closed by another task, or the conversation was deleted: the reply is stored nowhere.
            Ok(None) => {
                tracing::warn!(%turn, "a turn was not open any more; its end is not stored");
                Err(NotStored::Gone)
            }
            Err(err) => Err(not_stored(&err)),
        }
    }

    async fn look_up(&self, turn: Uuid) -> Option<KeptTurn> {
        let found = self.store.acting(Holder::Program).turn(turn).await;
        let found = found.inspect_err(|err| {
            tracing::warn!(error = %err, "a turn cannot be looked up");
        });
        kept(found.ok()??)
    }
}

impl Journal for StoreJournal {
    fn begin<'a>(&'a self, turn: &'a Ticket) -> BoxFuture<'a, Result<Begun, NotStored>> {
        self.open(turn).boxed()
    }

    fn history<'a>(
        &'a self,
        turn: &'a Ticket,
        window: usize,
    ) -> BoxFuture<'a, Option<Vec<HistoryEntry>>> {
        self.exchanges(turn, window).boxed()
    }

    fn grow(&self, grown: Vec<Growth>) -> BoxFuture<'_, Result<(), NotStored>> {
        self.store_growth(grown).boxed()
    }

    fn end<'a>(
        &'a self,
        turn: &'a Ticket,
        ending: &'a Ending,
        untold: bool,
    ) -> BoxFuture<'a, Result<Option<i64>, NotStored>> {
        self.finish(turn, ending, untold).boxed()
    }

    fn find(&self, turn: Uuid) -> BoxFuture<'_, Option<KeptTurn>> {
        self.look_up(turn).boxed()
    }
}

/// The text in place of a reply that failed without any.
fn sentence(ending: &Ending) -> String {
    match ending {
        Ending::Failed { code, .. } => apology(code.title()),
        _ => String::new(),
    }
}

/// Logs why something was not stored.
pub fn not_stored(err: &dyn std::error::Error) -> NotStored {
    tracing::error!(error = %err, "a turn was not stored");
    NotStored::Failed
}

pub(crate) fn is_busy(err: &store::Error) -> bool {
    matches!(err, store::Error::Busy)
}

/// Work that may find the database busy, tried again and again.
pub async fn retried<T, E, F: Future<Output = Result<T, E>>>(
    is_busy: impl Fn(&E) -> bool,
    mut work: impl FnMut() -> F,
) -> Result<T, E> {
    for _ in 1..ATTEMPTS {
        match work().await {
            Err(err) if is_busy(&err) => {}
            done => return done,
        }
    }
    work().await
}
