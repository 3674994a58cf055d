//! A client that sends no more, but may still wait for its answer. One that has left looks the same
//! until something is sent to it. So it gets a sign of life, and an answer of its own to that shows
//! that nobody is there.
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    net::{TcpStream, UnixStream},
    time::{Instant, Sleep, sleep_until},
};

/// How long an answer may take until the client is asked whether it is there: most are faster.
const ASK: Duration = Duration::from_millis(300);

/// How often to look whether it is gone.
const LOOK: Duration = Duration::from_millis(50);

/// How long a body that was sent to its end may wait to be taken.
const TAKEN: Duration = Duration::from_secs(1);

/// The longest time between two looks, for streams whose client has closed its half on purpose.
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// An interim answer, of which there may be any number before the answer, expected or not (RFC 9110,
/// 15.2). Of all of them, clients know this one best.
pub(crate) const INTERIM_RESPONSE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What an error on a connection is found out by.
pub(crate) trait SocketError {
    /// What went wrong since this was asked last.
    fn failure(&self) -> io::Result<Option<io::Error>>;
}

/// The wait for the end of an answer.
#[derive(Debug)]
pub(crate) struct HalfClosed {
    since: Instant,
    ask: Option<Instant>,
    /// How long until the next look; longer each time.
    delay: Duration,
    timer: Pin<Box<Sleep>>,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HalfCloseAction {
    /// Nothing, until the task is woken.
    Wait,
    /// Ask the client whether it is there.
    Ask,
    /// It is gone.
    Gone,
}

impl HalfClosed {
    pub(crate) fn new() -> Self {
        let since = Instant::now();
        let ask = since + ASK;
        Self { since, ask: Some(ask), delay: LOOK, timer: Box::pin(sleep_until(ask)) }
    }

    /// Whether the client has closed its half only just now: what it sent before, such as the end of a
    /// body, may not have been taken by the one that answers.
    pub(crate) fn is_fresh(&self) -> bool {
        self.since.elapsed() < TAKEN
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, io: &impl SocketError) -> HalfCloseAction {
        if !matches!(io.failure(), Ok(None)) {
            return HalfCloseAction::Gone;
        }
        while let Poll::Ready(()) = self.timer.as_mut().poll(cx) {
            self.timer.as_mut().reset(Instant::now() + self.delay);
            self.delay = (2 * self.delay).min(LONGEST_LOOK);
            if self.ask.take().is_some() {
                // The timer has not registered its new end.
                cx.waker().wake_by_ref();
                return HalfCloseAction::Ask;
            }
        }
        HalfCloseAction::Wait
    }
}

impl SocketError for TcpStream {
    fn failure(&self) -> io::Result<Option<io::Error>> {
        self.take_error()
    }
}

impl SocketError for UnixStream {
    fn failure(&self) -> io::Result<Option<io::Error>> {
        self.take_error()
    }
}

#[cfg(test)]
impl SocketError for tokio::io::DuplexStream {
    fn failure(&self) -> io::Result<Option<io::Error>> {
        Ok(None)
    }
}
