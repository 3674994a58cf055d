//! The journal of conversations: a question over whichever protocol becomes a message, too.
use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use quadrille_agents::{Begun, Ending, Growth, HistoryEntry, Journal, KeptTurn, NotStored, Ticket};
use quadrille_core::{Draft, Hub};
use quadrille_edge::Core;
use quadrille_store::{self as store, AddError, Added, NewMessage, NewTurn, Sender, Store};
use quadrille_turns::{StoreJournal, kept, not_stored, retried};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use crate::{
    topic,
    wire::{self, MessageView},
};

/// Conversations that can be written to at once, more or less.
const WRITE_LOCKS: usize = 64;

/// Stores turns, for the desk, and the questions of conversations as messages. Cloning shares it.
#[derive(Clone, Debug)]
pub struct RoomJournal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hub: Hub,
    store: Store,
    /// Stores all that is the same in every topic.
    turns: StoreJournal,
    /// Each held while a message is stored and published; a lock of the standard library cannot be.
    write_locks: [Mutex<()>; WRITE_LOCKS],
}

// === impl RoomJournal ===

impl RoomJournal {
    /// A journal in `store`, beside `turns`. Messages that it stores are published in the hub of
    /// `core`.
    pub fn new(core: &Core, store: Store, turns: StoreJournal) -> Self {
        Self(Arc::new(Inner {
            hub: core.hub.clone(),
            store,
            turns,
            write_locks: std::array::from_fn(|_| Mutex::default()),
        }))
    }

    /// Waits until no other task stores and publishes in this conversation, so that its log and the
    /// store have the same order.
    pub(crate) async fn write_lock(&self, conversation: i64) -> MutexGuard<'_, ()> {
        let at = usize::try_from(conversation.unsigned_abs()).unwrap_or(0) % WRITE_LOCKS;
        self.0.write_locks[at].lock().await
    }

    /// Stores how a turn ended that no agent was asked for, with this text in place of a reply, and
    /// returns the id of the message that has it.
    pub(crate) async fn refuse(
        &self,
        turn: Uuid,
        ending: &Ending,
        sentence: &str,
    ) -> Result<Option<i64>, NotStored> {
        self.0.turns.refuse(turn, ending, sentence).await
    }

    /// Stores a question that came over another protocol, and shows it to rooms as a message.
    async fn store_question(&self, turn: &Ticket) -> Result<Begun, NotStored> {
        let Some(conversation) = topic::conversation_of(turn.topic()) else {
            return self.0.turns.begin(turn).await;
        };
        let asked = NewTurn { id: turn.id(), topic: turn.topic().as_str(), agent: turn.agent() };
        let new = NewMessage {
            conversation,
            user: turn.user(),
            sender: Sender::User,
            content: turn.question(),
            metadata: None,
            key: turn.key().map(|key| &**key),
            turn: Some(asked),
            files: &[],
        };
        let write_lock = self.write_lock(conversation).await;
        let is_busy = |err: &AddError| matches!(err, AddError::Store(store::Error::Busy));
        let added = retried(is_busy, || self.0.store.add_message(new)).await;
        let published = match added {
            Ok(Added { is_new: false, .. }) | Err(AddError::KeyReused) => {
                return self.known(turn).await;
            }
            Ok(Added { message, .. }) => {
                let view = MessageView { turn: Some(turn.id()), ..MessageView::of(&message) };
                let draft = Draft::new(turn.topic().clone(), "new_message", wire::json(&view));
                self.0.hub.publish(draft)
            }
            // A topic that looks like a conversation, and is none.
            Err(AddError::NoConversation) => {
                drop(write_lock);
                return self.0.turns.begin(turn).await;
            }
            Err(err) => return Err(not_stored(&err)),
        };
        drop(write_lock);
        published.await.map_err(|err| not_stored(&err))?;
        Ok(Begun::New)
    }

    /// The turn of the key of `turn`, which is not new.
    async fn known(&self, turn: &Ticket) -> Result<Begun, NotStored> {
        let key = turn.key().map_or("", |key| &**key);
        let known = self.0.store.turn_of_key(turn.user(), key).await;
        let known = known.map_err(|err| not_stored(&err))?;
        kept(known).map(Begun::Known).ok_or(NotStored::Failed)
    }
}

impl Journal for RoomJournal {
    fn begin<'a>(&'a self, turn: &'a Ticket) -> BoxFuture<'a, Result<Begun, NotStored>> {
        self.store_question(turn).boxed()
    }

    fn history<'a>(
        &'a self,
        turn: &'a Ticket,
        window: usize,
    ) -> BoxFuture<'a, Option<Vec<HistoryEntry>>> {
        self.0.turns.history(turn, window)
    }

    fn grow(&self, grown: Vec<Growth>) -> BoxFuture<'_, Result<(), NotStored>> {
        self.0.turns.grow(grown)
    }

    fn end<'a>(
        &'a self,
        turn: &'a Ticket,
        ending: &'a Ending,
        untold: bool,
    ) -> BoxFuture<'a, Result<Option<i64>, NotStored>> {
        self.0.turns.end(turn, ending, untold)
    }

    fn find(&self, turn: Uuid) -> BoxFuture<'_, Option<KeptTurn>> {
        self.0.turns.find(turn)
    }
}
