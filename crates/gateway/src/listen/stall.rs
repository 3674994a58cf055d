//! An end for HTTP connections whose peer takes no data: what an answer has not sent stays in memory,
//! and a body is not asked for its end before that is gone.
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

/// The connection.
#[derive(Debug)]
pub(crate) struct WatchedStream<S> {
    io: S,
    purpose: HttpConnection,
    /// Since when the peer has taken nothing, and when to look again.
    stuck: Option<(Instant, Pin<Box<Sleep>>)>,
    /// Once the writing side is closed.
    lingers: Option<Linger>,
    /// Once the peer sends no more.
    half: Option<HalfClosed>,
    /// Whether what is below is HTTP itself, so that a client can be asked whether it is there.
    waits_when_half: bool,
}

// === impl WatchedStream ===

impl<S> WatchedStream<S> {
    pub(crate) fn new(io: S, purpose: HttpConnection) -> Self {
        Self { io, purpose, stuck: None, lingers: None, half: None, waits_when_half: true }
    }

    /// What is below TLS, which has an end of its own.
    pub(crate) fn below_tls(io: S, purpose: HttpConnection) -> Self {
        Self { waits_when_half: false, ..Self::new(io, purpose) }
    }

    /// Wait for the answer, which the client may have gone without.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: SocketError + AsyncWrite + Unpin,
    {
        let next = self.half.as_mut().map_or(HalfCloseAction::Gone, |half| half.poll(cx, &self.io));
        let is_there = match next {
            HalfCloseAction::Wait => true,
            HalfCloseAction::Gone => false,
            HalfCloseAction::Ask => self.ask(cx),
        };
        // As if it had just been read: whoever asked is gone.
        if is_there { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// Send the client something that it need not understand. False if that is not possible.
    fn ask(&mut self, cx: &mut Context<'_>) -> bool
    where
        S: AsyncWrite + Unpin,
    {
        if self.purpose.asks_itself() {
            return true;
        }
        // Nothing can be half-written, for then the peer does not take anything.
        self.purpose.takes_interim_answers()
            && self.stuck.is_none()
            && matches!(Pin::new(&mut self.io).poll_write(cx, INTERIM_RESPONSE), Poll::Ready(Ok(_)))
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

impl<S: AsyncRead + AsyncWrite + SocketError + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.half.is_some() {
            // What is no HTTP any more has ends of its own.
            let is_fresh = this.half.as_ref().is_some_and(HalfClosed::is_fresh);
            let waits = this.purpose.may_be_half() || is_fresh && this.purpose.is_answering();
            return if waits { this.wait(cx) } else { Poll::Ready(Ok(())) };
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut this.io).poll_read(cx, buf);
        if let Poll::Ready(Ok(())) = read {
            this.purpose.read();
            let is_end = buf.filled().len() == before && buf.remaining() > 0;
            if is_end && this.waits_when_half && this.purpose.is_answering() {
                this.half = Some(HalfClosed::new());
                this.purpose.half_closed();
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
