//! The journal of conversations: stores questions and replies, over whichever protocol they come.
use std::{
    collections::HashSet,
    sync::{Arc, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use quadrille_agents::{Ending, HistoryEntry, Journal, NotStored, Ticket};
use quadrille_core::{
    Draft, Hub, Life,
    turn::{Failed, TurnEvent},
};
use quadrille_edge::Core;
use quadrille_store::{
    self as store, AddError, Added, Interrupted, NewMessage, Sender, Store, TurnEnd,
};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use crate::{
    topic,
    wire::{self, MessageView},
};

/// Attempts to store a message while the database is busy, each as long as `store.busy_timeout`.
const ATTEMPTS: usize = 6;

/// Interval between two looks for turns that a crash cut off, if the store does not answer.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// Conversations that can be written to at once, more or less.
const WRITE_LOCKS: usize = 64;

/// Stores the turns of conversations, for the desk. Cloning shares it.
#[derive(Clone, Debug)]
pub struct RoomJournal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hub: Hub,
    life: Life,
    store: Store,
    /// Milliseconds of Unix time. Turns that were begun earlier and did not end were cut off.
    opened: i64,
    /// Each held while a message is stored and published; a lock of the standard library cannot be.
    write_locks: [Mutex<()>; WRITE_LOCKS],
    /// Turns whose topic is named like a conversation that does not exist.
    unstored: std::sync::Mutex<HashSet<Uuid>>,
}

// === impl RoomJournal ===

impl RoomJournal {
    /// A journal in `store`. Messages that it stores are published in the hub of `core`.
    pub fn new(core: &Core, store: Store) -> Self {
        Self(Arc::new(Inner {
            hub: core.hub.clone(),
            life: core.life.clone(),
            store,
            opened: i64::try_from(quadrille_core::now()).unwrap_or(i64::MAX),
            write_locks: std::array::from_fn(|_| Mutex::default()),
            unstored: std::sync::Mutex::default(),
        }))
    }

    /// Waits until no other task stores and publishes in this conversation, so that its log and the
    /// store have the same order.
    pub(crate) async fn write_lock(&self, conversation: i64) -> MutexGuard<'_, ()> {
        let at = usize::try_from(conversation.unsigned_abs()).unwrap_or(0) % WRITE_LOCKS;
        self.0.write_locks[at].lock().await
    }

    /// Stores how a turn ended, and returns the id of the message that stands for its reply. `None`,
    /// and nothing is stored, if the turn is not open.
    pub(crate) async fn close(
        &self,
        turn: Uuid,
        end: TurnEnd,
        content: &str,
    ) -> Result<Option<i64>, store::Error> {
        let is_busy = |err: &store::Error| matches!(err, store::Error::Busy);
        let stored = retried(is_busy, || self.0.store.end_turn(turn, end, content)).await;
        Ok(stored?.map(|message| message.id))
    }

    /// Closes the turns that were open before the journal was: they get no reply any more.
    pub(crate) async fn close_interrupted_turns(self) {
        let title = "the gateway stopped before the reply was complete";
        let content = wire::apology(title);
        loop {
            match self.0.store.interrupt_turn(&content, self.0.opened).await {
                Ok(Some(turn)) => self.publish_interrupted(&turn, title).await,
                Ok(None) => return,
                Err(err) => {
                    tracing::error!(error = %err, "cannot look for turns that were cut off");
                    tokio::select! {
                        () = tokio::time::sleep(RETRY_INTERVAL) => {}
                        () = self.0.life.draining() => return,
                    }
                }
            }
        }
    }

    /// Tells the readers of a conversation how its turn ended.
    async fn publish_interrupted(&self, interrupted: &Interrupted, title: &'static str) {
        let Interrupted { turn, conversation_id, message } = interrupted;
        let Some(topic) = topic::of_conversation(*conversation_id) else { return };
        let failed = TurnEvent::Failed(Failed {
            turn: *turn,
            code: "interrupted".into(),
            title: title.into(),
            message: Some(message.id),
            ..Failed::default()
        });
        if let Err(err) = self.0.hub.publish(failed.draft(topic)).await {
            tracing::warn!(error = %err, "clients were not told that a turn was cut off");
        }
    }

    /// Stores a question that came over another protocol, and shows it to rooms as a message.
    async fn store_question(&self, turn: &Ticket) -> Result<(), NotStored> {
        let Some(conversation) = topic::conversation_of(turn.topic()) else { return Ok(()) };
        let new = NewMessage {
            conversation,
            user: turn.user(),
            sender: Sender::User,
            content: turn.question(),
            metadata: None,
            key: None,
            turn: Some(turn.id()),
            files: &[],
        };
        let write_lock = self.write_lock(conversation).await;
        let is_busy = |err: &AddError| matches!(err, AddError::Store(store::Error::Busy));
        let added = retried(is_busy, || self.0.store.add_message(new)).await;
        let published = match added {
            Ok(Added { message, .. }) => {
                let view = MessageView { turn: Some(turn.id()), ..MessageView::of(&message) };
                let draft = Draft::new(turn.topic().clone(), "new_message", wire::json(&view));
                self.0.hub.publish(draft)
            }
            // A topic that looks like a conversation, and is none.
            Err(AddError::NoConversation) => {
                self.unstored().insert(turn.id());
                return Ok(());
            }
            Err(err) => return Err(not_stored(&err)),
        };
        drop(write_lock);
        published.await.map(drop).map_err(|err| not_stored(&err))
    }

    async fn completed_before(&self, turn: &Ticket, window: usize) -> Option<Vec<HistoryEntry>> {
        let conversation = topic::conversation_of(turn.topic())?;
        let window = u32::try_from(window).unwrap_or(u32::MAX);
        let stored = self.0.store.exchanges(conversation, window, HistoryEntry::BYTES).await;
        let stored = stored.inspect_err(|err| {
            tracing::warn!(error = %err, "an agent is asked without the history of its conversation");
        });
        let exchange = |(question, reply)| HistoryEntry { question, reply };
        Some(stored.ok()?.into_iter().map(exchange).collect())
    }

    async fn store_end(&self, turn: &Ticket, ending: &Ending) -> Result<Option<i64>, NotStored> {
        if topic::conversation_of(turn.topic()).is_none() || self.unstored().remove(&turn.id()) {
            return Ok(None);
        }
        let (end, content) = match ending {
            Ending::Completed(text) => (TurnEnd::Completed, text.to_string()),
            Ending::Cancelled(text) => (TurnEnd::Cancelled, text.to_string()),
            Ending::Failed(code) => (TurnEnd::Failed, wire::apology(code.title())),
        };
        match self.close(turn.id(), end, &content).await {
            Ok(Some(message)) => Ok(Some(message)),
            // Closed by another task, or the conversation was deleted: the reply is stored nowhere.
            Ok(None) => {
                tracing::warn!(turn = %turn.id(), "a turn was not open any more; its end is not stored");
                Err(NotStored)
            }
            Err(err) => Err(not_stored(&err)),
        }
    }

    fn unstored(&self) -> std::sync::MutexGuard<'_, HashSet<Uuid>> {
        self.0.unstored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for RoomJournal {
    fn begin<'a>(&'a self, turn: &'a Ticket) -> BoxFuture<'a, Result<(), NotStored>> {
        self.store_question(turn).boxed()
    }

    fn history<'a>(
        &'a self,
        turn: &'a Ticket,
        window: usize,
    ) -> BoxFuture<'a, Option<Vec<HistoryEntry>>> {
        self.completed_before(turn, window).boxed()
    }

    fn end<'a>(
        &'a self,
        turn: &'a Ticket,
        ending: &'a Ending,
    ) -> BoxFuture<'a, Result<Option<i64>, NotStored>> {
        self.store_end(turn, ending).boxed()
    }
}

fn not_stored(err: &dyn std::error::Error) -> NotStored {
    tracing::error!(error = %err, "a message was not stored");
    NotStored
}

/// Work that may find the database busy, tried again and again.
async fn retried<T, E, F: Future<Output = Result<T, E>>>(
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
