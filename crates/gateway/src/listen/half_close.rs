//! Half-closed connections: the client sends no more, but may still wait for its response. One that has
//! left looks the same until something is sent to it, so an interim response probes for a reset.
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

/// Time until the client is probed; most responses are faster.
const PROBE_DELAY: Duration = Duration::from_millis(300);

/// First interval between two checks for a reset.
const FIRST_CHECK: Duration = Duration::from_millis(50);

/// Time within which a complete body that was received is read by its handler.
const BODY_READ_TIME: Duration = Duration::from_secs(1);

/// Longest interval between two checks, for streams whose client has half-closed on purpose.
const MAX_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The probe: an interim response, of which any number may come before the response, expected or not
/// (RFC 9110, 15.2). Clients support this one best.
pub(crate) const INTERIM_RESPONSE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A socket whose pending error can be taken.
pub(crate) trait SocketError {
    /// Takes the error since the last call.
    fn failure(&self) -> io::Result<Option<io::Error>>;
}

/// The wait for the end of a response.
#[derive(Debug)]
pub(crate) struct HalfClosed {
    since: Instant,
    probe: Option<Instant>,
    /// Time until the next check; longer each time.
    delay: Duration,
    timer: Pin<Box<Sleep>>,
}

/// Action for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HalfCloseAction {
    /// Wait until the task is woken.
    Wait,
    /// Probe the client.
    Probe,
    /// The client is gone.
    Gone,
}

impl HalfClosed {
    pub(crate) fn new() -> Self {
        let since = Instant::now();
        let probe = since + PROBE_DELAY;
        Self { since, probe: Some(probe), delay: FIRST_CHECK, timer: Box::pin(sleep_until(probe)) }
    }

    /// Whether the client has half-closed just now: its handler may not have read the end of the body
    /// yet.
    pub(crate) fn is_fresh(&self) -> bool {
        self.since.elapsed() < BODY_READ_TIME
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, io: &impl SocketError) -> HalfCloseAction {
        if !matches!(io.failure(), Ok(None)) {
            return HalfCloseAction::Gone;
        }
        while let Poll::Ready(()) = self.timer.as_mut().poll(cx) {
            self.timer.as_mut().reset(Instant::now() + self.delay);
            self.delay = (2 * self.delay).min(MAX_CHECK_INTERVAL);
            if self.probe.take().is_some() {
                // The timer is not registered after its reset.
                cx.waker().wake_by_ref();
                return HalfCloseAction::Probe;
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
