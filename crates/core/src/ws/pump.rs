//! The pump: one connection's bytes in and out, until it ends.
//!
//! It is one state machine and not a task for each direction, so that whatever a command answers
//! and whatever the logs bring leaves in one write, and in order. Buffers belong to the thread: a
//! connection has bytes of its own only while a message is half read or a write is half done.
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
};
use crate::{Close, Delivery, Inbox, Room, Session, telemetry};

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

/// What a protocol does with its connection. Called by the pump, never at the same time.
pub trait Protocol: Send {
    /// For metrics and logs.
    const NAME: &'static str;

    /// A text message came.
    fn text(&mut self, text: &str, link: &mut Link<'_>) -> Flow;

    /// A binary message came; its content is not kept.
    fn binary(&mut self, link: &mut Link<'_>) -> Flow;

    /// Put `delivery` on the wire, or nothing.
    fn render(&mut self, delivery: Delivery, out: &mut Frames<'_>);

    /// What [`Flow::Wait`] waited for is done, and commands are read again after this.
    fn waited(&mut self, _: &mut Link<'_>) {}

    /// When the peer's identity ends, and the connection with it, with 3005. May change whenever the
    /// protocol was called.
    fn expires(&self) -> Option<Instant> {
        None
    }
}

/// What a command may use: the connection's subscriptions, and frames in answer.
#[derive(Debug)]
pub struct Link<'a> {
    pub inbox: &'a mut Inbox,
    pub out: Frames<'a>,
}

/// What comes after a command.
pub enum Flow {
    Continue,
    /// Read no further command before this is done; then answer with the text, if any. Deliveries
    /// go on meanwhile.
    Wait(BoxFuture<'static, Option<String>>),
    Close(Close),
}

impl std::fmt::Debug for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Continue => f.write_str("Continue"),
            Self::Wait(_) => f.write_str("Wait"),
            Self::Close(why) => f.debug_tuple("Close").field(why).finish(),
        }
    }
}

/// Bytes read at once, and put into one write (one record or answer may exceed it).
const CHUNK: usize = 64 << 10;

/// Bytes not taken by the peer at which no further command is read.
const CONGESTED: usize = 2 * CHUNK;

/// Records taken from the inbox at once.
const BATCH: usize = 256;

/// Writes of one connection before it is another's turn.
const ROUNDS: usize = 4;

/// How long to wait for the peer's half of the closing handshake.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

thread_local! {
    static INPUT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static OUTPUT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static DELIVERIES: Cell<Vec<Delivery>> = const { Cell::new(Vec::new()) };
}

/// Run `protocol` on `io` until the peer leaves or `session` ends.
pub async fn serve<S, P>(io: S, session: Session, inbox: Inbox, protocol: P, config: Config)
where
    S: AsyncRead + AsyncWrite + Unpin,
    P: Protocol,
{
    let mut pump = Pump {
        io,
        input: Input::new(config.max_message_size),
        answers: Vec::new(),
        unsent: Vec::new(),
        sent: 0,
        waiting: None,
        paused: false,
        heart: Heart::new(&config, Instant::now()),
        closing: None,
        ended: false,
        session,
        inbox,
        protocol,
    };
    let timer = sleep_until(pump.deadline());
    tokio::pin!(timer);
    poll_fn(|cx| pump.poll(cx, timer.as_mut())).await;
}

struct Pump<S, P> {
    io: S,
    input: Input,
    /// Frames that go out before the next deliveries.
    answers: Vec<u8>,
    /// What a write left over, and how much of it went out since.
    unsent: Vec<u8>,
    sent: usize,
    waiting: Option<BoxFuture<'static, Option<String>>>,
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

/// What is left to do once the close frame is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
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

impl<S, P> Pump<S, P>
where
    S: AsyncRead + AsyncWrite + Unpin,
    P: Protocol,
{
    /// Ready when the connection is over.
    fn poll(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<()> {
        if self.closing.is_none()
            && let Poll::Ready(why) = self.session.poll_ended(cx)
        {
            self.end(&why);
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
        if self.poll_output(cx).is_err() {
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
            return now < closing.by;
        }
        if self.protocol.expires().is_some_and(|at| now >= at) {
            self.end(&Close::EXPIRED);
            return true;
        }
        if self.waiting.is_some() {
            self.heart.heard(now);
        }
        match self.heart.due(now) {
            Due::Nothing => {}
            Due::Ping => Frames::new(&mut self.answers).ping(),
            Due::End(why) => self.end(&why),
        }
        true
    }

    /// Close from this side.
    fn end(&mut self, why: &Close) {
        if self.closing.is_none() {
            telemetry::connection_ended(P::NAME, self.session.id(), why);
            self.close(why, Then::Await);
        }
    }

    fn close(&mut self, why: &Close, then: Then) {
        Frames::new(&mut self.answers).close(why);
        self.closing = Some(Closing { by: Instant::now() + CLOSE_TIMEOUT, then });
        self.waiting = None;
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
                let Poll::Ready(answer) = waiting.as_mut().poll(cx) else { return Ok(()) };
                self.waiting = None;
                if let Some(answer) = answer {
                    Frames::new(&mut self.answers).text(&answer);
                }
                let Self { inbox, answers, protocol, .. } = self;
                protocol.waited(&mut Link { inbox, out: Frames::new(answers) });
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
                let by = Instant::now() + CLOSE_TIMEOUT;
                self.closing.get_or_insert(Closing { by, then: Then::End }).then = Then::End;
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
                Message::Text(text) => protocol.text(text, &mut link),
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
        }
        let Some((why, then)) = end else { return };
        if let Some(closing) = &mut self.closing {
            closing.then = then;
            return;
        }
        if then != Then::End {
            telemetry::connection_ended(P::NAME, self.session.id(), &why);
        }
        self.close(&why, then);
    }

    // === out ===

    fn poll_output(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut buffer = OUTPUT.take();
        let mut deliveries = DELIVERIES.take();
        let result = self.poll_output_from(cx, &mut buffer, &mut deliveries);
        deliveries.clear();
        DELIVERIES.set(deliveries);
        buffer.clear();
        buffer.shrink_to(4 * CHUNK);
        OUTPUT.set(buffer);
        result
    }

    fn poll_output_from(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<u8>,
        deliveries: &mut Vec<Delivery>,
    ) -> io::Result<()> {
        for _ in 0..ROUNDS {
            if !self.unsent.is_empty() && !self.write_unsent(cx)? {
                return Ok(());
            }
            buffer.clear();
            buffer.append(&mut self.answers);
            self.answers = Vec::new();
            self.fill(cx, buffer, deliveries);
            if buffer.is_empty() && self.answers.is_empty() {
                return Ok(());
            }
            let sent = self.write(cx, buffer)?;
            if sent < buffer.len() {
                self.unsent = buffer.get(sent..).unwrap_or_default().to_vec();
                self.sent = 0;
            }
        }
        // A busy reader: let the others have their turn.
        cx.waker().wake_by_ref();
        Ok(())
    }

    /// Render what the logs have for this connection.
    fn fill(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>, deliveries: &mut Vec<Delivery>) {
        if self.closing.is_some() {
            return;
        }
        let room = Room { records: BATCH, bytes: CHUNK };
        if self.inbox.poll_recv(cx, room, deliveries).is_pending() {
            return;
        }
        telemetry::delivered(deliveries.len());
        let mut out = Frames::new(out);
        for delivery in deliveries.drain(..) {
            if let Delivery::End(why) = delivery {
                self.end(&why);
                return;
            }
            self.protocol.render(delivery, &mut out);
        }
    }

    /// True when nothing is left over any more.
    fn write_unsent(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let unsent = mem::take(&mut self.unsent);
        let rest = unsent.get(self.sent..).unwrap_or_default();
        let sent = self.write(cx, rest)?;
        let done = sent == rest.len();
        if !done {
            self.sent += sent;
            self.unsent = unsent;
        }
        Ok(done)
    }

    /// Write as much as the peer takes now, and keep the time since when it took nothing.
    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut self.io).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(taken)) => {
                    sent += taken;
                    self.heart.moved();
                }
                Poll::Ready(Err(why)) => return Err(why),
                Poll::Pending => {
                    self.heart.stuck();
                    break;
                }
            }
        }
        Ok(sent)
    }
}
