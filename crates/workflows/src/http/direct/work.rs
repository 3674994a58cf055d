//! Work on threads of its own: as much at once as there are workers, and none that nobody waits for.
use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use quadrille_core::{Life, Permit};
use quadrille_tabular::{Error as TabularError, OnProgress};

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

/// Does `work` on behalf of the holder of `place`, when a worker is free. It ends early if its
/// caller no longer waits for it, or if the process begins to close; its thread may then be left
/// alone for what it does not end in time.
pub(super) async fn perform<T, F>(
    life: &Life,
    room: &Room,
    place: &Permit,
    work: F,
) -> Result<T, Error>
where
    T: Send + 'static,
    F: FnOnce(&mut OnProgress<'_>) -> Result<T, TabularError> + Send + 'static,
{
    if life.is_closing() {
        return Err(Error::Stopping);
    }
    let worker = life.unless_closing(room.work(place)).await.ok_or(Error::Stopping)?;
    let stop = Stop::default();
    let stopped = Arc::clone(&stop.0);
    let done = aside(life, move || {
        let _worker = worker;
        work(&mut |_| {
            if stopped.load(Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    });
    Ok(life.unless_closing(done).await.ok_or(Error::Stopping)???)
}

/// Do something short, but too long for a thread that has others to serve.
pub(super) async fn aside<T: Send + 'static>(
    life: &Life,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    life.blocking(work).await.map_err(|why| {
        tracing::error!(error = %why, "an operation panicked");
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
        let (life, room) = (Life::new(), Room::new(1, 1, &Shares::default()));
        let place = room.enter(&Holder::Program).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "a\n".repeat(5000)).unwrap();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let (ended, ends) = std::sync::mpsc::channel();
        let asking = perform(&life, &room, &place, move |watch| {
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
        perform(&life, &room, &place, |_| Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn who_waits_for_work_is_answered_when_the_process_stops_and_the_work_ends() {
        let (life, room) = (Life::new(), Room::new(1, 1, &Shares::default()));
        let place = room.enter(&Holder::Program).unwrap();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let asking = perform(&life, &room, &place, move |watch| {
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
