//! Removal of logs and records: over the bounds on topics and bytes, of idle topics, and of deleted
//! ones.
use std::{
    cmp::Reverse,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use super::{Hub, SHARDS};
use crate::{
    Life, Topic,
    log::{self, Log},
    telemetry,
};

/// Time between two attempts to drop idle logs for want of room.
const RELIEF_INTERVAL: Duration = Duration::from_millis(100);

/// Time for readers to take the last records of a deleted topic.
const DELETED_RETENTION: Duration = Duration::from_secs(30);

/// Time between two searches for idle logs.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

impl Hub {
    /// Deletes `topic`: every reader gets [`Delivery::Deleted`](crate::Delivery::Deleted) after the
    /// records that were published before, and nothing of a later topic of this name.
    pub fn delete(&self, topic: &Topic) {
        let mut shard = self.shard(topic).write().unwrap_or_else(PoisonError::into_inner);
        let Some(log) = shard.remove(topic) else { return };
        let woken = log.delete();
        drop(shard);
        self.dropped(1);
        if log.standing().readers > 0 {
            let mut deleted = self.0.deleted.lock().unwrap_or_else(PoisonError::into_inner);
            deleted.push((Instant::now(), Arc::downgrade(&log)));
        }
        log::wake(woken);
    }

    /// Drops the records of topics that were deleted before a time.
    fn drop_deleted(&self, before: Option<Instant>) {
        let mut deleted = self.0.deleted.lock().unwrap_or_else(PoisonError::into_inner);
        deleted.retain(|(at, log)| {
            let Some(log) = log.upgrade() else { return false };
            let is_late = before.is_some_and(|before| *at <= before);
            if is_late {
                log.clear();
            }
            !is_late
        });
    }

    /// Drops records of the largest logs while all together hold more than they may, until a
    /// sixteenth of that is free: first all but the newest of each log, then these. `published`,
    /// which was written to just now, keeps its newest record.
    pub(super) fn relieve(&self, published: Option<&Arc<Log>>) {
        if !self.0.budget.is_over() {
            return;
        }
        // First the records that only readers of deleted topics have yet to get.
        self.drop_deleted(Some(Instant::now()));
        let mut next = self.0.next_relief.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..2 * SHARDS {
            if self.0.budget.has_slack() {
                return;
            }
            *next = (*next + 1) % SHARDS;
            let shard = self.0.shards[*next].read().unwrap_or_else(PoisonError::into_inner);
            let other = |log: &&Arc<Log>| published.is_none_or(|own| !Arc::ptr_eq(log, own));
            let mut logs: Vec<_> =
                shard.values().filter(other).map(|log| (log.held(), log)).collect();
            logs.sort_unstable_by_key(|(held, _)| Reverse(*held));
            let full = logs.into_iter().take_while(|(held, _)| *held > 0);
            for (_, log) in full.take_while(|_| !self.0.budget.has_slack()) {
                log.trim();
            }
        }
    }

    /// Drops idle logs so that there is room for a topic, and for a good many more, because finding
    /// them takes a look at every log.
    pub(super) fn make_room(&self) -> bool {
        let mut next = self.0.next_search.lock().unwrap_or_else(PoisonError::into_inner);
        if next.is_some_and(|next| Instant::now() < next) {
            return false;
        }
        let limit = self.0.topics.size();
        // More than the limit, if that was lowered.
        let over = self.0.topics.used().saturating_sub(limit);
        let share = over + (limit / 16).max(1);
        let dropped = self.drop_idle(|dropped| dropped >= share);
        *next = (dropped < share).then(|| Instant::now() + RELIEF_INTERVAL);
        dropped > 0
    }

    /// Drops the logs that were idle for as long as their policy keeps them.
    fn expire(&self, now: Instant) {
        let mut expired = 0;
        for shard in &self.0.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, log| {
                let gone = log.expire(now.checked_sub(log.policy().keep));
                expired += usize::from(gone);
                !gone
            });
        }
        self.dropped(expired);
    }

    /// Drops idle logs, the longest idle first, until `enough` of them, and returns their number.
    pub(super) fn drop_idle(&self, enough: impl Fn(usize) -> bool) -> usize {
        let all = self.0.shards.iter().flat_map(|shard| {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            shard.values().cloned().collect::<Vec<_>>()
        });
        let mut idle: Vec<_> = all.filter_map(|log| Some((log.idle_since()?, log))).collect();
        idle.sort_by_key(|(since, _)| *since);
        let mut dropped = 0;
        for (since, log) in idle {
            if enough(dropped) {
                break;
            }
            let mut shard = self.shard(log.topic()).write().unwrap_or_else(PoisonError::into_inner);
            if log.expire(Some(since)) {
                shard.remove(log.topic());
                dropped += 1;
            }
        }
        self.dropped(dropped);
        dropped
    }

    fn dropped(&self, count: usize) {
        if count > 0 {
            telemetry::topics(self.0.topics.used());
            telemetry::topics_expired(count);
        }
    }

    pub(super) async fn sweep(self, life: Life) {
        let mut every = tokio::time::interval(SWEEP_INTERVAL);
        loop {
            tokio::select! {
                _ = every.tick() => {
                    let now = Instant::now();
                    self.expire(now);
                    self.drop_deleted(now.checked_sub(DELETED_RETENTION));
                }
                () = self.0.budget.pressed() => {
                    self.drop_deleted(Some(Instant::now()));
                    self.drop_idle(|_| !self.0.budget.is_tight());
                    // Frames are encoded after their records were published.
                    self.relieve(None);
                    // Once is enough for a while: the rest is mostly in use.
                    tokio::time::sleep(RELIEF_INTERVAL).await;
                }
                () = life.draining() => return,
            }
        }
    }
}
