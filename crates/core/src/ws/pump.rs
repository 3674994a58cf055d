//! The pump: one connection's bytes in and out, until it ends.
//!
//! It is one state machine and not a task for each direction, so that whatever a command answers
//! and whatever the logs bring leaves in one write, and in order. Buffers belong to the thread: a
//! connection has bytes of its own only while a message is half read or a write is half done.
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
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::{
    frame::Frames,
    heart::{Due, Heart},
    input::{Input, Message},
    protocol::{Flow, Link, Protocol},
};
use crate::{Close, Counted, Inbox, Session, json, telemetry};

/// How the pump treats its connection.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The largest message of a client, in bytes.
    pub max_message_size: usize,
    /// How often to ping; zero is never.
    pub ping_interval: Duration,
    /// How long after a ping something must have come from the peer.
    pub ping_timeout: Duration,
    /// How long the peer may take no data at all while there is some; zero is for ever.
    pub write_timeout: Duration,
}

/// Bytes read at once, and put into one write (one record or answer may exceed it).
const CHUNK: usize = 64 << 10;

/// Bytes not taken by the peer at which no further command is read.
const CONGESTED: usize = 2 * CHUNK;

/// How long to wait for the peer's half of the closing handshake; and before it, for the peer to
/// take what the logs have for it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

thread_local! {
    static INPUT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Run `protocol` on `io` until the peer leaves or `session` ends.
pub async fn serve<S, P>(io: S, session: Session, inbox: Inbox, protocol: P, config: Config)
where
    S: AsyncRead + AsyncWrite + Unpin,
    P: Protocol,
{
    run(io, Input::new(config.max_message_size), session, inbox, protocol, config).await;
}

/// [`serve`] after `input` has been read from already.
pub(super) async fn run<S, P>(
    io: S,
    input: Input,
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
        // Messages may have come before it was known what they are.
        paused: true,
        heart: Heart::new(&config, Instant::now()),
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
    input: Input,
    /// What is counted of it.
    input_bytes: Counted,
    output_bytes: Counted,
    /// Frames that go out before the next deliveries.
    answers: Vec<u8>,
    /// What a write left over, and how much of it went out since.
    unsent: Vec<u8>,
    sent: usize,
    waiting: Option<BoxFuture<'static, P::Done>>,
    /// There may be messages among what was read that have not had their turn.
    paused: bool,
    heart: Heart,
    closing: Option<Closing>,
    /// The peer sends nothing any more.
    ended: bool,
    session: Session,
    inbox: Inbox,
    protocol: P,
}

#[derive(Debug, Clone, Copy)]
struct Closing {
    by: Instant,
    then: Then,
}

/// What is left to do, mostly once the close frame is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The close frame is not out: first comes what the logs have for the peer. The process stops,
    /// and nobody else will have it.
    Deliver,
    /// Wait for the peer's half of the closing handshake.
    Await,
    /// Nothing makes sense any more of what the peer sends: say that nothing will follow, and let
    /// what is under way arrive, or the close frame would be lost to a reset.
    Linger,
    /// Lingering: the peer knows.
    Drain,
    /// The peer has closed, or is gone: end once everything is sent.
    End,
}

impl Closing {
    fn new(then: Then) -> Self {
        Self { by: Instant::now() + CLOSE_TIMEOUT, then }
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
                self.close(&close, Then::Await);
            }
        }
    }

    /// Ready when the connection is over.
    fn poll(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<()> {
        if self.closing.is_none()
            && let Poll::Ready(why) = self.session.poll_ended(cx)
        {
            if why == Close::SHUTDOWN {
                self.closing = Some(Closing::new(Then::Deliver));
                self.waiting = None;
            } else {
                self.end(&why);
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
        // TLS holds back what the socket does not take, and sends the rest of it only when asked.
        if let Poll::Ready(Err(_)) = Pin::new(&mut self.io).poll_flush(cx) {
            return Poll::Ready(());
        }
        if was_congested && !self.is_congested() {
            // Reading was not asked for, so only this brings it back.
            cx.waker().wake_by_ref();
        }
        let is_sent = self.unsent.is_empty() && self.answers.is_empty();
        if is_sent
            && let Some(closing) = self.closing.as_mut()
            && matches!(closing.then, Then::Linger | Then::End)
            && Pin::new(&mut self.io).poll_shutdown(cx).is_ready()
        {
            if closing.then == Then::End {
                return Poll::Ready(());
            }
            closing.then = Then::Drain;
        }
        if timer.deadline() > self.deadline() {
            timer.as_mut().reset(self.deadline());
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// When to look at the time again.
    fn deadline(&self) -> Instant {
        if let Some(closing) = self.closing {
            return closing.by;
        }
        let next = self.heart.next();
        self.protocol.expires().map_or(next, |at| next.min(at))
    }

    /// Do what is due; false ends the connection without more ado.
    fn tick(&mut self, now: Instant) -> bool {
        if let Some(closing) = self.closing {
            let is_over = now >= closing.by;
            if is_over && closing.then == Then::Deliver {
                self.end(&Close::SHUTDOWN);
                return true;
            }
            return !is_over;
        }
        if self.protocol.expires().is_some_and(|at| now >= at) {
            let why = self.protocol.expired();
            self.end(&why);
            return true;
        }
        if self.waiting.is_some() {
            self.heart.heard(now);
        }
        match self.heart.due(now) {
            Due::Nothing => {}
            Due::Ping => self.protocol.ping(&mut Frames::new(&mut self.answers)),
            Due::End(why) => self.end(&why),
        }
        true
    }

    /// Close from this side.
    fn end(&mut self, why: &Close) {
        if self.is_open() {
            telemetry::connection_ended(P::NAME, self.session.id(), why);
            self.protocol.end(why, &mut Frames::new(&mut self.answers));
            // Another has its place already.
            let then = if *why == Close::CROWDED { Then::End } else { Then::Await };
            self.close(why, then);
        }
    }

    fn close(&mut self, why: &Close, then: Then) {
        Frames::new(&mut self.answers).close(why);
        self.closing = Some(Closing::new(then));
        self.waiting = None;
    }

    /// Whether the peer can still be sent something other than what was begun.
    fn is_open(&self) -> bool {
        self.closing.is_none_or(|it| it.then == Then::Deliver)
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
                // Everything before the end has had its turn: answer it, and be done.
                self.closing.get_or_insert(Closing::new(Then::End)).then = Then::End;
                return Ok(());
            }
            self.heart.heard(Instant::now());
            self.feed(buffer.get_mut(..filled).unwrap_or_default());
            if filled == CHUNK {
                // A busy sender: let the others have their turn.
                cx.waker().wake_by_ref();
                return Ok(());
            }
        }
        Ok(())
    }

    /// Who does not take answers may not ask for more.
    fn is_congested(&self) -> bool {
        self.answers.len() + self.unsent.len() > CONGESTED && self.closing.is_none()
    }

    fn feed(&mut self, bytes: &mut [u8]) {
        if self.closing.is_some_and(|it| matches!(it.then, Then::Linger | Then::Drain)) {
            return;
        }
        let Self { input, answers, inbox, protocol, waiting, closing, paused, .. } = self;
        let mut end = None;
        let fed = input.feed(bytes, |message| {
            let mut link = Link { inbox, out: Frames::new(answers) };
            let flow = match message {
                Message::Close(answer) => {
                    end = Some((answer, Then::End));
                    return false;
                }
                // Nothing but the peer's close counts once we are closing.
                _ if closing.is_some() => Flow::Continue,
                Message::Text(text) => {
                    protocol.text(text.strip_prefix(json::MARK).unwrap_or(text), &mut link)
                }
                Message::Binary => protocol.binary(&mut link),
                Message::Ping(payload) => {
                    link.out.pong(payload);
                    Flow::Continue
                }
                Message::Pong => Flow::Continue,
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
                Flow::Close(why) => {
                    end = Some((why, Then::Await));
                    *paused = true;
                    false
                }
            }
        });
        if let Err(why) = fed {
            end = Some((why, Then::Linger));
        } else if self.input_bytes.hold(self.input.held(), || self.session.holder()).is_err() {
            self.input.forget();
            end = Some((Close::BUSY, Then::Linger));
        }
        let Some((why, then)) = end else { return };
        if let Some(closing) = self.closing.as_mut().filter(|it| it.then != Then::Deliver) {
            closing.then = then;
            return;
        }
        if then != Then::End {
            telemetry::connection_ended(P::NAME, self.session.id(), &why);
        }
        self.close(&why, then);
    }
}
