//! What an HTTP connection is for just now, as those who serve it tell, and which client it counts
//! for.
mod response;

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::http::Version;
use quadrille_core::{Buffers, Close, Holder, Info, Shortage, telemetry};
use quadrille_edge::http::{Carrier, Carry};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{discard::CLOSING_TIMEOUT, limit::ConnectionPermit, linger::Linger};

/// How long a peer may take no data at all while there is some.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a connection is for, as those who serve it tell.
#[derive(Clone, Debug)]
pub(crate) struct HttpConnection {
    closing: CancellationToken,
    displaced: CancellationToken,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The peer has more of a body to send than was read of it.
    unread: AtomicBool,
    /// How often something was read.
    reads: AtomicUsize,
    /// The answer to the request at hand is on its way.
    answered: AtomicBool,
    /// The client understands interim answers.
    is_current: AtomicBool,
    /// The answer is out, and what the client still sends is read and forgotten.
    lingers: AtomicBool,
    /// The client sends no more.
    halved: Notify,
}

/// One request, as pools count it.
#[derive(Debug)]
struct RequestCarrier {
    connection: HttpConnection,
    /// The address that it comes from, behind trusted proxies.
    peer: IpAddr,
    /// Who it turned out to be, where the connection counts for nobody.
    holder: OnceLock<Holder>,
    buffers: Buffers,
}

#[derive(Debug)]
struct State {
    kind: Kind,
    /// A session has none: it is counted where sessions are.
    permit: ConnectionPermit,
}

#[derive(Debug)]
enum Kind {
    /// Requests, of which none has arrived yet.
    New,
    /// Requests, until the listeners close.
    Requests,
    /// An answer that goes on for as long as its session.
    Session(Arc<Info>),
    /// Not HTTP any more: another looks after it.
    Upgraded,
}

// === impl HttpConnection ===

impl HttpConnection {
    /// Requests, until `closing`.
    pub(crate) fn new(closing: CancellationToken, permit: ConnectionPermit) -> Self {
        let displaced = permit.displaced();
        let state = State { kind: Kind::New, permit };
        let shared = Shared {
            state: Mutex::new(state),
            unread: AtomicBool::new(false),
            reads: AtomicUsize::new(0),
            answered: AtomicBool::new(false),
            is_current: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
            halved: Notify::new(),
        };
        Self { closing, displaced, shared: Arc::new(shared) }
    }

    /// A request has arrived, of this version of HTTP.
    pub(crate) fn requests(&self, version: Version) {
        self.shared.answered.store(false, Relaxed);
        self.shared.unread.store(false, Relaxed);
        self.shared.is_current.store(version >= Version::HTTP_11, Relaxed);
        let mut state = self.state();
        state.kind = Kind::Requests;
        state.permit.reacquire();
        state.permit.set_busy(true);
    }

    /// What carries a request of `peer`, for those who find out whose it is.
    pub(crate) fn carrier(&self, peer: IpAddr) -> Carrier {
        let (connection, buffers) = (self.clone(), self.state().permit.buffers());
        Carrier::new(Arc::new(RequestCarrier {
            connection,
            peer,
            holder: OnceLock::new(),
            buffers,
        }))
    }

    /// Resolves when the connection has to go, because another has its permit.
    pub(crate) async fn displaced(&self) {
        self.displaced.cancelled().await;
    }

    /// Something was read.
    pub(crate) fn read(&self) {
        self.shared.reads.fetch_add(1, Relaxed);
    }

    pub(crate) fn reads(&self) -> usize {
        self.shared.reads.load(Relaxed)
    }

    /// A request has a body.
    pub(crate) fn body_begins(&self) {
        self.shared.unread.store(true, Relaxed);
    }

    /// All of it was read.
    pub(crate) fn body_ended(&self) {
        self.shared.unread.store(false, Relaxed);
    }

    /// The client sends no more.
    pub(crate) fn half_closed(&self) {
        self.shared.halved.notify_one();
    }

    /// Whether something is sent anyway by which a client that has gone is found out: by a session, which
    /// is asked to, or by the answer that is on its way.
    pub(crate) fn asks_itself(&self) -> bool {
        if let Kind::Session(info) = &self.state().kind {
            info.ask();
            return true;
        }
        self.shared.answered.load(Relaxed)
    }

    /// Whether the client understands interim answers.
    pub(crate) fn takes_interim_answers(&self) -> bool {
        self.shared.is_current.load(Relaxed)
    }

    /// Resolves when the client sends no more, and its answer is still to come.
    pub(crate) async fn halved(&self) {
        self.shared.halved.notified().await;
    }

    /// Whether an answer may be on its way to a client that sends no more.
    pub(crate) fn may_be_half(&self) -> bool {
        self.is_answering() && !self.shared.unread.load(Relaxed)
    }

    /// Whether there are requests to answer, or is one that goes on.
    pub(crate) fn is_answering(&self) -> bool {
        matches!(self.state().kind, Kind::Requests | Kind::Session(_))
    }

    /// Resolves when the listeners close.
    pub(crate) async fn closing(&self) {
        self.closing.cancelled().await;
    }

    /// Whether no request has arrived yet.
    pub(crate) fn is_new(&self) -> bool {
        matches!(self.state().kind, Kind::New)
    }

    pub(crate) fn session(&self, info: &Arc<Info>) {
        let mut state = self.state();
        state.kind = Kind::Session(Arc::clone(info));
        state.permit.release();
    }

    /// Or closed.
    pub(crate) fn upgraded(&self) {
        let mut state = self.state();
        state.kind = Kind::Upgraded;
        state.permit.release();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn patience(&self) -> Option<Duration> {
        let ending = match &self.state().kind {
            Kind::New | Kind::Requests => self.closing.is_cancelled(),
            Kind::Session(info) => info.is_ending(),
            Kind::Upgraded => return None,
        };
        Some(if ending { CLOSING_TIMEOUT } else { PATIENCE })
    }

    /// How to wait for what the peer still sends; not at all if it is not HTTP any more.
    pub(crate) fn linger(&self) -> Option<Linger> {
        let upgraded = matches!(self.state().kind, Kind::Upgraded);
        let unread = self.shared.unread.load(Relaxed);
        self.shared.lingers.store(!upgraded, Relaxed);
        (!upgraded).then(|| Linger::new(unread, self.closing.is_cancelled()))
    }

    /// Whether the client has its answer, and only goes on to send.
    pub(crate) fn lingers(&self) -> bool {
        self.shared.lingers.load(Relaxed)
    }

    /// Tell that the peer is too slow, unless it was to go anyway.
    pub(crate) fn tell(&self) {
        if let Kind::Session(info) = &self.state().kind
            && !info.is_ending()
        {
            telemetry::connection_ended(info.protocol, info.id, &Close::SLOW);
        }
    }
}

impl Carry for RequestCarrier {
    fn identified(&self, holder: &Holder) -> Result<(), Shortage> {
        let mut state = self.connection.state();
        // A request is identified once; a second time says the same.
        self.holder.set(holder.clone()).ok();
        state.permit.identified(holder)
    }

    fn holder(&self) -> Holder {
        let state = self.connection.state();
        if !state.permit.is_shared() {
            return state.permit.holder().clone();
        }
        self.holder.get().cloned().unwrap_or_else(|| state.permit.unknown(self.peer))
    }

    fn buffers(&self) -> &Buffers {
        &self.buffers
    }
}
