//! Workers: a bounded number of tasks that execute runs, step by step.
mod fetch;
mod job;
mod lease;
mod step;

use std::{sync::Arc, time::Duration};

pub(crate) use self::{
    fetch::{FetchError, fetch, put},
    job::fail_claimed,
    lease::kept_alive,
    step::is_full,
};
use crate::state::State;

/// Delay before the store is asked again after it failed.
const STORE_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Starts the workers. They end when the listeners close; unfinished runs resume at their present
/// step after the next start.
pub(crate) fn start(state: &Arc<State>) {
    for _ in 0..state.config.workers() {
        state.core.life.spawn("worker", work(Arc::clone(state)));
    }
    state.core.life.spawn("workflows", clean_up(Arc::clone(state)));
}

async fn work(state: Arc<State>) {
    let closing = state.core.life.closing();
    let mut closing = std::pin::pin!(closing);
    while !state.core.life.is_closing() {
        let work = state.work.notified();
        match state.workers.claim(&state.memory.store, state.config.lease).await {
            Ok(Some((claimed, worker))) => {
                // There may be more.
                state.work.notify_one();
                job::run(&state, claimed).await;
                drop(worker);
                continue;
            }
            Ok(None) => {}
            Err(err) => {
                tracing::warn!(error = %err, "cannot claim a run");
                tokio::time::sleep(STORE_RETRY_DELAY).await;
            }
        }
        tokio::select! {
            () = work => {}
            // Another node may have added a run, or left one unfinished.
            () = tokio::time::sleep(state.config.lease / 3) => {}
            () = &mut closing => return,
        }
    }
}

/// Interrupts abandoned external steps and removes old downloads, once per lease.
async fn clean_up(state: Arc<State>) {
    let draining = state.core.life.draining();
    let mut draining = std::pin::pin!(draining);
    loop {
        if let Err(err) = job::give_up(&state).await {
            tracing::warn!(error = %err, "cannot look for abandoned steps");
        }
        if let Err(err) = remove_old_downloads(&state).await {
            tracing::warn!(error = %err, "cannot remove old downloads");
        }
        tokio::select! {
            () = tokio::time::sleep(state.config.lease) => {}
            () = &mut draining => return,
        }
    }
}

async fn remove_old_downloads(state: &State) -> Result<(), quadrille_store::Error> {
    let keep = i64::try_from(state.config.keep_downloads.as_millis()).unwrap_or(i64::MAX);
    let before = i64::try_from(quadrille_core::now()).unwrap_or(i64::MAX).saturating_sub(keep);
    loop {
        let keys = state.memory.store.forget_downloads(before).await?;
        if keys.is_empty() {
            return Ok(());
        }
        state.memory.files.discard(&keys).await;
    }
}
