//! Every connection of the process, over whatever protocol, and how to end it.
mod admission;
mod info;
mod limits;

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

pub use self::{
    admission::{Admission, NotAdmitted},
    info::SessionInfo,
    limits::Limits,
};
use crate::{
    Buffers, Close, Holder, Newcomers, Permit, Pool, Shares, Shortage, Throttle,
    pool::AddressCounts, telemetry,
};

/// Holds one place in the registry; dropping it gives the place back.
#[derive(Debug)]
pub struct Session {
    info: Arc<SessionInfo>,
    registry: Registry,
}

/// Time between two warnings in the log that there is no place left.
const FULL_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Every connection of the process. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    places: Pool,
    buffers: Buffers,
    full_log: Throttle,
    live: Mutex<Live>,
}

#[derive(Debug, Default)]
struct Live {
    limits: Limits,
    draining: bool,
    /// In the order in which they came: that is the order of their ids.
    sessions: BTreeMap<Uuid, Entry>,
    by_address: AddressCounts,
    /// Sessions whose client may still show a token.
    newcomers: Newcomers<Uuid>,
    /// Sessions whose client goes on without one.
    guests: usize,
}

#[derive(Debug)]
struct Entry {
    info: Arc<SessionInfo>,
    /// `None` once another session has taken it.
    place: Option<Permit>,
    standing: Standing,
}

/// How well the client of a session is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Not yet: one of the newcomers, by this number.
    Newcomer(u64),
    /// Goes on without a token.
    Guest,
    Known,
}

// === impl Registry ===

impl Registry {
    /// Sessions within `limits`, with shares of their own.
    pub fn new(limits: Limits) -> Self {
        let shares = Shares::new(&limits);
        Self::sharing(limits, &shares)
    }

    /// Sessions within `limits`, divided by `shares`.
    pub fn sharing(limits: Limits, shares: &Shares) -> Self {
        let places = Pool::new("sessions", limits.connections, shares);
        let buffers = Buffers::new(&limits, shares);
        let live = Mutex::new(Live { limits, ..Live::default() });
        let full_log = Throttle::new(FULL_LOG_INTERVAL);
        Self(Arc::new(Shared { places, buffers, full_log, live }))
    }

    /// Admits by other limits from now on. Sessions that are open stay, even if they are more than
    /// these allow.
    pub fn reload(&self, limits: &Limits) {
        self.0.places.resize(limits.connections);
        self.0.buffers.reload(limits);
        self.live().limits = limits.clone();
    }

    /// The pools of bytes that connections hold, whatever they carry.
    pub fn buffers(&self) -> &Buffers {
        &self.0.buffers
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place, or says why there is none. Where there is none for a client that may still show
    /// a token, the session of another such client ends.
    pub fn admit(&self, admission: Admission) -> Result<Session, NotAdmitted> {
        let Admission { protocol, peer, ref holder, .. } = admission;
        let refuse = |err: NotAdmitted| {
            telemetry::connection_refused(protocol, &err, err.reason());
            err
        };
        let mut live = self.live();
        let each = live.limits.connections_per_ip;
        if live.draining {
            return Err(refuse(NotAdmitted::Draining));
        }
        let is_full = self.0.places.used() >= self.0.places.size() && live.newcomers.is_empty();
        if is_full {
            return Err(match self.0.places.check(holder, 1) {
                Err(shortage @ Shortage::Share) => refuse(NotAdmitted::of(shortage, holder)),
                _ => self.refuse_full(protocol),
            });
        }
        if each > 0 && !peer.is_unspecified() && live.by_address.at(peer) >= each {
            return Err(refuse(NotAdmitted::Address));
        }
        let (place, displaced) = match self.place(&mut live, &admission) {
            Ok(taken) => taken,
            Err(Shortage::Full) => return Err(self.refuse_full(protocol)),
            Err(shortage) => return Err(refuse(NotAdmitted::of(shortage, holder))),
        };
        live.by_address.add(peer);
        let is_stranger = holder.is_stranger();
        let info = Arc::new(SessionInfo::new(admission));
        let standing = if is_stranger {
            Standing::Newcomer(live.newcomers.add(peer, info.id))
        } else {
            Standing::Known
        };
        let entry = Entry { info: Arc::clone(&info), place: Some(place), standing };
        live.sessions.insert(info.id, entry);
        drop(live);
        if let Some(displaced) = displaced {
            displaced.end(Close::CROWDED);
        }
        telemetry::connected(protocol);
        Ok(Session { info, registry: self.clone() })
    }

    /// Refuses a connection for want of a place, and warns of that in the log from time to time.
    fn refuse_full(&self, protocol: &'static str) -> NotAdmitted {
        let err = NotAdmitted::Full;
        if self.0.full_log.pass().is_some() {
            telemetry::server_full(protocol, &err, err.reason());
        } else {
            telemetry::connection_refused(protocol, &err, err.reason());
        }
        err
    }

    /// A place, and the session that has to end for it, if one has.
    fn place(
        &self,
        live: &mut Live,
        Admission { holder, peer, .. }: &Admission,
    ) -> Result<(Permit, Option<Arc<SessionInfo>>), Shortage> {
        let shortage = match self.0.places.take(holder, 1) {
            Ok(place) => return Ok((place, None)),
            Err(shortage) => shortage,
        };
        if shortage == Shortage::Share {
            return Err(shortage);
        }
        // One that ends makes one place; after a reload there may be more sessions than places.
        if self.0.places.used() > self.0.places.size() {
            return Err(shortage);
        }
        let oldest = live.newcomers.displace(*peer, |_| true).ok_or(shortage)?;
        let displaced = live.sessions.get_mut(&oldest).map(|entry| {
            entry.place = None;
            entry.standing = Standing::Known;
            Arc::clone(&entry.info)
        });
        Ok((self.0.places.take(holder, 1)?, displaced))
    }

    /// Counts a session as that of `holder` from now on: its client has shown a token, or goes on
    /// without one. Guests that go on without one leave a quarter of the strangers' places to clients
    /// that may still show theirs.
    pub fn identified(&self, session: Uuid, holder: &Holder) -> Result<(), NotAdmitted> {
        let mut live = self.live();
        let Live { sessions, newcomers, guests, .. } = &mut *live;
        // A session that is gone, or has to go, holds nothing.
        let entry = sessions.get_mut(&session).ok_or(NotAdmitted::Strangers)?;
        let place = entry.place.as_mut().ok_or(NotAdmitted::Strangers)?;
        if holder.is_stranger() {
            let all = self.0.places.limit(holder);
            if entry.standing != Standing::Guest && *guests >= all - all / 4 {
                return Err(NotAdmitted::Strangers);
            }
        }
        place.assign(holder)?;
        let standing = if holder.is_stranger() { Standing::Guest } else { Standing::Known };
        *guests += usize::from(standing == Standing::Guest);
        match std::mem::replace(&mut entry.standing, standing) {
            Standing::Newcomer(number) => drop(newcomers.remove(number)),
            Standing::Guest => *guests -= 1,
            Standing::Known => {}
        }
        Ok(())
    }

    pub fn count(&self) -> usize {
        self.live().sessions.len()
    }

    /// At most `limit` sessions in the order of their ids, from the one after `after` on.
    pub fn list(&self, after: Option<Uuid>, limit: usize) -> Vec<Arc<SessionInfo>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let live = self.live();
        live.sessions
            .range((from, Bound::Unbounded))
            .take(limit)
            .map(|(_, entry)| Arc::clone(&entry.info))
            .collect()
    }

    /// Ends one session; false if there is none of this id.
    pub fn end(&self, session: Uuid, close: &Close) -> bool {
        let found = self.live().sessions.get(&session).map(|entry| Arc::clone(&entry.info));
        found.inspect(|info| info.end(close.clone())).is_some()
    }

    /// Ends the sessions that `pick` chooses, and returns their number.
    pub fn kick(&self, mut pick: impl FnMut(&SessionInfo) -> bool, close: &Close) -> usize {
        let live = self.live();
        let all = live.sessions.values().map(|entry| &entry.info);
        let picked: Vec<_> = all.filter(|info| pick(info)).cloned().collect();
        drop(live);
        for info in &picked {
            info.end(close.clone());
        }
        picked.len()
    }

    /// Refuses new sessions, and ends those there are with 3001, evenly over `window` so that the
    /// clients do not come back all at once.
    pub async fn drain(&self, window: Duration) {
        let all: Vec<_> = {
            let mut live = self.live();
            live.draining = true;
            live.sessions.values().map(|entry| Arc::clone(&entry.info)).collect()
        };
        let begin = Instant::now();
        for (n, info) in (0_u32..).zip(&all) {
            let share = f64::from(n) / f64::from(u32::try_from(all.len()).unwrap_or(u32::MAX));
            let due = begin + window.mul_f64(share);
            // The timer has a resolution of a millisecond: close in groups of that size.
            if due > Instant::now() {
                tokio::time::sleep_until(due).await;
            }
            info.end(Close::SHUTDOWN);
        }
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

// === impl Session ===

impl Session {
    pub fn info(&self) -> &Arc<SessionInfo> {
        &self.info
    }

    pub fn id(&self) -> Uuid {
        self.info.id
    }

    /// The client that the session counts for.
    pub fn holder(&self) -> Holder {
        let live = self.registry.live();
        let place = live.sessions.get(&self.info.id).and_then(|entry| entry.place.as_ref());
        place.map_or_else(|| Holder::stranger(self.info.peer), |place| place.holder().clone())
    }

    /// The pools of bytes that its connection holds.
    pub fn buffers(&self) -> &Buffers {
        self.registry.buffers()
    }

    /// Ready when the session must end, with what to tell the peer. One task at a time may wait.
    pub fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<Close> {
        self.info.poll_ended(cx)
    }

    /// [`poll_ended`](Self::poll_ended) as a future; cancel-safe.
    pub async fn ended(&self) -> Close {
        std::future::poll_fn(|cx| self.poll_ended(cx)).await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut live = self.registry.live();
        let entry = live.sessions.remove(&self.info.id);
        match entry.map(|entry| entry.standing) {
            Some(Standing::Newcomer(number)) => drop(live.newcomers.remove(number)),
            Some(Standing::Guest) => live.guests -= 1,
            Some(Standing::Known) | None => {}
        }
        live.by_address.remove(self.info.peer);
        drop(live);
        telemetry::disconnected(self.info.protocol);
    }
}

#[cfg(test)]
mod tests;
