//! Ends the process when its time to stop is over, even if its threads are blocked.
//!
//! The orderly shutdown needs a free thread of the runtime. A disk that does not answer, or a log that
//! nobody reads, can block all of them.
use std::{io, process, sync::mpsc, thread, time::Duration};

use tokio::runtime::Builder;

use crate::{exit_code::UNFINISHED, signals::Signals};

/// Margin for the orderly shutdown, which ends at the same moment.
const MARGIN: Duration = Duration::from_millis(250);

/// Time for writing the last log line.
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
            // A second signal leaves the orderly shutdown its margin as well.
            tokio::select! {
                () = tokio::time::sleep(limit) => {}
                _ = signals.next() => {}
            }
            tokio::time::sleep(MARGIN).await;
        });
        // The log may be what blocks everything.
        let (done, wait) = mpsc::channel();
        let line = move || {
            tracing::error!("exiting: threads were still busy when the time to stop was over");
            // Fails after `LAST_LINE`.
            done.send(()).ok();
        };
        if thread::Builder::new().spawn(line).is_ok() {
            wait.recv_timeout(LAST_LINE).ok();
        }
        process::exit(UNFINISHED.into());
    };
    thread::Builder::new().name("watchdog".to_owned()).spawn(watch).map(drop)
}
