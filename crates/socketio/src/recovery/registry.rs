//! The sockets that can be resumed: by whom, and for how long.
use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quadrille_core::{Position, SessionInfo, Tag, Topic};
use tokio::time::Instant;
use uuid::Uuid;

use super::delivery_log::{DeliveryLog, Offset, ResumePoint};
use crate::random;

/// Bytes kept for lost connections; above it, the one lost first is forgotten.
pub const RECOVERY_BYTES: usize = 64 << 20;

/// Every socket that can be resumed.
#[derive(Debug)]
pub(crate) struct Recovery {
    /// Time for which a lost connection can be resumed; zero turns recovery off.
    keep: Duration,
    sockets: Mutex<Sockets>,
}

#[derive(Debug, Default)]
struct Sockets {
    all: HashMap<Pid, RecoveryEntry>,
    /// Sockets without a connection, in the order in which they lost it.
    lost: BTreeSet<(Instant, Pid)>,
    /// Size of those without a connection.
    bytes: usize,
}

#[derive(Debug)]
struct RecoveryEntry {
    socket: Arc<ResumableSocket>,
    lost: Option<Instant>,
}

/// The secret that a socket's client resumes it by. Never printed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pid(Arc<str>);

/// A socket, as its client sees it, on one of its connections.
#[derive(Debug)]
struct ResumableSocket {
    pid: Pid,
    sid: Uuid,
    user: Option<Arc<str>>,
    connection: Arc<SessionInfo>,
    deliveries: Mutex<DeliveryLog>,
}

/// Keeps a connection's socket resumable. Dropping it forgets the socket, unless the connection was
/// [lost](Self::lose).
#[derive(Debug)]
pub(crate) struct RecoveryHandle {
    recovery: Arc<Recovery>,
    socket: Arc<ResumableSocket>,
}

/// A socket that was taken over from another connection.
#[derive(Debug)]
pub struct Resumed {
    socket: Arc<ResumableSocket>,
    points: Vec<ResumePoint>,
}

// === impl Recovery ===

impl Recovery {
    pub(crate) fn new(keep: Duration) -> Self {
        Self { keep, sockets: Mutex::default() }
    }

    pub(crate) fn is_on(&self) -> bool {
        !self.keep.is_zero()
    }

    fn sockets(&self) -> MutexGuard<'_, Sockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The topics of a socket that `user` can resume.
    pub(super) fn topics(&self, pid: &Pid, user: Option<&Arc<str>>) -> Option<Vec<Topic>> {
        let sockets = self.sockets();
        let socket = &sockets.find(pid, user, self.keep)?.socket;
        Some(socket.deliveries().topics())
    }

    /// Takes a socket of `user` over; `None`, and nothing changes, if it or `offset` is unknown.
    pub(super) fn take(
        &self,
        pid: &Pid,
        offset: Option<&str>,
        user: Option<&Arc<str>>,
    ) -> Option<Resumed> {
        let mut sockets = self.sockets();
        let socket = Arc::clone(&sockets.find(pid, user, self.keep)?.socket);
        let points = socket.deliveries().points(offset)?;
        sockets.remove(pid);
        Some(Resumed { socket, points })
    }

    /// Forgets the sockets whose time is up.
    pub(crate) fn sweep(&self) {
        self.sockets().forget_while(|sockets| {
            sockets.lost.first().is_some_and(|(at, _)| at.elapsed() >= self.keep)
        });
    }
}

impl Sockets {
    fn find(&self, pid: &Pid, user: Option<&Arc<str>>, keep: Duration) -> Option<&RecoveryEntry> {
        let entry = self.all.get(pid)?;
        let is_young = entry.lost.is_none_or(|at| at.elapsed() < keep);
        let is_theirs = entry.socket.user.as_ref() == user;
        // A connection that is being ended by the server is not resumed.
        let is_open = !entry.socket.connection.is_ending();
        (is_young && is_theirs && is_open).then_some(entry)
    }

    fn remove(&mut self, pid: &Pid) {
        let Some(entry) = self.all.remove(pid) else { return };
        if let Some(at) = entry.lost {
            self.lost.remove(&(at, pid.clone()));
            self.bytes -= entry.socket.size();
        }
    }

    /// Keeps `socket` without its connection, and forgets others if they take too many bytes.
    fn lose(&mut self, socket: &Arc<ResumableSocket>) {
        let Some(entry) = self.all.get_mut(&socket.pid) else { return };
        // Another connection may have it already.
        if !Arc::ptr_eq(&entry.socket, socket) {
            return;
        }
        let now = Instant::now();
        entry.lost = Some(now);
        socket.deliveries().shrink();
        self.lost.insert((now, socket.pid.clone()));
        self.bytes += socket.size();
        self.forget_while(|sockets| sockets.bytes > RECOVERY_BYTES);
    }

    /// Forgets sockets while `wanted`, the one lost first at the beginning.
    fn forget_while(&mut self, wanted: impl Fn(&Self) -> bool) {
        while wanted(self) {
            let Some((_, pid)) = self.lost.first().cloned() else { return };
            self.remove(&pid);
        }
    }
}

// === impl Socket ===

impl ResumableSocket {
    fn deliveries(&self) -> MutexGuard<'_, DeliveryLog> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Approximate size in bytes while the connection is lost.
    fn size(&self) -> usize {
        let keys = 2 * size_of::<(Instant, Pid)>() + size_of::<RecoveryEntry>();
        size_of::<Self>() + size_of::<SessionInfo>() + 2 * keys + self.deliveries().size()
    }
}

// === impl RecoveryHandle ===

impl RecoveryHandle {
    /// Makes the socket of `connection` resumable: a new one, or the one that was resumed. `begin`
    /// is the offset with which its client came. `None` if recovery is off.
    pub(crate) fn new(
        recovery: &Arc<Recovery>,
        connection: &Arc<SessionInfo>,
        user: Option<&Arc<str>>,
        begin: Option<Box<str>>,
        resumed: Option<&Resumed>,
    ) -> Option<Self> {
        if !recovery.is_on() {
            return None;
        }
        let (pid, sid) = match resumed {
            Some(Resumed { socket, .. }) => (socket.pid.clone(), socket.sid),
            None => (Pid(random::secret().into()), connection.id),
        };
        let deliveries = Mutex::new(DeliveryLog::new(begin));
        let (user, connection) = (user.cloned(), Arc::clone(connection));
        let socket =
            Arc::new(ResumableSocket { pid: pid.clone(), sid, user, connection, deliveries });
        let entry = RecoveryEntry { socket: Arc::clone(&socket), lost: None };
        recovery.sockets().all.insert(pid, entry);
        Some(Self { recovery: Arc::clone(recovery), socket })
    }

    pub(crate) fn pid(&self) -> &str {
        &self.socket.pid.0
    }

    pub(crate) fn sid(&self) -> Uuid {
        self.socket.sid
    }

    /// Records that a topic is followed, or under another tag now. `from` is its position, if it
    /// was moved.
    pub(crate) fn followed(&self, topic: &Topic, tag: Tag, from: Option<Position>) {
        self.socket.deliveries().followed(topic, tag, from);
    }

    pub(crate) fn left(&self, topic: &Topic) {
        self.socket.deliveries().left(topic);
    }

    pub(crate) fn note(&self, id: Uuid, tag: Tag) {
        self.socket.deliveries().note(id, tag);
    }

    pub(crate) fn shown(&self, Offset(topic, at): Offset<'_>) {
        self.socket.deliveries().shown(topic, at);
    }

    /// Keeps the socket for a while after its connection.
    pub(crate) fn lose(&self) {
        self.recovery.sockets().lose(&self.socket);
    }
}

impl Drop for RecoveryHandle {
    fn drop(&mut self) {
        let mut sockets = self.recovery.sockets();
        let held = sockets.all.get(&self.socket.pid);
        let is_held = held
            .is_some_and(|entry| entry.lost.is_none() && Arc::ptr_eq(&entry.socket, &self.socket));
        if is_held {
            sockets.remove(&self.socket.pid);
        }
    }
}

// === impl Resumed ===

impl Resumed {
    /// The position after which each topic resumes.
    pub fn points(&self) -> &[ResumePoint] {
        &self.points
    }

    /// The last notes that the application made about the socket.
    pub fn notes(&self) -> Vec<(Uuid, Tag)> {
        self.socket.deliveries().notes()
    }

    /// The connection that it was taken over from.
    pub(crate) fn connection(&self) -> Uuid {
        self.socket.connection.id
    }
}

// === impl Pid ===

impl Pid {
    pub(super) fn of(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pid")
    }
}

#[cfg(test)]
mod tests;
