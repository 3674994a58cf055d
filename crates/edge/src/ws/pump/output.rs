//! Output of the pump: the rest of the last write, answers and deliveries, in one write each time.
use std::{
    cell::Cell,
    io, mem,
    pin::Pin,
    task::{Context, Poll},
};

use quadrille_core::{BatchLimit, Close, Delivery, Shortage, telemetry};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{CHUNK, Pump};
use crate::ws::{frame::Frames, protocol::Protocol};

/// Upper bound on the records taken from the inbox at once.
const BATCH: usize = 256;

/// Writes before the task yields to other connections.
const ROUNDS: usize = 4;

thread_local! {
    static OUTPUT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static DELIVERIES: Cell<Vec<Delivery>> = const { Cell::new(Vec::new()) };
}

impl<S, P> Pump<S, P>
where
    S: AsyncRead + AsyncWrite + Unpin,
    P: Protocol,
{
    pub(super) fn poll_output(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
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

    /// Counts the unsent bytes. Fails if there is no room for them: the peer is cut off as too
    /// slow, without a close frame, which it would not take either.
    pub(super) fn count_output(&mut self) -> Result<(), Shortage> {
        let held = self.unsent.len() + self.answers.len();
        let counted = self.output_bytes.hold(held, || self.session.holder());
        counted.inspect_err(|_| {
            telemetry::connection_ended(P::NAME, self.session.id(), &Close::SLOW);
        })
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
            let filled = self.fill(cx, buffer, deliveries);
            if buffer.is_empty() && self.answers.is_empty() {
                if filled {
                    // No frame came of this batch, and nothing wakes the task for the next.
                    continue;
                }
                return Ok(());
            }
            let sent = self.write(cx, buffer)?;
            if sent < buffer.len() {
                self.unsent = buffer.get(sent..).unwrap_or_default().to_vec();
                self.sent = 0;
            }
        }
        // Yields to other connections: this peer reads a lot.
        cx.waker().wake_by_ref();
        Ok(())
    }

    /// Renders a batch of deliveries. False if there is none yet; the inbox wakes the task then.
    fn fill(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut Vec<u8>,
        deliveries: &mut Vec<Delivery>,
    ) -> bool {
        if !self.is_open() {
            return false;
        }
        let room = BatchLimit { records: BATCH, bytes: CHUNK };
        if self.inbox.poll_recv(cx, room, deliveries).is_pending() {
            if self.closing.is_some() {
                self.end(&Close::SHUTDOWN);
            }
            return false;
        }
        telemetry::delivered(deliveries.len());
        let mut out = Frames::new(out);
        for delivery in deliveries.drain(..) {
            if let Delivery::End(close) = delivery {
                self.end(&close);
                return false;
            }
            self.protocol.render(delivery, &mut out);
        }
        true
    }

    /// Writes the rest of the last write. True once nothing of it is left.
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

    /// Writes as much as the peer takes now.
    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut self.io).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(taken)) => {
                    sent += taken;
                    self.keepalive.on_write_progress();
                }
                Poll::Ready(Err(err)) => return Err(err),
                Poll::Pending => {
                    self.keepalive.on_write_blocked();
                    break;
                }
            }
        }
        Ok(sent)
    }
}
