//! The pump: one connection's bytes in and out, until it ends.
//!
//! It is one state machine and not a task for each direction, so that answers and deliveries leave
//! in one write, and in order. Buffers belong to the thread: a connection has bytes of its own only
//! while a message is half read or a write is half done.
mod output;

use std::{
    cell::Cell,
    future::poll_fn,
    io, mem,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use quadrille_core::{Close, HeldBytes, Inbox, Session, json, telemetry};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::{
    frame::Frames,
    input::{ClientMessage, InputBuffer},
    keepalive::{Due, Keepalive},
    protocol::{Flow, Link, Protocol},
};

/// Limits and times of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Upper bound on a message of a client, in bytes.
    pub max_message_size: usize,
    /// Time between pings; zero disables them.
    pub ping_interval: Duration,
    /// Time after a ping within which something must come from the peer.
    pub ping_timeout: Duration,
    /// Time for which the peer may take no data while there is some; zero is no limit.
    pub write_timeout: Duration,
}

/// Bytes of one read, and of one write unless a single record or answer is larger.
const CHUNK: usize = 64 << 10;

/// Unsent bytes at which no further message is read.
const CONGESTED: usize = 2 * CHUNK;

/// Time for the peer's half of the closing handshake; when the process stops, also the time before
/// it for the last deliveries.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

thread_local! {
    static INPUT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Runs `protocol` on `io` until the peer leaves or `session` ends.
pub async fn serve<S, P>(io: S, session: Session, inbox: Inbox, protocol: P, config: Config)
where
    S: AsyncRead + AsyncWrite + Unpin,
    P: Protocol,
{
    run(io, InputBuffer::new(config.max_message_size), session, inbox, protocol, config).await;
}

/// Runs `protocol` as [`serve`] does, after some messages of `input` were read already.
pub(super) async fn run<S, P>(
    io: S,
    input: InputBuffer,
    session: Session,
    inbox: Inbox,
    protocol: P,
    config: Config,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    P: Protocol,
{
    let mut pump = Pump {
        io,
        input,
        input_bytes: session.buffers().receiving(),
        output_bytes: session.buffers().sending(),
        answers: Vec::new(),
        unsent: Vec::new(),
        sent: 0,
        waiting: None,
        // Messages may have come before the protocol was known.
        paused: true,
        keepalive: Keepalive::new(&config, Instant::now()),
        closing: None,
        ended: false,
        session,
        inbox,
        protocol,
    };
    pump.begin();
    let timer = sleep_until(pump.deadline());
    tokio::pin!(timer);
    poll_fn(|cx| pump.poll(cx, timer.as_mut())).await;
}

struct Pump<S, P: Protocol> {
    io: S,
    input: InputBuffer,
    /// Counts the bytes of `input`.
    input_bytes: HeldBytes,
    output_bytes: HeldBytes,
    /// Frames to send before the next deliveries.
    answers: Vec<u8>,
    /// The rest of a partial write, and how much of it was sent since.
    unsent: Vec<u8>,
    sent: usize,
    waiting: Option<BoxFuture<'static, P::Done>>,
    /// `input` may hold whole messages that were not handled yet.
    paused: bool,
    keepalive: Keepalive,
    closing: Option<Closing>,
    /// The peer has closed its half of the connection.
    ended: bool,
    session: Session,
    inbox: Inbox,
    protocol: P,
}

#[derive(Debug, Clone, Copy)]
struct Closing {
    by: Instant,
    phase: ClosePhase,
}

/// Progress of the close. All but the first come after the close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClosePhase {
    /// Sends the deliveries that are left before the close frame: the process stops, and its logs
    /// are lost with it.
    Deliver,
    /// Waits for the peer's half of the closing handshake.
    Await,
    /// Ends the output, and discards the input, which is no longer understood. A reset because of
    /// unread input would lose the close frame.
    Linger,
    /// Discards the input after the end of the output.
    Drain,
    /// Ends once everything is sent: the peer has closed, or is gone.
    End,
}

impl Closing {
    fn new(phase: ClosePhase) -> Self {
        Self { by: Instant::now() + CLOSE_TIMEOUT, phase }
    }
}

impl<S, P> Pump<S, P>
where
    S: AsyncRead + AsyncWrite + Unpin,
    P: Protocol,
{
    fn begin(&mut self) {
        let Self { inbox, answers, protocol, .. } = self;
        match protocol.begin(&mut Link { inbox, out: Frames::new(answers) }) {
            Flow::Continue => {}
            Flow::Wait(future) => self.waiting = Some(future),
            Flow::Close(close) => {
                telemetry::connection_ended(P::NAME, self.session.id(), &close);
                self.close(&close, ClosePhase::Await);
            }
        }
    }

    /// Ready when the connection is over.
    fn poll(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<()> {
        if self.closing.is_none()
            && let Poll::Ready(close) = self.session.poll_ended(cx)
        {
            if close == Close::SHUTDOWN {
                self.closing = Some(Closing::new(ClosePhase::Deliver));
                self.waiting = None;
            } else {
                self.end(&close);
            }
        }
        while timer.as_mut().poll(cx).is_ready() {
            if !self.tick(Instant::now()) {
                return Poll::Ready(());
            }
            timer.as_mut().reset(self.deadline());
        }
        if self.poll_input(cx).is_err() {
            return Poll::Ready(());
        }
        let was_congested = self.is_congested();
        if self.poll_output(cx).is_err() || self.count_output().is_err() {
            return Poll::Ready(());
        }
        // TLS buffers what the socket does not take, and sends it only when flushed.
        if let Poll::Ready(Err(_)) = Pin::new(&mut self.io).poll_flush(cx) {
            return Poll::Ready(());
        }
        if was_congested && !self.is_congested() {
            // No read is pending, so nothing else wakes this task to read.
            cx.waker().wake_by_ref();
        }
        let is_sent = self.unsent.is_empty() && self.answers.is_empty();
        if is_sent
            && let Some(closing) = self.closing.as_mut()
            && matches!(closing.phase, ClosePhase::Linger | ClosePhase::End)
            && Pin::new(&mut self.io).poll_shutdown(cx).is_ready()
        {
            if closing.phase == ClosePhase::End {
                return Poll::Ready(());
            }
            closing.phase = ClosePhase::Drain;
        }
        if timer.deadline() > self.deadline() {
            timer.as_mut().reset(self.deadline());
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Time of the next [`Self::tick`].
    fn deadline(&self) -> Instant {
        if let Some(closing) = self.closing {
            return closing.by;
        }
        let next = self.keepalive.next();
        self.protocol.expires().map_or(next, |at| next.min(at))
    }

    /// Acts on the time; false ends the connection at once.
    fn tick(&mut self, now: Instant) -> bool {
        if let Some(closing) = self.closing {
            let is_over = now >= closing.by;
            if is_over && closing.phase == ClosePhase::Deliver {
                self.end(&Close::SHUTDOWN);
                return true;
            }
            return !is_over;
        }
        if self.protocol.expires().is_some_and(|at| now >= at) {
            let close = self.protocol.expired();
            self.end(&close);
            return true;
        }
        if self.waiting.is_some() {
            self.keepalive.on_read(now);
        }
        match self.keepalive.due(now) {
            Due::Nothing => {}
            Due::Ping => self.protocol.ping(&mut Frames::new(&mut self.answers)),
            Due::End(close) => self.end(&close),
        }
        true
    }

    /// Closes from this side.
    fn end(&mut self, close: &Close) {
        if self.is_open() {
            telemetry::connection_ended(P::NAME, self.session.id(), close);
            self.protocol.end(close, &mut Frames::new(&mut self.answers));
            // Another session has its place already.
            let phase = if *close == Close::CROWDED { ClosePhase::End } else { ClosePhase::Await };
            self.close(close, phase);
        }
    }

    fn close(&mut self, close: &Close, phase: ClosePhase) {
        Frames::new(&mut self.answers).close(close);
        self.closing = Some(Closing::new(phase));
        self.waiting = None;
    }

    /// Whether new frames can still be sent to the peer.
    fn is_open(&self) -> bool {
        self.closing.is_none_or(|closing| closing.phase == ClosePhase::Deliver)
    }

    // === in ===

    fn poll_input(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut buffer = INPUT.take();
        buffer.resize(CHUNK, 0);
        let result = self.poll_input_into(cx, &mut buffer);
        INPUT.set(buffer);
        result
    }

    fn poll_input_into(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> io::Result<()> {
        while !self.ended {
            if let Some(waiting) = &mut self.waiting {
                let Poll::Ready(done) = waiting.as_mut().poll(cx) else { return Ok(()) };
                self.waiting = None;
                let Self { inbox, answers, protocol, .. } = self;
                protocol.done(done, &mut Link { inbox, out: Frames::new(answers) });
            }
            if self.is_congested() {
                return Ok(());
            }
            if mem::take(&mut self.paused) {
                self.feed(&mut []);
                continue;
            }
            let mut read = ReadBuf::new(buffer);
            let Poll::Ready(result) = Pin::new(&mut self.io).poll_read(cx, &mut read) else {
                return Ok(());
            };
            result?;
            let filled = read.filled().len();
            if filled == 0 {
                self.ended = true;
                // Everything before the end was handled: send its answers, and end.
                self.closing.get_or_insert(Closing::new(ClosePhase::End)).phase = ClosePhase::End;
                return Ok(());
            }
            self.keepalive.on_read(Instant::now());
            self.feed(buffer.get_mut(..filled).unwrap_or_default());
            if filled == CHUNK {
                // Yields to other connections: this peer sends a lot.
                cx.waker().wake_by_ref();
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether the peer has to take its answers before it may send more.
    fn is_congested(&self) -> bool {
        self.answers.len() + self.unsent.len() > CONGESTED && self.closing.is_none()
    }

    fn feed(&mut self, bytes: &mut [u8]) {
        if self
            .closing
            .is_some_and(|closing| matches!(closing.phase, ClosePhase::Linger | ClosePhase::Drain))
        {
            return;
        }
        let Self { input, answers, inbox, protocol, waiting, closing, paused, .. } = self;
        let mut end = None;
        let fed = input.feed(bytes, |message| {
            let mut link = Link { inbox, out: Frames::new(answers) };
            let flow = match message {
                ClientMessage::Close(answer) => {
                    end = Some((answer, ClosePhase::End));
                    return false;
                }
                // Only the peer's close counts during the closing handshake.
                _ if closing.is_some() => Flow::Continue,
                ClientMessage::Text(text) => {
                    protocol.text(text.strip_prefix(json::MARK).unwrap_or(text), &mut link)
                }
                ClientMessage::Binary => protocol.binary(&mut link),
                ClientMessage::Ping(payload) => {
                    link.out.pong(payload);
                    Flow::Continue
                }
                ClientMessage::Pong => Flow::Continue,
            };
            match flow {
                Flow::Continue => {
                    *paused = answers.len() > CONGESTED;
                    !*paused
                }
                Flow::Wait(future) => {
                    *waiting = Some(future);
                    *paused = true;
                    false
                }
                Flow::Close(close) => {
                    end = Some((close, ClosePhase::Await));
                    *paused = true;
                    false
                }
            }
        });
        if let Err(close) = fed {
            end = Some((close, ClosePhase::Linger));
        } else if self.input_bytes.hold(self.input.held(), || self.session.holder()).is_err() {
            self.input.forget();
            end = Some((Close::BUSY, ClosePhase::Linger));
        }
        let Some((close, phase)) = end else { return };
        if let Some(closing) =
            self.closing.as_mut().filter(|closing| closing.phase != ClosePhase::Deliver)
        {
            closing.phase = phase;
            return;
        }
        if phase != ClosePhase::End {
            telemetry::connection_ended(P::NAME, self.session.id(), &close);
        }
        self.close(&close, phase);
    }
}
