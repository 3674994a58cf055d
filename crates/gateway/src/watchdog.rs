//! Ends the process when its time to stop is over, whatever its threads do.
//!
//! Everything else that stops the process needs a thread of the runtime that is free. A disk that does
//! not answer, or a log that nobody reads, can hold all of them.
use std::{io, process, sync::mpsc, thread, time::Duration};

use tokio::runtime::Builder;

use crate::{exit_code::UNFINISHED, signals::Signals};

/// Time that the orderly way has besides, as it ends at the same moment.
const MARGIN: Duration = Duration::from_millis(250);

/// How long the line about it may take to be written.
const LAST_LINE: Duration = Duration::from_millis(100);

/// Exits with [`UNFINISHED`] when `limit` is over after the first SIGTERM or SIGINT, or soon after
/// the second one. Nothing happens if the process ends before.
pub(crate) fn start(limit: Duration) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _inside = runtime.enter();
        Signals::new()?
    };
    let watch = move || {
        runtime.block_on(async {
            signals.next().await;
            // Whatever comes first; the second signal leaves the orderly way its margin as well.
            tokio::select! {
                () = tokio::time::sleep(limit) => {}
                _ = signals.next() => {}
            }
            tokio::time::sleep(MARGIN).await;
        });
        // The log may be what holds everything.
        let (said, wait) = mpsc::channel();
        let line = move || {
            tracing::error!("ended, as threads were still at work when the time was over");
            // Fails if nobody waits any more.
            said.send(()).ok();
        };
        if thread::Builder::new().spawn(line).is_ok() {
            wait.recv_timeout(LAST_LINE).ok();
        }
        process::exit(UNFINISHED.into());
    };
    thread::Builder::new().name("watchdog".to_owned()).spawn(watch).map(drop)
}
