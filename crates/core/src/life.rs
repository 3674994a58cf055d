//! Start, drain, stop: every task is spawned here, so that shutdown can wait for it.
use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::telemetry;

/// The life of the process. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Life(Arc<Inner>);

/// Shared, because a clone of a token takes a lock, and every request has a life.
#[derive(Debug, Default)]
struct Inner {
    closing: CancellationToken,
    draining: CancellationToken,
    tasks: TaskTracker,
}

impl Life {
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `task` until it ends. A panic ends the task alone; it is logged and counted.
    pub fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.tasks.spawn(async move {
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                telemetry::task_panicked(name);
            }
        });
    }

    /// Runs `work` in a task of its own and waits for it: it is completed even if the caller stops
    /// waiting. `None` if it panicked.
    pub async fn finish<T, F>(&self, name: &'static str, work: F) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (done, result) = oneshot::channel();
        self.spawn(name, async move {
            // Fails if the caller has stopped waiting.
            drop(done.send(work.await));
        });
        result.await.ok()
    }

    /// Runs `work` on a thread of its own, which [`stopped`](Self::stopped) waits for. A panic of it
    /// is in the result.
    pub fn blocking<T, F>(&self, work: F) -> JoinHandle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.0.tasks.spawn_blocking(work)
    }

    /// Resolves when the listeners close: work that can continue after the next start ends now, and
    /// requests that wait for it are answered.
    pub async fn closing(&self) {
        self.0.closing.cancelled().await;
    }

    /// Result of `work`, or `None` if the process begins to close before.
    pub async fn unless_closing<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.closing() => None,
        }
    }

    pub fn is_closing(&self) -> bool {
        self.0.closing.is_cancelled()
    }

    /// Begins to close. Connections and turns go on until [`drain`](Self::drain).
    pub fn close(&self) {
        self.0.closing.cancel();
    }

    /// Resolves when the process has begun to stop: accept no new work.
    pub async fn draining(&self) {
        self.0.draining.cancelled().await;
    }

    pub fn is_draining(&self) -> bool {
        self.0.draining.is_cancelled()
    }

    /// Begins to stop.
    pub fn drain(&self) {
        self.close();
        self.0.draining.cancel();
    }

    /// Waits for every task to end, on whatever thread; false if some had not within `grace`.
    pub async fn stopped(&self, grace: Duration) -> bool {
        self.drain();
        self.0.tasks.close();
        tokio::time::timeout(grace, self.0.tasks.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_thread_that_works_is_waited_for_and_no_longer_than_the_grace() {
        let life = Life::new();
        let (end, ended) = mpsc::channel::<()>();
        let work = life.blocking(move || ended.recv());
        assert!(!life.stopped(Duration::from_millis(1)).await);
        drop(end);
        assert!(life.stopped(Duration::from_mins(1)).await);
        work.await.unwrap().unwrap_err();
    }

    #[tokio::test]
    async fn who_drains_closes_before() {
        let life = Life::new();
        life.close();
        life.closing().await;
        assert!(!life.is_draining());
        let other = Life::new();
        other.drain();
        other.closing().await;
        assert!(other.is_closing() && other.is_draining());
    }
}
