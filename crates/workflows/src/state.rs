//! State shared by all connections, requests and workers.
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
use tokio::sync::{Notify, broadcast, futures::Notified};

use crate::{
    Config,
    direct_limit::DirectLimit,
    locks::{Locked, Locks},
    scratch::Scratch,
    workers::Workers,
};

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) core: Core,
    pub(crate) desk: Desk,
    pub(crate) memory: Storage,
    pub(crate) config: Config,
    pub(crate) scratch: Scratch,
    /// Bounds requests that work on files of their own, on archives, or on the whole database.
    pub(crate) direct_limit: DirectLimit,
    /// Wakes a worker: a run may be waiting.
    pub(crate) work: Notify,
    /// Wakes all that wait for a run to change.
    changed: Notify,
    watchers: AtomicUsize,
    /// Progress of the steps that this node executes, by run.
    percents: Mutex<HashMap<String, u8>>,
    /// Workers, and the clients that they work for.
    pub(crate) workers: Workers,
    /// Serialises the messages of a conversation with the bot.
    dialogues: Locks,
    /// Runs to cancel.
    cancellations: broadcast::Sender<Arc<str>>,
}

/// Counts a connection that watches a chat, until it is dropped.
#[derive(Debug)]
pub(crate) struct Watcher(Arc<State>);

/// Upper bound on pending cancellations; one that is lost is seen at the next renewal of a lease.
const MAX_CANCELLATIONS: usize = 64;

/// Interval at which a run that another node may execute is read again.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

impl State {
    pub(crate) fn new(
        core: Core,
        desk: Desk,
        memory: Storage,
        config: Config,
        scratch: Scratch,
    ) -> Self {
        let direct_limit = DirectLimit::new(config.workers(), config.max_waiting, &core.shares);
        let workers = Workers::new(config.workers(), &core.shares);
        Self {
            core,
            desk,
            memory,
            config,
            scratch,
            direct_limit,
            work: Notify::new(),
            changed: Notify::new(),
            watchers: AtomicUsize::new(0),
            percents: Mutex::default(),
            workers,
            dialogues: Locks::default(),
            cancellations: broadcast::Sender::new(MAX_CANCELLATIONS),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.core.auth.mode() == Mode::Open
    }

    /// Counts a connection that watches a chat. `None` at `max_connections`.
    pub(crate) fn add_watcher(self: &Arc<Self>) -> Option<Watcher> {
        let max = self.config.max_connections;
        let add = |count| (max == 0 || count < max).then_some(count + 1);
        let counted = self.watchers.fetch_update(Relaxed, Relaxed, add);
        counted.ok().map(|_| Watcher(Arc::clone(self)))
    }

    /// Looks up the chat `id`. `None` if `principal` may not access it.
    pub(crate) async fn chat(
        &self,
        id: &str,
        action: Action,
        principal: &Principal,
    ) -> Result<Option<Chat>, store::Error> {
        let chat = self.memory.store.chat(id).await?;
        Ok(chat.filter(|chat| self.may_access(chat.user_id.as_deref(), id, action, principal)))
    }

    /// Whether `principal` may access a chat of `owner`.
    pub(crate) fn may_access(
        &self,
        owner: Option<&str>,
        id: &str,
        action: Action,
        principal: &Principal,
    ) -> bool {
        // Without authentication, grants do not apply.
        self.is_open()
            || (owner.is_some() && owner == principal.user.as_deref())
            || chat_topic(id)
                .is_ok_and(|topic| self.core.auth.allow(principal, action, &topic).is_ok())
    }

    /// Waits until no other message of the same conversation is being answered.
    pub(crate) async fn lock_dialogue(&self, chat: &str) -> Locked<'_> {
        self.dialogues.lock(chat).await
    }

    /// Tells the workers of this node to cancel a run; another node sees it at its next renewal.
    pub(crate) fn cancel(&self, run: &str) {
        // Fails if no run is being executed.
        self.cancellations.send(run.into()).ok();
    }

    /// Subscribes to the runs to cancel.
    pub(crate) fn cancellations(&self) -> broadcast::Receiver<Arc<str>> {
        self.cancellations.subscribe()
    }

    /// A run has ended, or another worker has to take it.
    pub(crate) fn run_changed(&self) {
        self.changed.notify_waiters();
        self.work.notify_one();
    }

    /// Resolves at the next [`run_changed`](Self::run_changed).
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Waits for the end of a run. `None` if the run was deleted.
    pub(crate) async fn ended(&self, id: &str) -> Result<Option<Run>, store::Error> {
        loop {
            let changed = self.changed();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            match self.memory.store.run(id).await? {
                Some(run) if !run.status.is_over() => {}
                ended => return Ok(ended),
            }
            // Both outcomes lead to another look.
            tokio::time::timeout(POLL_INTERVAL, changed).await.ok();
        }
    }

    /// Progress of a run's present step, if this node executes it.
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

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.watchers.fetch_sub(1, Relaxed);
    }
}

/// Topic of a chat.
pub(crate) fn chat_topic(chat: &str) -> Result<Topic, BadTopic> {
    Topic::new("chat", chat)
}
