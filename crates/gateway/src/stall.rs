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
    response::Response,
};
use http_body::{Frame, SizeHint};
use quadrille_core::{Carrier, Carry, Close, Holder, Info, Pool, Shortage, telemetry};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{linger::Linger, places::Place};

/// How long a peer may take no data at all while there is some.
const PATIENCE: Duration = Duration::from_secs(30);

/// The same for one whose connection has to end.
pub(crate) const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of an answer that is written at once.
const SHORT: u64 = 64 << 10;

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
}

/// One request, as pools count it.
#[derive(Debug)]
struct Request {
    connection: Purpose,
    /// The address that it comes from, behind trusted proxies.
    peer: IpAddr,
    /// Who it turned out to be, where the connection counts for nobody.
    holder: OnceLock<Holder>,
    input: Pool,
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
        };
        Self { closing, displaced, shared: Arc::new(shared) }
    }

    pub(crate) fn requests(&self) {
        let mut state = self.state();
        state.kind = Kind::Requests;
        state.place.come_back();
        state.place.set_busy(true);
    }

    /// What carries a request of `peer`, for those who find out whose it is.
    pub(crate) fn carrier(&self, peer: IpAddr) -> Carrier {
        let (connection, input) = (self.clone(), self.state().place.input());
        Carrier::new(Arc::new(Request { connection, peer, holder: OnceLock::new(), input }))
    }

    /// An answer goes on for as long as a session if its extensions have one. Otherwise the connection
    /// is at it until all of the answer is written.
    pub(crate) fn answers(&self, response: Response) -> Response {
        if let Some(info) = response.extensions().get::<Arc<Info>>() {
            self.session(info);
        }
        let state = self.state();
        if !state.place.holder().is_stranger() {
            return response;
        }
        let is_short = response.body().size_hint().exact().is_some_and(|bytes| bytes <= SHORT);
        if is_short {
            state.place.set_busy(false);
            return response;
        }
        let connection = self.clone();
        drop(state);
        response.map(|body| Body::new(Busy { body, connection }))
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
        (!upgraded).then(|| Linger::new(unread, self.closing.is_cancelled()))
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

    fn input(&self) -> &Pool {
        &self.input
    }
}

/// The body of an answer that its connection is at until it is written.
#[derive(Debug)]
struct Busy {
    body: Body,
    connection: Purpose,
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
        self.connection.state().place.set_busy(false);
    }
}

// === impl Watched ===

impl<S> Watched<S> {
    pub(crate) fn new(io: S, purpose: Purpose) -> Self {
        Self { io, purpose, stuck: None, lingers: None }
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

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let read = Pin::new(&mut this.io).poll_read(cx, buf);
        if read.is_ready() {
            this.purpose.read();
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
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
mod tests {
    use quadrille_core::{Admission, Limits, Registry, auth::Mode};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::{places::tests::places, proxies::Caller};

    fn purpose(closing: &CancellationToken) -> Purpose {
        Purpose::new(
            closing.clone(),
            places(Mode::Open, &Limits::default()).take(Caller::Unix, false).unwrap(),
        )
    }

    fn pair(purpose: &Purpose) -> (Watched<DuplexStream>, DuplexStream) {
        let (near, far) = duplex(8);
        (Watched::new(near, purpose.clone()), far)
    }

    /// How many seconds a write of more than the peer takes goes on.
    async fn patience(io: &mut Watched<DuplexStream>) -> u64 {
        let begin = Instant::now();
        let failed = io.write_all(&[0; 9]).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
        begin.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up_sooner_when_it_has_to_go() {
        let closing = CancellationToken::new();
        let purpose = purpose(&closing);
        assert_eq!(patience(&mut pair(&purpose).0).await, 30);
        closing.cancel();
        assert_eq!(patience(&mut pair(&purpose).0).await, 2);
        let registry = Registry::default();
        let holder = Holder::Program;
        let who = Admission { protocol: "test", user: None, holder, peer: [127, 0, 0, 1].into() };
        let session = registry.admit(who).unwrap();
        purpose.session(session.info());
        assert_eq!(patience(&mut pair(&purpose).0).await, 30);
        registry.end(session.id(), &Close::KICKED);
        assert_eq!(patience(&mut pair(&purpose).0).await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_a_little_or_is_no_business_of_http_is_not_given_up() {
        let purpose = purpose(&CancellationToken::new());
        let (mut io, mut far) = pair(&purpose);
        let taking = async {
            for _ in 0..8 {
                tokio::time::sleep(Duration::from_secs(20)).await;
                far.read_u8().await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(io.write_all(&[0; 16]), taking);
        assert!(written.is_ok());
        purpose.upgraded();
        let write = tokio::time::timeout(Duration::from_hours(1), io.write_all(&[0; 9]));
        assert!(write.await.is_err(), "it waits");
    }
}
