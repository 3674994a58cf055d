//! Work on threads of its own: as much at once as there are workers, and none that nobody waits for.
use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use quadrille_core::Permit;
use quadrille_tabular::{Error as TabularError, Watch};

use super::super::error::Error;
use crate::room::Room;

/// Ends the work when it is dropped.
#[derive(Debug, Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Do `work` for who has a `place`, when there is a worker. It ends early if its caller does not wait
/// for it any more.
pub(super) async fn perform<T, F>(room: &Room, place: &Permit, work: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: FnOnce(&mut Watch<'_>) -> Result<T, TabularError> + Send + 'static,
{
    let worker = room.work(place).await;
    let stop = Stop::default();
    let stopped = Arc::clone(&stop.0);
    let done = aside(move || {
        let _worker = worker;
        work(&mut |_| {
            if stopped.load(Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    });
    Ok(done.await??)
}

/// Do something short, but too long for a thread that has others to serve.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|why| {
        tracing::error!(error = %why, "an operation panicked");
        Error::Server
    })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use quadrille_core::{Holder, Shares};
    use quadrille_tabular::{Limits, Operation, Task};

    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_ends() {
        let room = Room::new(1, 1, &Shares::default());
        let place = room.enter(&Holder::Program).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "a\n".repeat(5000)).unwrap();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let (ended, ends) = std::sync::mpsc::channel();
        let asking = perform(&room, &place, move |watch| {
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
            // Again and again, until it is told to stop.
            let why = loop {
                if let Err(why) = operation.run(&task, watch) {
                    break why;
                }
            };
            ended.send(matches!(why, TabularError::Cancelled { .. })).unwrap();
            Err::<(), _>(why)
        });
        tokio::select! {
            _ = asking => unreachable!("it does not end by itself"),
            it = begins => it.unwrap(),
        }
        assert!(ends.recv().unwrap(), "it was cancelled");
        // There is room for the next one.
        perform(&room, &place, |_| Ok(())).await.unwrap();
    }
}
