//! State that all connections and requests share.
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use quadrille_agents::Desk;
use quadrille_core::{Draft, Holder, Publish, Topic};
use quadrille_edge::Core;
use quadrille_identity::{Action, Mode, Principal};
use quadrille_store::{self as store, Access, Conversation, Storage};
use tokio::sync::MutexGuard;

use crate::{
    config::{Config, Guests},
    journal::RoomJournal,
    links::Links,
    topic::{self, NAMED_ROOMS},
};

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) core: Core,
    pub(crate) desk: Desk,
    pub(crate) journal: RoomJournal,
    pub(crate) storage: Storage,
    pub(crate) links: Links,
    pub(crate) config: Config,
    /// Number of connected Socket.IO clients.
    connected: AtomicUsize,
}

/// Counts one connected client.
#[derive(Debug)]
pub(crate) struct ConnectedCount(Arc<State>);

impl State {
    pub(crate) fn new(
        core: Core,
        desk: Desk,
        journal: RoomJournal,
        storage: Storage,
        config: Config,
    ) -> Self {
        Self {
            links: Links::new(&storage.files, &core.auth, storage.link_ttl),
            connected: AtomicUsize::new(0),
            core,
            desk,
            journal,
            storage,
            config,
        }
    }

    /// Whether clients are believed about their user.
    pub(crate) fn is_open(&self) -> bool {
        self.core.auth.mode() == Mode::Open
    }

    pub(crate) fn takes_guests(&self) -> bool {
        match self.config.guests {
            Guests::Open => self.is_open(),
            Guests::Always => true,
            Guests::Never => false,
        }
    }

    pub(crate) fn connected(self: &Arc<Self>) -> ConnectedCount {
        self.connected.fetch_add(1, Relaxed);
        ConnectedCount(Arc::clone(self))
    }

    pub(crate) fn count(&self) -> usize {
        self.connected.load(Relaxed)
    }

    /// The conversation `id`, if `user` is a member or the token of `who` grants `action` in it.
    pub(crate) async fn conversation(
        &self,
        id: i64,
        action: Action,
        who: &Principal,
        user: Option<&str>,
    ) -> Result<Option<Conversation>, store::Error> {
        // In open mode there are no grants.
        let granted = !self.is_open()
            && topic::of_conversation(id)
                .is_some_and(|topic| self.core.auth.allow(who, action, &topic).is_ok());
        let who = match user {
            _ if granted => Access::Granted,
            Some(user) => Access::Member(user),
            None => return Ok(None),
        };
        let holder = match user {
            Some(user) if !self.is_open() => Holder::User(user.into()),
            _ => Holder::Program,
        };
        self.storage.store.acting(holder).conversation(id, who).await
    }

    /// Locks a conversation for writing, so that its log and the store have the same order.
    pub(crate) async fn write_lock(&self, conversation: i64) -> MutexGuard<'_, ()> {
        self.journal.write_lock(conversation).await
    }

    /// Whether `who` may use a named room.
    pub(crate) fn may_use(&self, action: Action, who: &Principal, topic: &Topic) -> bool {
        self.takes_guests() || self.core.auth.allow(who, action, topic).is_ok()
    }

    /// The named rooms that are not empty and that `who` may read, with the number of their
    /// clients; at most `limit` of them.
    pub(crate) fn named_rooms(&self, who: &Principal, limit: usize) -> Vec<(String, usize)> {
        let is_open = |topic: &Topic| self.may_use(Action::Read, who, topic);
        self.rooms(limit, is_open)
    }

    /// Number of named rooms that are not empty, up to `limit`.
    pub(crate) fn count_rooms(&self, limit: usize) -> usize {
        self.rooms(limit, |_| true).len()
    }

    fn rooms(&self, limit: usize, wanted: impl Fn(&Topic) -> bool) -> Vec<(String, usize)> {
        let counts = self.core.presence.counts(NAMED_ROOMS, limit, wanted);
        let named = counts.into_iter().filter_map(|(topic, count)| {
            let room = topic.as_str().strip_prefix(NAMED_ROOMS)?.to_owned();
            // Clients that watch the topic of everybody are in no room.
            (!room.is_empty()).then_some((room, count))
        });
        named.collect()
    }

    /// Publishes. The record is in the log before this is awaited; awaited is room for slow
    /// readers.
    pub(crate) fn publish(&self, draft: Draft) -> Publish {
        self.core.hub.publish(draft)
    }
}

impl Drop for ConnectedCount {
    fn drop(&mut self) {
        self.0.connected.fetch_sub(1, Relaxed);
    }
}
