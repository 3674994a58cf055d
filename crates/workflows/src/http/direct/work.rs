//! Runs operations on blocking threads, a bounded number at once, each only while its client waits.
use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use quadrille_core::{Life, Permit};
use quadrille_tabular::{Error as TabularError, OnProgress};
use tempfile::TempDir;

use super::super::error::Error;
use crate::direct_limit::DirectLimit;

/// Folder and permit of a request, dropped with the last thread that uses them.
#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) folder: TempDir,
    pub(super) permit: Permit,
}

/// Stops the work when dropped.
#[derive(Debug, Default)]
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Runs `work` for the holder of `permit`, once a worker is free. It is stopped if the caller stops
/// waiting or the process begins to close; a thread that does not end in time is abandoned.
pub(super) async fn perform<T, F>(
    life: &Life,
    limit: &DirectLimit,
    permit: &Permit,
    work: F,
) -> Result<T, Error>
where
    T: Send + 'static,
    F: FnOnce(&mut OnProgress<'_>) -> Result<T, TabularError> + Send + 'static,
{
    if life.is_closing() {
        return Err(Error::Stopping);
    }
    let worker = life.unless_closing(limit.worker(permit)).await.ok_or(Error::Stopping)?;
    let stop = StopOnDrop::default();
    let stopped = Arc::clone(&stop.0);
    let done = blocking(life, move || {
        let _worker = worker;
        work(&mut |_| {
            if stopped.load(Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    });
    Ok(life.unless_closing(done).await.ok_or(Error::Stopping)???)
}

/// Runs something short that would still block other tasks.
pub(super) async fn blocking<T: Send + 'static>(
    life: &Life,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    life.blocking(work).await.map_err(|err| {
        tracing::error!(error = %err, "an operation panicked");
        Error::Server
    })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use quadrille_core::{Holder, Shares};
    use quadrille_tabular::{Limits, Operation, Progress, Task};

    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_ends() {
        let (life, limit) = (Life::new(), DirectLimit::new(1, 1, &Shares::default()));
        let permit = limit.admit(&Holder::Program).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "a\n".repeat(5000)).unwrap();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let (ended, ends) = std::sync::mpsc::channel();
        let asking = perform(&life, &limit, &permit, move |watch| {
            begun.send(()).unwrap();
            let task = Task {
                input: &folder.path().join("file"),
                name: "a.csv",
                sheet: None,
                folder: folder.path(),
                output: None,
                bind_file: None,
                now: SystemTime::now(),
                backup_original: false,
                limits: Limits::default(),
            };
            let operation = Operation::parse("excel/convert-to-csv", "{}").unwrap();
            // Repeated until it is stopped.
            let err = loop {
                if let Err(err) = operation.run(&task, watch) {
                    break err;
                }
            };
            ended.send(matches!(err, TabularError::Cancelled { .. })).unwrap();
            Err::<(), _>(err)
        });
        tokio::select! {
            _ = asking => unreachable!("the work does not end by itself"),
            begun = begins => begun.unwrap(),
        }
        assert!(ends.recv().unwrap(), "it was cancelled");
        // The worker is free for the next one.
        perform(&life, &limit, &permit, |_| Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_waits_is_answered_when_the_process_stops_and_the_work_ends() {
        let (life, limit) = (Life::new(), DirectLimit::new(1, 1, &Shares::default()));
        let permit = limit.admit(&Holder::Program).unwrap();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let asking = perform(&life, &limit, &permit, move |watch| {
            begun.send(()).unwrap();
            let progress = Progress { rows: 0, done: 0.0 };
            while watch(progress).is_continue() {}
            Ok(())
        });
        let closing = async {
            begins.await.unwrap();
            life.close();
        };
        let (answered, ()) = tokio::join!(asking, closing);
        assert!(matches!(answered, Err(Error::Stopping)), "{answered:?}");
        // Its thread has ended, too.
        assert!(life.stopped(std::time::Duration::from_mins(1)).await);
    }
}
