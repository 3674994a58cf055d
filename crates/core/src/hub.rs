//! All topics of a node: publishes records and reads them.
mod history;
mod publish;
mod upkeep;

use std::{
    collections::{BTreeMap, HashMap, hash_map::RandomState},
    fmt,
    future::ready,
    hash::BuildHasher,
    sync::{
        Arc, Mutex, PoisonError, RwLock, Weak,
        atomic::{
            AtomicU64,
            Ordering::{AcqRel, Relaxed},
        },
    },
    time::{Instant, SystemTime},
};

use crate::{
    Draft, Holder, Life, Limits, Policies, Policy, Pool, Position, Shares, Shortage, Since, Topic,
    TopicInfo, budget::Budget, log::Log, telemetry,
};

pub use self::{
    history::History,
    publish::{Publish, Receipt, TooManyTopics},
};

/// The topics of this node. Cloning shares them.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    hasher: RandomState,
    shards: [RwLock<HashMap<Topic, Arc<Log>>>; SHARDS],
    policies: Policies,
    /// Each log holds one place. It counts for a client that follows the topic; a log without
    /// followers makes room when there are too many.
    topics: Pool,
    /// Logs of deleted topics that some readers have not read to the end.
    deleted: Mutex<Vec<(Instant, Weak<Log>)>>,
    /// Time of the next search for idle logs, after few or none were found.
    next_search: Mutex<Option<Instant>>,
    budget: Arc<Budget>,
    /// The shard that drops records next for want of bytes.
    next_relief: Mutex<usize>,
    epoch: AtomicU64,
}

const SHARDS: usize = 64;

// === impl Hub ===

impl Hub {
    /// An empty hub whose background work runs on `life`, with shares of its own.
    pub fn new(policies: Policies, limits: &Limits, life: &Life) -> Self {
        Self::sharing(policies, limits, &Shares::new(limits), life)
    }

    /// An empty hub whose topics are divided by `shares`.
    pub fn sharing(policies: Policies, limits: &Limits, shares: &Shares, life: &Life) -> Self {
        let hub = Self(Arc::new(Inner {
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| RwLock::default()),
            policies,
            topics: Pool::new("topics", limits.topics, shares),
            deleted: Mutex::default(),
            next_search: Mutex::new(None),
            budget: Arc::new(Budget::new(limits.log_bytes)),
            next_relief: Mutex::new(0),
            epoch: AtomicU64::new(0),
        }));
        life.spawn("sweep", hub.clone().sweep(life.clone()));
        hub
    }

    /// Applies these limits on topics and bytes from now on. Topics in use stay, even if
    /// they are more; idle ones make room for new ones.
    pub fn reload(&self, limits: &Limits) {
        self.0.topics.resize(limits.topics);
        self.0.budget.set(limits.log_bytes);
    }

    /// Appends to the topic's log and wakes its readers. Waits for readers that are about to lose
    /// records, for the policy's `patience`.
    pub fn publish(&self, draft: Draft) -> Publish {
        match self.append(draft) {
            Err(err) => Publish::Done(ready(Err(err))),
            Ok((receipt, None)) => Publish::Done(ready(Ok(receipt))),
            Ok((receipt, Some(crowded))) => Publish::Wait(Box::pin(async move {
                crowded.wait_for_readers().await;
                Ok(receipt)
            })),
        }
    }

    /// Position of the newest record of `topic`, if it has a log.
    pub fn top(&self, topic: &Topic) -> Option<Position> {
        self.find(topic).map(|log| log.top())
    }

    /// Position of the newest record of `topic`. Makes the log if there is none.
    pub fn open(&self, topic: &Topic) -> Result<Position, TooManyTopics> {
        Ok(self.log(topic)?.top())
    }

    /// Number of connections that follow `topic`.
    pub fn subscribers(&self, topic: &Topic) -> usize {
        self.find(topic).map_or(0, |log| log.standing().readers)
    }

    /// The policy of the topic's namespace.
    pub fn policy(&self, topic: &Topic) -> Policy {
        self.0.policies.of(topic.namespace())
    }

    /// At most `limit` records of `topic` that are still held, oldest first: the newest for
    /// [`Since::Now`], the oldest otherwise.
    pub fn history(&self, topic: &Topic, since: Since, limit: usize) -> Option<History> {
        let (gap, records, at) = self.find(topic)?.history(since, limit);
        Some(History { records, gap, at })
    }

    /// At most `limit` topics in the order of their names, from the one after `after` on. Visits every
    /// topic, and holds each lock for one in 64 of them.
    pub fn topics(&self, after: Option<&str>, limit: usize) -> Vec<TopicInfo> {
        let mut page = BTreeMap::new();
        for shard in &self.0.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            for (topic, log) in shard.iter() {
                if after.is_none_or(|after| topic.as_str() > after) {
                    let last = page.last_key_value();
                    if page.len() < limit || last.is_some_and(|(last, _)| topic < last) {
                        page.insert(topic.clone(), Arc::clone(log));
                    }
                    if page.len() > limit {
                        page.pop_last();
                    }
                }
            }
        }
        page.into_values().map(|log| log.standing()).collect()
    }

    fn append(&self, mut draft: Draft) -> Result<(Receipt, Option<Arc<Log>>), TooManyTopics> {
        loop {
            let log = self.log(&draft.topic).inspect_err(|_| {
                telemetry::publication_refused("topics");
            })?;
            match log.append(draft) {
                Ok(appended) => {
                    self.relieve(Some(&log));
                    let receipt = Receipt { at: appended.at, subscribers: appended.readers };
                    return Ok((receipt, appended.crowded.then_some(log)));
                }
                Err(back) => draft = *back,
            }
        }
    }

    fn shard(&self, topic: &Topic) -> &RwLock<HashMap<Topic, Arc<Log>>> {
        let hash = self.0.hasher.hash_one(topic) % SHARDS as u64;
        &self.0.shards[usize::try_from(hash).unwrap_or_default()]
    }

    fn find(&self, topic: &Topic) -> Option<Arc<Log>> {
        self.shard(topic).read().unwrap_or_else(PoisonError::into_inner).get(topic).cloned()
    }

    /// The log of `topic`, made if there is none.
    fn log(&self, topic: &Topic) -> Result<Arc<Log>, TooManyTopics> {
        self.log_for(topic, &Holder::Program)
    }

    /// The log of `topic`, made for `holder` to follow if there is none.
    pub(crate) fn log_for(
        &self,
        topic: &Topic,
        holder: &Holder,
    ) -> Result<Arc<Log>, TooManyTopics> {
        if let Some(log) = self.find(topic) {
            return Ok(log);
        }
        // A holder at its share starts no search for room.
        match self.0.topics.check(holder, 1) {
            Ok(()) | Err(Shortage::Full) => {}
            Err(shortage) => return Err(shortage.into()),
        }
        if self.0.topics.used() >= self.0.topics.size() && !self.make_room() {
            return Err(TooManyTopics::Full);
        }
        let policy = self.policy(topic);
        let mut shard = self.shard(topic).write().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = shard.get(topic) {
            return Ok(Arc::clone(log));
        }
        // Another caller may have taken the room meanwhile.
        let place = self.0.topics.take(holder, 1)?;
        let budget = Arc::clone(&self.0.budget);
        let log = Log::new(topic.clone(), policy, self.next_epoch(), budget).counted(place);
        let log = Arc::new(log);
        shard.insert(topic.clone(), Arc::clone(&log));
        telemetry::topics(self.0.topics.used());
        Ok(log)
    }

    /// Microseconds since 1970 at the earliest, and never the same twice: so no log has the epoch of
    /// an earlier one, of this process or, if the clock is not turned back, of the one before.
    fn next_epoch(&self) -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(since.as_micros()).unwrap_or_default();
        let step = |last: u64| Some(now.max(last + 1));
        let last = self.0.epoch.fetch_update(AcqRel, Relaxed, step).unwrap_or_default();
        now.max(last + 1)
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("topics", &self.0.topics).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
