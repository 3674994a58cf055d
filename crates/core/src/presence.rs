//! Members of a topic, for as long as they hold their seat.
use std::{
    collections::{BTreeMap, HashMap, hash_map::RandomState},
    hash::BuildHasher,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use uuid::Uuid;

use crate::{Topic, session::SessionInfo};

/// One connection in a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    pub session: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Arc<str>>,
}

/// The members of every topic. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Presence(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    hasher: RandomState,
    shards: [Shard; SHARDS],
}

type Shard = Mutex<HashMap<Topic, HashMap<Uuid, Arc<SessionInfo>>>>;

const SHARDS: usize = 64;

/// A member's place; dropping it leaves.
#[derive(Debug)]
pub struct Seat {
    presence: Presence,
    topic: Topic,
    session: Uuid,
}

impl Default for Shared {
    fn default() -> Self {
        Self { hasher: RandomState::new(), shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

// === impl Presence ===

impl Presence {
    fn shard(
        &self,
        topic: &Topic,
    ) -> MutexGuard<'_, HashMap<Topic, HashMap<Uuid, Arc<SessionInfo>>>> {
        let at = usize::try_from(self.0.hasher.hash_one(topic) % SHARDS as u64).unwrap_or_default();
        self.0.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins `topic` until the seat is dropped. One seat for each session and topic.
    pub fn join(&self, topic: &Topic, session: &Arc<SessionInfo>) -> Seat {
        let mut shard = self.shard(topic);
        shard.entry(topic.clone()).or_default().insert(session.id, Arc::clone(session));
        drop(shard);
        Seat { presence: self.clone(), topic: topic.clone(), session: session.id }
    }

    /// The first `limit` topics with members that begin with `prefix` and are `wanted`, in the order of
    /// their names, with their number of members.
    pub fn counts(
        &self,
        prefix: &str,
        limit: usize,
        wanted: impl Fn(&Topic) -> bool,
    ) -> Vec<(Topic, usize)> {
        let mut first = BTreeMap::new();
        for shard in &self.0.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let is_one = |topic: &Topic| topic.as_str().starts_with(prefix) && wanted(topic);
            for (topic, members) in shard.iter().filter(|(topic, _)| is_one(topic)) {
                first.insert(topic.clone(), members.len());
                if first.len() > limit {
                    first.pop_last();
                }
            }
        }
        first.into_iter().collect()
    }

    /// Number of the members of `topic`, and at most `limit` of them, in no order.
    pub fn members(&self, topic: &Topic, limit: usize) -> (usize, Vec<Member>) {
        let shard = self.shard(topic);
        let Some(members) = shard.get(topic) else { return (0, Vec::new()) };
        let listed = members.values().take(limit);
        let listed = listed.map(|info| Member { session: info.id, user: info.user().cloned() });
        (members.len(), listed.collect())
    }
}

// === impl Seat ===

impl Seat {
    pub fn topic(&self) -> &Topic {
        &self.topic
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut shard = self.presence.shard(&self.topic);
        if let Some(members) = shard.get_mut(&self.topic) {
            members.remove(&self.session);
            if members.is_empty() {
                shard.remove(&self.topic);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Admission, Holder, Registry};

    #[test]
    fn a_dropped_seat_leaves_no_trace() {
        let (registry, presence) = (Registry::default(), Presence::default());
        let topic: Topic = "room:1".parse().unwrap();
        let who = |user: &str| Admission {
            protocol: "test",
            user: Some(user.into()),
            holder: Holder::Program,
            peer: [127, 0, 0, 1].into(),
        };
        let (a, b) = (registry.admit(who("a")).unwrap(), registry.admit(who("b")).unwrap());
        let seat = presence.join(&topic, a.info());
        let other = presence.join(&topic, b.info());
        assert_eq!(presence.members(&topic, 1).0, 2);
        assert_eq!(presence.counts("room:", 9, |_| true), [(topic.clone(), 2)]);
        let none = [
            presence.counts("room:", 0, |_| true),
            presence.counts("chan:", 9, |_| true),
            presence.counts("room:", 9, |other| *other != topic),
        ];
        assert!(none.iter().all(Vec::is_empty), "{none:?}");
        drop(seat);
        let left = Member { session: b.id(), user: Some("b".into()) };
        assert_eq!(presence.members(&topic, 9), (1, vec![left]));
        drop(other);
        assert!(presence.shard(&topic).is_empty());
    }
}
