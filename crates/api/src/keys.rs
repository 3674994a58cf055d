//! Keys of publications, so that one that is sent twice is published once.
use std::{
    collections::{HashMap, VecDeque, hash_map::RandomState},
    hash::BuildHasher,
    sync::{Arc, Mutex, PoisonError},
};

use quadrille_core::{IdempotencyKey, Receipt, Topic};
use tokio::{sync::OnceCell, time::Instant};

use super::{Error, limits::KEY_RETENTION};

/// Upper bound on the keys that are kept. At one more, the oldest is forgotten.
pub(crate) const MAX_KEYS: usize = 100_000;

/// Receipt of the one publication of a key, once there is one.
pub(crate) type ReceiptSlot = Arc<OnceCell<Receipt>>;

/// The keys in use, of every topic.
#[derive(Debug, Default)]
pub(crate) struct PublicationKeys {
    hasher: RandomState,
    known: Mutex<KnownKeys>,
}

type TopicKey = (Topic, IdempotencyKey);

#[derive(Debug, Default)]
struct KnownKeys {
    slots: HashMap<TopicKey, (PayloadHash, ReceiptSlot)>,
    /// In the order of their first use.
    ages: VecDeque<(Instant, TopicKey)>,
}

/// Length and hash of a payload: enough to tell a client of its mistake.
type PayloadHash = (usize, u64);

impl PublicationKeys {
    /// The slot of `key` in `topic`, a new one if it is not known. A key belongs to the payload that
    /// it first came with.
    pub(crate) fn slot(
        &self,
        topic: &Topic,
        key: IdempotencyKey,
        payload: &str,
    ) -> Result<ReceiptSlot, Error> {
        let hash = (payload.len(), self.hasher.hash_one(payload));
        let name = (topic.clone(), key);
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.forget_before(now.checked_sub(KEY_RETENTION));
        if let Some((first, slot)) = known.slots.get(&name) {
            return if *first == hash { Ok(Arc::clone(slot)) } else { Err(Error::KeyReused) };
        }
        if known.slots.len() >= MAX_KEYS {
            known.forget_oldest();
        }
        let slot = ReceiptSlot::default();
        known.slots.insert(name.clone(), (hash, Arc::clone(&slot)));
        known.ages.push_back((now, name));
        Ok(slot)
    }
}

impl KnownKeys {
    fn forget_before(&mut self, time: Option<Instant>) {
        while self.ages.front().is_some_and(|(since, _)| time.is_some_and(|time| *since <= time)) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, name)) = self.ages.pop_front() {
            self.slots.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str) -> Topic {
        Topic::from_channel(name).unwrap()
    }

    fn key(key: &str) -> IdempotencyKey {
        key.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_of_one_topic_and_one_payload_until_it_is_forgotten() {
        let (keys, topic, other) = (PublicationKeys::default(), topic("a"), topic("b"));
        let first = keys.slot(&topic, key("k"), "1").unwrap();
        assert!(Arc::ptr_eq(&first, &keys.slot(&topic, key("k"), "1").unwrap()));
        assert!(matches!(keys.slot(&topic, key("k"), "2"), Err(Error::KeyReused)));
        assert!(!Arc::ptr_eq(&first, &keys.slot(&other, key("k"), "1").unwrap()));
        tokio::time::advance(KEY_RETENTION).await;
        assert!(!Arc::ptr_eq(&first, &keys.slot(&topic, key("k"), "2").unwrap()));
        assert_eq!(keys.known.lock().unwrap().slots.len(), 1);
    }

    #[test]
    fn one_key_too_many_makes_the_oldest_forgotten() {
        let (keys, topic) = (PublicationKeys::default(), topic("a"));
        for n in 0..=MAX_KEYS {
            keys.slot(&topic, key(&n.to_string()), "1").unwrap();
        }
        let known = keys.known.lock().unwrap();
        assert_eq!((known.slots.len(), known.ages.len()), (MAX_KEYS, MAX_KEYS));
        drop(known);
        assert!(keys.slot(&topic, key("1"), "2").is_err());
        assert!(keys.slot(&topic, key("0"), "2").is_ok());
    }
}
