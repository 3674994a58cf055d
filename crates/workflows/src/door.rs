//! What all connections, requests and workers have in common.
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use quadrille_agents::Desk;
use quadrille_core::{BadTopic, Topic};
use quadrille_edge::Core;
use quadrille_identity::{Action, Mode, Principal};
use quadrille_store::{self as store, Chat, Run, Storage};
use tokio::sync::{Notify, futures::Notified};

use crate::{
    Config,
    engine::{Scratch, Workers},
    locks::{Locked, Locks},
    room::Room,
};

#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) core: Core,
    pub(crate) desk: Desk,
    pub(crate) memory: Storage,
    pub(crate) config: Config,
    pub(crate) scratch: Scratch,
    /// For requests that work on files of their own, on archives, or on the database as a whole.
    pub(crate) room: Room,
    /// There may be something to do.
    pub(crate) work: Notify,
    /// A run changed.
    changed: Notify,
    watching: AtomicUsize,
    /// How far the steps are that are done here, by run.
    percents: Mutex<HashMap<String, u8>>,
    /// Workers, and the clients whose runs they do.
    pub(crate) workers: Workers,
    /// Those who talk with the bot in one chat do so one after the other.
    talks: Locks,
    /// A run is to be cancelled.
    cancels: tokio::sync::broadcast::Sender<Arc<str>>,
}

/// Counts one who watches.
#[derive(Debug)]
pub(crate) struct Watching(Arc<Door>);

/// Wishes to cancel that are waiting; one that is lost is seen with the next renewal of a lease.
const CANCELS: usize = 64;

/// How long until a run is looked at again that another node may do.
const LOOK: Duration = Duration::from_secs(1);

impl Door {
    pub(crate) fn new(
        core: Core,
        desk: Desk,
        memory: Storage,
        config: Config,
        scratch: Scratch,
    ) -> Self {
        let room = Room::new(config.workers(), config.max_waiting, &core.shares);
        let workers = Workers::new(config.workers(), &core.shares);
        Self {
            core,
            desk,
            memory,
            config,
            scratch,
            room,
            work: Notify::new(),
            changed: Notify::new(),
            watching: AtomicUsize::new(0),
            percents: Mutex::default(),
            workers,
            talks: Locks::default(),
            cancels: tokio::sync::broadcast::Sender::new(CANCELS),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.core.auth.mode() == Mode::Open
    }

    /// `None` if there are as many as there may be.
    pub(crate) fn watching(self: &Arc<Self>) -> Option<Watching> {
        let most = self.config.max_connections;
        let room = |count| (most == 0 || count < most).then_some(count + 1);
        let counted = self.watching.fetch_update(Relaxed, Relaxed, room);
        counted.ok().map(|_| Watching(Arc::clone(self)))
    }

    /// The chat `id`, if it is there and open to `who` for `action`.
    pub(crate) async fn chat(
        &self,
        id: &str,
        action: Action,
        who: &Principal,
    ) -> Result<Option<Chat>, store::Error> {
        let chat = self.memory.store.chat(id).await?;
        Ok(chat.filter(|chat| self.may(chat.user_id.as_deref(), id, action, who)))
    }

    /// Whether a chat of `owner` is open to `who`.
    pub(crate) fn may(
        &self,
        owner: Option<&str>,
        id: &str,
        action: Action,
        who: &Principal,
    ) -> bool {
        // Where nobody signs in, grants say nothing.
        self.is_open()
            || (owner.is_some() && owner == who.user.as_deref())
            || topic(id).is_ok_and(|it| self.core.auth.allow(who, action, &it).is_ok())
    }

    /// Keeps others from talking with the bot in the same chat.
    pub(crate) async fn talk(&self, chat: &str) -> Locked<'_> {
        self.talks.lock(chat).await
    }

    /// Who does the run here sees at once that it is to be cancelled; others see it in time.
    pub(crate) fn cancel(&self, run: &str) {
        // Fails if nothing is being done.
        self.cancels.send(run.into()).ok();
    }

    /// The runs that are to be cancelled from now on.
    pub(crate) fn cancels(&self) -> tokio::sync::broadcast::Receiver<Arc<str>> {
        self.cancels.subscribe()
    }

    /// The run is over, or goes on elsewhere.
    pub(crate) fn run_changed(&self) {
        self.changed.notify_waiters();
        self.work.notify_one();
    }

    /// Ready when a run is over, or goes on elsewhere.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Wait until a run is over; `None` if it is not there any more.
    pub(crate) async fn over(&self, id: &str) -> Result<Option<Run>, store::Error> {
        loop {
            let changed = self.changed();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            match self.memory.store.run(id).await? {
                Some(run) if !run.status.is_over() => {}
                ended => return Ok(ended),
            }
            // Ends in one way or the other.
            tokio::time::timeout(LOOK, changed).await.ok();
        }
    }

    /// How far the present step of a run is, if it is done here.
    pub(crate) fn percent(&self, run: &str) -> Option<u8> {
        self.percents.lock().unwrap_or_else(PoisonError::into_inner).get(run).copied()
    }

    pub(crate) fn set_percent(&self, run: &str, percent: Option<u8>) {
        let mut percents = self.percents.lock().unwrap_or_else(PoisonError::into_inner);
        match percent {
            Some(percent) => percents.insert(run.to_owned(), percent),
            None => percents.remove(run),
        };
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.watching.fetch_sub(1, Relaxed);
    }
}

/// The topic of a chat.
pub(crate) fn topic(chat: &str) -> Result<Topic, BadTopic> {
    Topic::new("chat", chat)
}
