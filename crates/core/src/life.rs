//! Start, drain, stop: every task is spawned here, so that shutdown can wait for it.
use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::telemetry;

/// The life of the process. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Life(Arc<Inner>);

/// A clone of a token takes a lock, and every request has a life.
#[derive(Debug, Default)]
struct Inner {
    draining: CancellationToken,
    tasks: TaskTracker,
}

impl Life {
    pub fn new() -> Self {
        Self::default()
    }

    /// Run `task` until it ends. A panic ends the task alone; it is logged and counted.
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

    /// Do `work` in a task of its own and wait for it: who stops waiting does not leave it half done.
    /// `None` if it panicked.
    pub async fn finish<T, F>(&self, name: &'static str, work: F) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (done, result) = oneshot::channel();
        self.spawn(name, async move {
            // Fails if nobody wants to know any more.
            drop(done.send(work.await));
        });
        result.await.ok()
    }

    /// Resolves when the process has begun to stop: take no new work.
    pub async fn draining(&self) {
        self.0.draining.cancelled().await;
    }

    pub fn is_draining(&self) -> bool {
        self.0.draining.is_cancelled()
    }

    /// Begin to stop.
    pub fn drain(&self) {
        self.0.draining.cancel();
    }

    /// Wait for every task to end; false when some had not within `grace`.
    pub async fn stopped(&self, grace: Duration) -> bool {
        self.0.draining.cancel();
        self.0.tasks.close();
        tokio::time::timeout(grace, self.0.tasks.wait()).await.is_ok()
    }
}
