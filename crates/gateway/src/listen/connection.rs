//! State of an HTTP connection: its current use, and the client that it counts for.
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
use quadrille_core::{Buffers, Close, Holder, SessionInfo, Shortage, telemetry};
use quadrille_edge::http::{Carrier, Carry};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{discard::CLOSING_TIMEOUT, limit::ConnectionPermit, linger::Linger};

/// Time for which a peer may take no data while there is some.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// State of one connection, updated by its services. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct HttpConnection {
    closing: CancellationToken,
    displaced: CancellationToken,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The peer has more of a body to send.
    unread: AtomicBool,
    /// Number of reads.
    reads: AtomicUsize,
    /// The response to the current request has begun.
    answered: AtomicBool,
    /// The client understands interim responses.
    is_current: AtomicBool,
    /// The response is sent, and the rest of the client's bytes is discarded.
    lingers: AtomicBool,
    /// Notified when the client sends no more.
    half_closed: Notify,
}

/// One request, as the pools count it.
#[derive(Debug)]
struct RequestCarrier {
    connection: HttpConnection,
    /// Address of the client, behind trusted proxies.
    peer: IpAddr,
    /// Identified client, where the connection counts for none.
    holder: OnceLock<Holder>,
    buffers: Buffers,
}

#[derive(Debug)]
struct State {
    kind: Kind,
    /// Released during a session, which is counted elsewhere.
    permit: ConnectionPermit,
}

#[derive(Debug)]
enum Kind {
    /// No request has arrived yet.
    New,
    /// Serves requests, until the listeners close.
    Requests,
    /// Streams a response for as long as its session.
    Session(Arc<SessionInfo>),
    /// Upgraded from HTTP, or closed.
    Upgraded,
}

// === impl HttpConnection ===

impl HttpConnection {
    /// A new connection, which serves requests until `closing`.
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
            half_closed: Notify::new(),
        };
        Self { closing, displaced, shared: Arc::new(shared) }
    }

    /// Records the arrival of a request.
    pub(crate) fn on_request(&self, version: Version) {
        self.shared.answered.store(false, Relaxed);
        self.shared.unread.store(false, Relaxed);
        self.shared.is_current.store(version >= Version::HTTP_11, Relaxed);
        let mut state = self.state();
        state.kind = Kind::Requests;
        state.permit.reacquire();
        state.permit.set_busy(true);
    }

    /// Returns the carrier of a request of `peer`, through which it is identified.
    pub(crate) fn carrier(&self, peer: IpAddr) -> Carrier {
        let (connection, buffers) = (self.clone(), self.state().permit.buffers());
        Carrier::new(Arc::new(RequestCarrier {
            connection,
            peer,
            holder: OnceLock::new(),
            buffers,
        }))
    }

    /// Resolves once another connection has displaced this one.
    pub(crate) async fn displaced(&self) {
        self.displaced.cancelled().await;
    }

    /// Records a read.
    pub(crate) fn on_read(&self) {
        self.shared.reads.fetch_add(1, Relaxed);
    }

    pub(crate) fn reads(&self) -> usize {
        self.shared.reads.load(Relaxed)
    }

    /// Records that the request has a body.
    pub(crate) fn on_body(&self) {
        self.shared.unread.store(true, Relaxed);
    }

    /// Records that all of the body was read.
    pub(crate) fn on_body_end(&self) {
        self.shared.unread.store(false, Relaxed);
    }

    /// Records that the client sends no more.
    pub(crate) fn on_half_close(&self) {
        self.shared.half_closed.notify_one();
    }

    /// Whether other writes will detect a client that has left: those of a session, which is told to
    /// ping, or of a response in progress.
    pub(crate) fn probes_itself(&self) -> bool {
        if let Kind::Session(info) = &self.state().kind {
            info.ask();
            return true;
        }
        self.shared.answered.load(Relaxed)
    }

    /// Whether the client understands interim responses.
    pub(crate) fn takes_interim_responses(&self) -> bool {
        self.shared.is_current.load(Relaxed)
    }

    /// Resolves once the client sends no more while its response is pending.
    pub(crate) async fn half_closed(&self) {
        self.shared.half_closed.notified().await;
    }

    /// Whether a client that sends no more may still wait for a response.
    pub(crate) fn may_be_half_closed(&self) -> bool {
        self.is_serving() && !self.shared.unread.load(Relaxed)
    }

    /// Whether it serves requests, or streams a response.
    pub(crate) fn is_serving(&self) -> bool {
        matches!(self.state().kind, Kind::Requests | Kind::Session(_))
    }

    /// Resolves once the listeners close.
    pub(crate) async fn closing(&self) {
        self.closing.cancelled().await;
    }

    /// Whether no request has arrived yet.
    pub(crate) fn is_new(&self) -> bool {
        matches!(self.state().kind, Kind::New)
    }

    /// Records that the response streams a session.
    pub(crate) fn on_session(&self, info: &Arc<SessionInfo>) {
        let mut state = self.state();
        state.kind = Kind::Session(Arc::clone(info));
        state.permit.release();
    }

    /// Records that it was upgraded or closed.
    pub(crate) fn on_upgrade(&self) {
        let mut state = self.state();
        state.kind = Kind::Upgraded;
        state.permit.release();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time for a write without progress; `None` after an upgrade.
    pub(crate) fn write_timeout(&self) -> Option<Duration> {
        let ending = match &self.state().kind {
            Kind::New | Kind::Requests => self.closing.is_cancelled(),
            Kind::Session(info) => info.is_ending(),
            Kind::Upgraded => return None,
        };
        Some(if ending { CLOSING_TIMEOUT } else { WRITE_TIMEOUT })
    }

    /// Begins the lingering close; `None` after an upgrade.
    pub(crate) fn linger(&self) -> Option<Linger> {
        let upgraded = matches!(self.state().kind, Kind::Upgraded);
        let unread = self.shared.unread.load(Relaxed);
        self.shared.lingers.store(!upgraded, Relaxed);
        (!upgraded).then(|| Linger::new(unread, self.closing.is_cancelled()))
    }

    /// Whether the client has its response, and only sends on.
    pub(crate) fn lingers(&self) -> bool {
        self.shared.lingers.load(Relaxed)
    }

    /// Logs that the peer is too slow, unless its session was ending anyway.
    pub(crate) fn log_slow(&self) {
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
        // A second identification is the same.
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
