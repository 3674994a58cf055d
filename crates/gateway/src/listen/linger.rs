//! Lingering close of a connection whose peer still sends. Closing with unread bytes would reset it,
//! and lose what the peer has not read yet: often the response that says why.
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::discard::{CLOSING_TIMEOUT, IDLE_TIMEOUT, MAX_BYTES, TOTAL_TIMEOUT};

/// Bytes of one read.
const CHUNK: usize = 16 << 10;

/// Reads and discards what comes after the writing side was closed, within the bounds of what is
/// [discarding](super::discard).
#[derive(Debug)]
pub(crate) struct Linger {
    /// The peer is known to have more to send. Otherwise only bytes that have arrived are read.
    awaited: bool,
    left: u64,
    until: Instant,
    idle: Pin<Box<Sleep>>,
}

impl Linger {
    /// Uses the shorter bound if `hurry`, as at shutdown.
    pub(crate) fn new(awaited: bool, hurry: bool) -> Self {
        let (now, whole) = (Instant::now(), if hurry { CLOSING_TIMEOUT } else { TOTAL_TIMEOUT });
        let until = now + whole;
        Self {
            awaited,
            left: MAX_BYTES,
            until,
            idle: Box::pin(sleep_until(until.min(now + IDLE_TIMEOUT))),
        }
    }

    /// Ready once the peer has closed, or a bound is reached.
    pub(crate) fn poll<S: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut S,
    ) -> Poll<()> {
        let mut space = [0; CHUNK];
        loop {
            let mut read = ReadBuf::new(&mut space);
            match Pin::new(&mut *io).poll_read(cx, &mut read) {
                Poll::Ready(Ok(())) if !read.filled().is_empty() => {
                    let Some(left) = self.left.checked_sub(read.filled().len() as u64) else {
                        break;
                    };
                    (self.awaited, self.left) = (true, left);
                    self.idle.as_mut().reset(self.until.min(Instant::now() + IDLE_TIMEOUT));
                }
                Poll::Pending if self.awaited => {
                    ready!(self.idle.as_mut().poll(cx));
                    break;
                }
                // The peer has closed, or is not known to send more.
                Poll::Ready(_) | Poll::Pending => break,
            }
            if self.until <= Instant::now() {
                break;
            }
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    async fn linger(mut linger: Linger, io: &mut DuplexStream) -> Duration {
        let begin = Instant::now();
        poll_fn(|cx| linger.poll(cx, io)).await;
        begin.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_nothing_more_is_not_waited_for_unless_more_is_to_come() {
        let (mut near, _far) = duplex(64);
        assert_eq!(linger(Linger::new(false, false), &mut near).await, Duration::ZERO);
        assert_eq!(linger(Linger::new(true, false), &mut near).await, IDLE_TIMEOUT);
        assert_eq!(linger(Linger::new(true, true), &mut near).await, CLOSING_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_is_read_until_the_peer_closes_or_a_bound_is_reached() {
        let (mut near, mut far) = duplex(64);
        let sends = async move {
            for _ in 0..4 {
                far.write_all(&[0; 100]).await.unwrap();
                tokio::time::sleep(Duration::from_secs(4)).await;
            }
        };
        let (took, ()) = tokio::join!(linger(Linger::new(true, false), &mut near), sends);
        assert_eq!(took, Duration::from_secs(16), "until it closed");
        let (mut near, mut far) = duplex(64);
        let sends = async move {
            while far.write_all(&[0; 100]).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        let ends = async {
            let took = linger(Linger::new(true, false), &mut near).await;
            drop(near);
            took
        };
        let (took, ()) = tokio::join!(ends, sends);
        assert_eq!(took, TOTAL_TIMEOUT, "who goes on is closed in the end");
        let (mut near, mut far) = duplex(1 << 20);
        let sends = async move { while far.write_all(&[0; CHUNK]).await.is_ok() {} };
        let ends = async {
            let took = linger(Linger::new(true, false), &mut near).await;
            drop(near);
            took
        };
        let (took, ()) = tokio::join!(ends, sends);
        assert_eq!(took, Duration::ZERO, "as is who sends too much");
    }
}
