//! Write time-out of HTTP connections whose peer takes no data: until then, unsent bytes of a response
//! stay in memory, and its body is not polled.
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::{
    connection::HttpConnection,
    half_close::{HalfCloseAction, HalfClosed, INTERIM_RESPONSE, SocketError},
    linger::Linger,
};

/// A stream with a write time-out, and the end of an HTTP connection.
#[derive(Debug)]
pub(crate) struct WatchedStream<S> {
    io: S,
    connection: HttpConnection,
    /// Since when the peer has taken nothing, and the timer for the time-out.
    stalled: Option<(Instant, Pin<Box<Sleep>>)>,
    /// Set once the writing side is closed.
    lingers: Option<Linger>,
    /// Set once the peer sends no more.
    half: Option<HalfClosed>,
    /// Whether the stream is plain HTTP, so that a client can be probed.
    waits_when_half: bool,
}

// === impl WatchedStream ===

impl<S> WatchedStream<S> {
    pub(crate) fn new(io: S, connection: HttpConnection) -> Self {
        Self { io, connection, stalled: None, lingers: None, half: None, waits_when_half: true }
    }

    /// Watches the stream below TLS, which handles half-closing by itself.
    pub(crate) fn below_tls(io: S, connection: HttpConnection) -> Self {
        Self { waits_when_half: false, ..Self::new(io, connection) }
    }

    /// Waits for the response, unless the client has left.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: SocketError + AsyncWrite + Unpin,
    {
        let next = self.half.as_mut().map_or(HalfCloseAction::Gone, |half| half.poll(cx, &self.io));
        let is_present = match next {
            HalfCloseAction::Wait => true,
            HalfCloseAction::Gone => false,
            HalfCloseAction::Probe => self.probe(cx),
        };
        // Reads the end of the stream now.
        if is_present { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// Probes the client with an interim response. False if that is not possible.
    fn probe(&mut self, cx: &mut Context<'_>) -> bool
    where
        S: AsyncWrite + Unpin,
    {
        if self.connection.probes_itself() {
            return true;
        }
        // Nothing is half-written unless the peer is stalled.
        self.connection.takes_interim_responses()
            && self.stalled.is_none()
            && matches!(Pin::new(&mut self.io).poll_write(cx, INTERIM_RESPONSE), Poll::Ready(Ok(_)))
    }

    /// Judges a write: without progress it fails at the time-out.
    fn judge(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let Some(timeout) = self.connection.write_timeout() else { return Poll::Pending };
        let now = Instant::now();
        let (since, timer) =
            self.stalled.get_or_insert_with(|| (now, Box::pin(sleep_until(now + timeout))));
        let due = *since + timeout;
        if due <= now {
            self.connection.log_slow();
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

impl<S: AsyncRead + AsyncWrite + SocketError + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.half.is_some() {
            // After an upgrade, the protocol handles half-closing.
            let is_fresh = this.half.as_ref().is_some_and(HalfClosed::is_fresh);
            let waits =
                this.connection.may_be_half_closed() || is_fresh && this.connection.is_serving();
            return if waits { this.wait(cx) } else { Poll::Ready(Ok(())) };
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut this.io).poll_read(cx, buf);
        if let Poll::Ready(Ok(())) = read {
            this.connection.on_read();
            let is_end = buf.filled().len() == before && buf.remaining() > 0;
            if is_end && this.waits_when_half && this.connection.is_serving() {
                this.half = Some(HalfClosed::new());
                this.connection.on_half_close();
                return this.wait(cx);
            }
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + SocketError + Unpin> AsyncWrite for WatchedStream<S> {
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
            this.lingers = this.connection.linger();
        }
        if let Some(linger) = &mut this.lingers {
            ready!(linger.poll(cx, &mut this.io));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
