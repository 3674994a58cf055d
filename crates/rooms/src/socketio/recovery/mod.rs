//! Recovery of connection state: a client that lost its connection goes on over another one as the
//! same socket, and is shown what it missed. The logs have that; what is kept here is where it was.
mod back;
mod trail;

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quadrille_agents::Desk;
use quadrille_core::{Position, SessionInfo, Tag, Topic};
use tokio::time::Instant;
use uuid::Uuid;

pub(super) use self::back::Back;
pub(crate) use self::trail::Offset;
use self::trail::{Place, Trail};
use super::own::{Form, Owned};
use crate::{door::Door, wire};

/// Bytes that are kept for clients without a connection; above it, who lost it first is forgotten.
pub const RECOVERY_BYTES: usize = 64 << 20;

/// Every socket that can be gone on with.
#[derive(Debug)]
pub(crate) struct Recovery {
    /// How long a connection may be lost; zero is no recovery.
    keep: Duration,
    sockets: Mutex<Sockets>,
}

#[derive(Debug, Default)]
struct Sockets {
    all: HashMap<Pid, Entry>,
    /// Those without a connection, in the order in which they lost it.
    lost: BTreeSet<(Instant, Pid)>,
    /// What these take.
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    socket: Arc<Socket>,
    lost: Option<Instant>,
}

/// What is known to a socket's client alone, and never printed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pid(Arc<str>);

/// What a client sees as one socket, on one of its connections.
#[derive(Debug)]
struct Socket {
    pid: Pid,
    sid: Uuid,
    user: Option<Arc<str>>,
    connection: Arc<SessionInfo>,
    trail: Mutex<Trail>,
}

/// A connection's hold on its socket. Dropping it forgets the socket, unless it was [lost](Self::lose).
#[derive(Debug)]
pub(crate) struct Hold {
    door: Arc<Door>,
    socket: Arc<Socket>,
}

/// A socket that goes on, and where.
#[derive(Debug)]
pub(super) struct Resumed {
    socket: Arc<Socket>,
    pub(super) places: Vec<Place>,
}

// === impl Recovery ===

impl Recovery {
    pub(crate) fn new(keep: Duration) -> Self {
        Self { keep, sockets: Mutex::default() }
    }

    pub(super) fn is_on(&self) -> bool {
        !self.keep.is_zero()
    }

    fn sockets(&self) -> MutexGuard<'_, Sockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `user` would go on with.
    fn topics(&self, back: &Back, user: Option<&Arc<str>>) -> Option<Vec<Topic>> {
        let sockets = self.sockets();
        let socket = &sockets.find(&back.pid, user, self.keep)?.socket;
        Some(socket.trail().topics())
    }

    /// Go on with a socket of `user`; `None` if it is not known, or where its client was is not.
    /// Nobody else can from now on.
    fn take(&self, back: &Back, user: Option<&Arc<str>>) -> Option<Resumed> {
        let mut sockets = self.sockets();
        let socket = Arc::clone(&sockets.find(&back.pid, user, self.keep)?.socket);
        let places = socket.trail().places(back.offset.as_deref())?;
        sockets.remove(&back.pid);
        Some(Resumed { socket, places })
    }

    /// Forget those that were lost for too long.
    pub(crate) fn sweep(&self) {
        self.sockets().forget_while(|sockets| {
            sockets.lost.first().is_some_and(|(at, _)| at.elapsed() >= self.keep)
        });
    }
}

impl Sockets {
    fn find(&self, pid: &Pid, user: Option<&Arc<str>>, keep: Duration) -> Option<&Entry> {
        let entry = self.all.get(pid)?;
        let is_young = entry.lost.is_none_or(|at| at.elapsed() < keep);
        let is_theirs = entry.socket.user.as_ref() == user;
        // Who is being sent away does not come back.
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

    /// The connection of `socket` is lost.
    fn lose(&mut self, socket: &Arc<Socket>) {
        let Some(entry) = self.all.get_mut(&socket.pid) else { return };
        // Another connection may have it already.
        if !Arc::ptr_eq(&entry.socket, socket) {
            return;
        }
        let now = Instant::now();
        entry.lost = Some(now);
        socket.trail().shrink();
        self.lost.insert((now, socket.pid.clone()));
        self.bytes += socket.size();
        self.forget_while(|sockets| sockets.bytes > RECOVERY_BYTES);
    }

    /// Forget those that were lost first.
    fn forget_while(&mut self, wanted: impl Fn(&Self) -> bool) {
        while wanted(self) {
            let Some((_, pid)) = self.lost.first().cloned() else { return };
            self.remove(&pid);
        }
    }
}

// === impl Socket ===

impl Socket {
    fn trail(&self) -> MutexGuard<'_, Trail> {
        self.trail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes that it takes while it is lost, more or less.
    fn size(&self) -> usize {
        let keys = 2 * size_of::<(Instant, Pid)>() + size_of::<Entry>();
        size_of::<Self>() + size_of::<SessionInfo>() + 2 * keys + self.trail().size()
    }
}

// === impl Hold ===

impl Hold {
    /// A socket for a connection: the one that goes on, or a new one. `None` if there is no recovery.
    pub(super) fn new(
        door: &Arc<Door>,
        connection: &Arc<SessionInfo>,
        user: Option<&Arc<str>>,
        back: Option<Back>,
        resumed: Option<&Resumed>,
    ) -> Option<Self> {
        if !door.recovery.is_on() {
            return None;
        }
        let (pid, sid) = match resumed {
            Some(Resumed { socket, .. }) => (socket.pid.clone(), socket.sid),
            None => (Pid(wire::secret().into()), connection.id),
        };
        let trail = Mutex::new(Trail::new(back.and_then(|it| it.offset)));
        let (user, connection) = (user.cloned(), Arc::clone(connection));
        let socket = Arc::new(Socket { pid: pid.clone(), sid, user, connection, trail });
        let entry = Entry { socket: Arc::clone(&socket), lost: None };
        door.recovery.sockets().all.insert(pid, entry);
        Some(Self { door: Arc::clone(door), socket })
    }

    pub(super) fn pid(&self) -> &str {
        &self.socket.pid.0
    }

    pub(super) fn sid(&self) -> Uuid {
        self.socket.sid
    }

    /// A topic is followed from `from` on, or was already and is under another tag.
    pub(super) fn followed(&self, topic: &Topic, tag: Tag, from: Option<Position>) {
        self.socket.trail().followed(topic, tag, from);
    }

    pub(super) fn left(&self, topic: &Topic) {
        self.socket.trail().left(topic);
    }

    pub(super) fn asked(&self, turn: Uuid, form: Form) {
        self.socket.trail().asked(turn, form);
    }

    pub(super) fn shown(&self, Offset(topic, at): Offset<'_>) {
        self.socket.trail().shown(topic, at);
    }

    /// The connection is lost, and its client may come back.
    pub(super) fn lose(&self) {
        self.door.recovery.sockets().lose(&self.socket);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut sockets = self.door.recovery.sockets();
        let held = sockets.all.get(&self.socket.pid);
        if held.is_some_and(|it| it.lost.is_none() && Arc::ptr_eq(&it.socket, &self.socket)) {
            sockets.remove(&self.socket.pid);
        }
    }
}

// === impl Resumed ===

impl Resumed {
    /// The client's own turns that have more to say after `after`.
    pub(super) fn own(&self, desk: &Desk, after: Position) -> Vec<(Uuid, Form)> {
        let mut turns = self.socket.trail().turns();
        turns.retain(|(turn, _)| Owned::goes_on(desk, *turn, after));
        turns
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pid")
    }
}

#[cfg(test)]
mod tests;
