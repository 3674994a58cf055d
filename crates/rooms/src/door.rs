//! What all connections and requests have in common.
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

pub(crate) use crate::topic::{conversation, room};
use crate::{Config, Guests, RoomJournal, engineio::Sessions, links::Links, socketio::Recovery};

#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) core: Core,
    pub(crate) desk: Desk,
    pub(crate) journal: RoomJournal,
    pub(crate) memory: Storage,
    pub(crate) links: Links,
    pub(crate) config: Config,
    pub(crate) polling: Sessions,
    pub(crate) recovery: Recovery,
    /// Clients that are connected to a namespace.
    connected: AtomicUsize,
}

/// What the topics of named rooms begin with.
const NAMED_ROOMS: &str = "room:@";

/// Counts one who is connected.
#[derive(Debug)]
pub(crate) struct Present(Arc<Door>);

impl Door {
    pub(crate) fn new(
        core: Core,
        desk: Desk,
        journal: RoomJournal,
        memory: Storage,
        config: Config,
    ) -> Self {
        Self {
            polling: Sessions::default(),
            recovery: Recovery::new(config.recovery),
            links: Links::new(&memory.files, &core.auth, memory.link_ttl),
            connected: AtomicUsize::new(0),
            core,
            desk,
            journal,
            memory,
            config,
        }
    }

    /// Whether a claimed user is believed.
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

    pub(crate) fn connected(self: &Arc<Self>) -> Present {
        self.connected.fetch_add(1, Relaxed);
        Present(Arc::clone(self))
    }

    pub(crate) fn count(&self) -> usize {
        self.connected.load(Relaxed)
    }

    /// The conversation `id`, if `user` is in it or the token of `who` opens it for `action`.
    pub(crate) async fn conversation(
        &self,
        id: i64,
        action: Action,
        who: &Principal,
        user: Option<&str>,
    ) -> Result<Option<Conversation>, store::Error> {
        // Where nobody signs in, grants say nothing.
        let granted = !self.is_open()
            && room(id).is_some_and(|topic| self.core.auth.allow(who, action, &topic).is_ok());
        let who = match user {
            _ if granted => Access::Granted,
            Some(user) => Access::Member(user),
            None => return Ok(None),
        };
        let holder = match user {
            Some(user) if !self.is_open() => Holder::User(user.into()),
            _ => Holder::Program,
        };
        self.memory.store.acting(holder).conversation(id, who).await
    }

    /// See [`RoomJournal::line`].
    pub(crate) async fn line(&self, conversation: i64) -> MutexGuard<'_, ()> {
        self.journal.line(conversation).await
    }

    /// Whether a named room is open to `who`.
    pub(crate) fn may_use(&self, action: Action, who: &Principal, topic: &Topic) -> bool {
        self.takes_guests() || self.core.auth.allow(who, action, topic).is_ok()
    }

    /// Named rooms with somebody in them that are open to `who`, and how many; `limit` of them at
    /// most. Of others, nobody learns that they are there.
    pub(crate) fn named_rooms(&self, who: &Principal, limit: usize) -> Vec<(String, usize)> {
        let is_open = |topic: &Topic| self.may_use(Action::Read, who, topic);
        self.rooms(limit, is_open)
    }

    /// How many named rooms there are with somebody in them, up to `limit`.
    pub(crate) fn count_rooms(&self, limit: usize) -> usize {
        self.rooms(limit, |_| true).len()
    }

    fn rooms(&self, limit: usize, wanted: impl Fn(&Topic) -> bool) -> Vec<(String, usize)> {
        let counts = self.core.presence.counts(NAMED_ROOMS, limit, wanted);
        let named = counts.into_iter().filter_map(|(topic, count)| {
            let room = topic.as_str().strip_prefix(NAMED_ROOMS)?.to_owned();
            // Who watches what is said to everybody is in no room.
            (!room.is_empty()).then_some((room, count))
        });
        named.collect()
    }

    /// The record is in the log before this is awaited: what is awaited is room for slow readers.
    pub(crate) fn publish(&self, draft: Draft) -> Publish {
        self.core.hub.publish(draft)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.connected.fetch_sub(1, Relaxed);
    }
}
