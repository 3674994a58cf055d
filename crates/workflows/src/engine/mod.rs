//! Workers: a bounded number of tasks that do runs, one step after the other.
mod fetch;
mod job;
mod lease;
mod scratch;
mod step;
mod workers;

use std::{sync::Arc, time::Duration};

use quadrille_store::files::Files;

pub(crate) use self::{
    fetch::{FetchError, fetch, put},
    job::fail_claimed,
    lease::kept_alive,
    scratch::Scratch,
    step::is_full,
    workers::Workers,
};
use crate::door::Door;

/// How long to wait after the store failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Begin to work. Ends when the listeners close; what is being done then goes on at its present step
/// after the next start.
pub(crate) fn start(door: &Arc<Door>) {
    for _ in 0..door.config.workers() {
        door.core.life.spawn("worker", work(Arc::clone(door)));
    }
    door.core.life.spawn("workflows", tidy(Arc::clone(door)));
}

async fn work(door: Arc<Door>) {
    let closing = door.core.life.closing();
    let mut closing = std::pin::pin!(closing);
    while !door.core.life.is_closing() {
        let work = door.work.notified();
        match door.workers.claim(&door.memory.store, door.config.lease).await {
            Ok(Some((claimed, worker))) => {
                // There may be more.
                door.work.notify_one();
                job::run(&door, claimed).await;
                drop(worker);
                continue;
            }
            Ok(None) => {}
            Err(why) => {
                tracing::warn!(error = %why, "cannot look for runs");
                tokio::time::sleep(PAUSE).await;
            }
        }
        tokio::select! {
            () = work => {}
            // Others may have left something, or another node has put it there.
            () = tokio::time::sleep(door.config.lease / 3) => {}
            () = &mut closing => return,
        }
    }
}

/// What has to be done from time to time: external steps that nobody finishes, old downloads.
async fn tidy(door: Arc<Door>) {
    let draining = door.core.life.draining();
    let mut draining = std::pin::pin!(draining);
    loop {
        if let Err(why) = job::give_up(&door).await {
            tracing::warn!(error = %why, "cannot look for steps that nobody finishes");
        }
        if let Err(why) = forget(&door).await {
            tracing::warn!(error = %why, "old downloads stay for a while");
        }
        tokio::select! {
            () = tokio::time::sleep(door.config.lease) => {}
            () = &mut draining => return,
        }
    }
}

async fn forget(door: &Door) -> Result<(), quadrille_store::Error> {
    let keep = i64::try_from(door.config.keep_downloads.as_millis()).unwrap_or(i64::MAX);
    let before = i64::try_from(quadrille_core::now()).unwrap_or(i64::MAX).saturating_sub(keep);
    loop {
        let keys = door.memory.store.forget_downloads(before).await?;
        if keys.is_empty() {
            return Ok(());
        }
        discard(&door.memory.files, &keys).await;
    }
}

/// Nobody knows of them any more, so nobody will ask for them.
pub(crate) async fn discard(files: &Files, keys: &[String]) {
    files.discard(keys).await;
}
