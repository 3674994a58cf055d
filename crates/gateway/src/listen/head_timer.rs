//! Time-outs for requests: the idle time-out until the first byte of one, then the shorter time-out for
//! its head, which also holds for the first request of a connection.
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant as StdInstant},
};

use hyper::rt::{Sleep, Timer};
use tokio::time::{Instant, sleep_until};

use super::connection::HttpConnection;

/// Timer of one connection, of which hyper requests the idle time-out only.
#[derive(Clone)]
pub(crate) struct HeadTimer {
    connection: HttpConnection,
    /// Time for the head of a request.
    head: Duration,
}

/// Ends when the connection is idle for too long, or the head takes too long.
struct HeadWait {
    sleep: Pin<Box<tokio::time::Sleep>>,
    timer: HeadTimer,
    /// Read count when the wait began; `None` once the head has begun.
    idle_since: Option<usize>,
}

impl HeadTimer {
    pub(crate) fn new(connection: HttpConnection, head: Duration) -> Self {
        Self { connection, head }
    }
}

impl fmt::Debug for HeadTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeadTimer").field("head", &self.head).finish_non_exhaustive()
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn now(&self) -> StdInstant {
        Instant::now().into_std()
    }

    fn sleep_until(&self, deadline: StdInstant) -> Pin<Box<dyn Sleep>> {
        let is_new = self.connection.is_new();
        let deadline = if is_new { Instant::now() + self.head } else { deadline.into() };
        let idle_since = (!is_new).then(|| self.connection.reads());
        let sleep = Box::pin(sleep_until(deadline));
        Box::pin(HeadWait { sleep, timer: self.clone(), idle_since })
    }
}

impl Future for HeadWait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.idle_since.is_some_and(|reads| reads != this.timer.connection.reads()) {
            this.idle_since = None;
            this.sleep.as_mut().reset(Instant::now() + this.timer.head);
        }
        this.sleep.as_mut().poll(cx)
    }
}

impl Sleep for HeadWait {}

#[cfg(test)]
mod tests {
    use quadrille_core::Limits;
    use quadrille_identity::Mode;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::listen::limit::tests::connection_limit;

    const HEAD: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_secs(75);

    fn timer() -> HeadTimer {
        let permit = connection_limit(Mode::Open, &Limits::default()).reserve();
        HeadTimer::new(HttpConnection::new(CancellationToken::new(), permit), HEAD)
    }

    async fn waits(timer: &HeadTimer, mut wait: Pin<Box<dyn Sleep>>) -> Duration {
        let begin = Instant::now();
        // As a connection does, which polls the timer on each read.
        loop {
            let bytes = tokio::time::sleep(Duration::from_secs(3));
            tokio::select! {
                biased;
                () = wait.as_mut() => return begin.elapsed(),
                () = bytes => timer.connection.on_read(),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_request_and_one_that_has_begun_have_to_arrive_soon() {
        let timer = timer();
        let begin = Instant::now();
        timer.sleep(IDLE).await;
        assert_eq!(begin.elapsed().as_secs(), HEAD.as_secs(), "the first");
        timer.connection.on_request(axum::http::Version::HTTP_11);
        let begin = Instant::now();
        timer.sleep(IDLE).await;
        assert_eq!(begin.elapsed().as_secs(), IDLE.as_secs(), "nothing comes");
        let wait = timer.sleep(IDLE);
        assert_eq!(waits(&timer, wait).await.as_secs(), 3 + HEAD.as_secs(), "bytes come");
    }
}
