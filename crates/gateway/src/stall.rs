//! An end for HTTP connections whose peer takes no data: what an answer has not sent stays in memory,
//! and a body is not asked for its end before that is gone.
use std::{
    io::{self, IoSlice},
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{StatusCode, Version, header::VARY},
    response::{IntoResponse, Response},
};
use http_body::{Frame, SizeHint};
use quadrille_core::{
    Buffers, Carrier, Carry, Close, Counted, Holder, Info, Problem, Shortage, telemetry,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
    time::{Instant, Sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    half::{Half, Next, SIGN, SocketError},
    linger::Linger,
    places::Place,
};

/// How long a peer may take no data at all while there is some.
const PATIENCE: Duration = Duration::from_secs(30);

/// The same for one whose connection has to end.
pub(crate) const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of an answer that is written at once.
const SHORT: u64 = 64 << 10;

/// When to ask again for an answer that there was no room for.
const SOON: Duration = Duration::from_secs(1);

/// Bytes of the largest answer that is made in memory.
const IN_MEMORY: u64 = 8 << 20;

/// What a connection is for, as those who serve it tell.
#[derive(Clone, Debug)]
pub(crate) struct Purpose {
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
struct Request {
    connection: Purpose,
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
    place: Place,
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

/// The connection.
#[derive(Debug)]
pub(crate) struct Watched<S> {
    io: S,
    purpose: Purpose,
    /// Since when the peer has taken nothing, and when to look again.
    stuck: Option<(Instant, Pin<Box<Sleep>>)>,
    /// Once the writing side is closed.
    lingers: Option<Linger>,
    /// Once the peer sends no more.
    half: Option<Half>,
    /// Whether what is below is HTTP itself, so that a client can be asked whether it is there.
    waits_when_half: bool,
}

// === impl Purpose ===

impl Purpose {
    /// Requests, until `closing`.
    pub(crate) fn new(closing: CancellationToken, place: Place) -> Self {
        let displaced = place.displaced();
        let state = State { kind: Kind::New, place };
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
        state.place.come_back();
        state.place.set_busy(true);
    }

    /// What carries a request of `peer`, for those who find out whose it is.
    pub(crate) fn carrier(&self, peer: IpAddr) -> Carrier {
        let (connection, buffers) = (self.clone(), self.state().place.buffers());
        Carrier::new(Arc::new(Request { connection, peer, holder: OnceLock::new(), buffers }))
    }

    /// An answer goes on for as long as a session if its extensions have one. Otherwise the connection
    /// is at it until all of the answer is written. Answers that are whole in memory count in the pool
    /// `output` until then, for the client that `carrier` tells. Without room for one, it is 503 or 429
    /// instead if `may_refuse`: if the request changed nothing.
    pub(crate) fn answers(
        &self,
        response: Response,
        carrier: &Carrier,
        may_refuse: bool,
    ) -> Response {
        self.shared.answered.store(true, Relaxed);
        if let Some(info) = response.extensions().get::<Arc<Info>>() {
            self.session(info);
        }
        let (is_stranger, buffers) = {
            let state = self.state();
            (state.place.holder().is_stranger(), state.place.buffers())
        };
        let size = response.body().size_hint().exact();
        if size.is_some_and(|bytes| bytes <= SHORT) {
            if is_stranger {
                self.state().place.set_busy(false);
            }
            return response;
        }
        let mut counted = buffers.sending();
        // What is larger is a file, which is read as it is sent.
        let whole =
            size.filter(|bytes| *bytes <= IN_MEMORY).and_then(|it| usize::try_from(it).ok());
        if let Some(bytes) = whole {
            let holder = carrier.holder();
            if !may_refuse {
                counted.hold_anyway(bytes, &holder);
            } else if let Err(shortage) = counted.hold(bytes, || holder) {
                return unread(&response, shortage);
            }
        }
        if !is_stranger && whole.is_none() {
            return response;
        }
        let connection = is_stranger.then(|| self.clone());
        response.map(|body| Body::new(Busy { body, connection, _counted: counted }))
    }

    /// Resolves when the connection has to go, because another has its place.
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

    /// Resolves when the client sends no more, and its answer is still to come.
    pub(crate) async fn halved(&self) {
        self.shared.halved.notified().await;
    }

    /// Whether an answer may be on its way to a client that sends no more.
    fn may_be_half(&self) -> bool {
        let answers = matches!(self.state().kind, Kind::Requests | Kind::Session(_));
        answers && !self.shared.unread.load(Relaxed)
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
        state.place.leave();
    }

    /// Or closed.
    pub(crate) fn upgraded(&self) {
        let mut state = self.state();
        state.kind = Kind::Upgraded;
        state.place.leave();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn patience(&self) -> Option<Duration> {
        let ending = match &self.state().kind {
            Kind::New | Kind::Requests => self.closing.is_cancelled(),
            Kind::Session(info) => info.is_ending(),
            Kind::Upgraded => return None,
        };
        Some(if ending { LAST_PATIENCE } else { PATIENCE })
    }

    /// How to wait for what the peer still sends; not at all if it is not HTTP any more.
    fn linger(&self) -> Option<Linger> {
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
    fn tell(&self) {
        if let Kind::Session(info) = &self.state().kind
            && !info.is_ending()
        {
            telemetry::connection_ended(info.protocol, info.id, &Close::SLOW);
        }
    }
}

impl Carry for Request {
    fn identified(&self, holder: &Holder) -> Result<(), Shortage> {
        let mut state = self.connection.state();
        // A request is identified once; a second time says the same.
        self.holder.set(holder.clone()).ok();
        state.place.identified(holder)
    }

    fn holder(&self) -> Holder {
        let state = self.connection.state();
        if !state.place.is_shared() {
            return state.place.holder().clone();
        }
        self.holder.get().cloned().unwrap_or_else(|| state.place.unknown(self.peer))
    }

    fn buffers(&self) -> &Buffers {
        &self.buffers
    }
}

/// Says that `refused` is not sent for want of room, to the same page if one asked.
fn unread(refused: &Response, shortage: Shortage) -> Response {
    let (status, title) = match shortage {
        Shortage::Share => {
            (StatusCode::TOO_MANY_REQUESTS, "this user reads too few of its answers")
        }
        Shortage::Full | Shortage::Strangers => {
            (StatusCode::SERVICE_UNAVAILABLE, "too many answers are not read")
        }
    };
    let problem = Problem::new(status, "/problems/busy", title)
        .detail("read the answers that were asked for, or try again after the time in Retry-After")
        .retry_after(SOON);
    let mut response = problem.into_response();
    for (name, value) in refused.headers() {
        if *name == VARY || name.as_str().starts_with("access-control-") {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}

/// The body of an answer that its connection is at until it is written, and its count until then.
#[derive(Debug)]
struct Busy {
    body: Body,
    /// Of a client without a token.
    connection: Option<Purpose>,
    _counted: Counted,
}

impl HttpBody for Busy {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.state().place.set_busy(false);
        }
    }
}

// === impl Watched ===

impl<S> Watched<S> {
    pub(crate) fn new(io: S, purpose: Purpose) -> Self {
        Self { io, purpose, stuck: None, lingers: None, half: None, waits_when_half: true }
    }

    /// What is below TLS, which has an end of its own.
    pub(crate) fn below_tls(io: S, purpose: Purpose) -> Self {
        Self { waits_when_half: false, ..Self::new(io, purpose) }
    }

    /// Wait for the answer, which the client may have gone without.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: SocketError + AsyncWrite + Unpin,
    {
        let next = self.half.as_mut().map_or(Next::Gone, |half| half.poll(cx, &self.io));
        let is_there = match next {
            Next::Wait => true,
            Next::Gone => false,
            Next::Ask => self.ask(cx),
        };
        // As if it had just been read: whoever asked is gone.
        if is_there { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// Send the client something that it need not understand. False if that is not possible.
    fn ask(&mut self, cx: &mut Context<'_>) -> bool
    where
        S: AsyncWrite + Unpin,
    {
        if let Kind::Session(info) = &self.purpose.state().kind {
            info.ask();
            return true;
        }
        let shared = &self.purpose.shared;
        if shared.answered.load(Relaxed) {
            // What comes of it does the same.
            return true;
        }
        // Nothing can be half-written, for then the peer does not take anything.
        shared.is_current.load(Relaxed)
            && self.stuck.is_none()
            && matches!(Pin::new(&mut self.io).poll_write(cx, SIGN), Poll::Ready(Ok(_)))
    }

    /// What to make of a write: one that got nowhere is an error when patience is over.
    fn judge(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let Some(patience) = self.purpose.patience() else { return Poll::Pending };
        let now = Instant::now();
        let (since, timer) =
            self.stuck.get_or_insert_with(|| (now, Box::pin(sleep_until(now + patience))));
        let due = *since + patience;
        if due <= now {
            self.purpose.tell();
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        if timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + SocketError + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.half.is_some() {
            // What is no HTTP any more has ends of its own.
            let waits = this.purpose.may_be_half();
            return if waits { this.wait(cx) } else { Poll::Ready(Ok(())) };
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut this.io).poll_read(cx, buf);
        if let Poll::Ready(Ok(())) = read {
            this.purpose.read();
            let is_end = buf.filled().len() == before && buf.remaining() > 0;
            if is_end && this.waits_when_half && this.purpose.may_be_half() {
                this.half = Some(Half::new());
                this.purpose.shared.halved.notify_one();
                return this.wait(cx);
            }
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + SocketError + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(cx, bytes);
        this.judge(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write_vectored(cx, slices);
        this.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.lingers.is_none() {
            ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
            this.lingers = this.purpose.linger();
        }
        if let Some(linger) = &mut this.lingers {
            ready!(linger.poll(cx, &mut this.io));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
