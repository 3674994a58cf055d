//! Executes a run under a lease, step by step. Each result is stored before it is published.
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use quadrille_store::{
    self as store, Chat, Claimed, FileError, NewChatFile, Place, Run, RunStatus, Step, StepKind,
    files::Files,
};
use quadrille_tabular::Outcome;
use serde_json::{Map, Value};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{MissedTickBehavior, interval},
};
use uuid::Uuid;

use super::{
    fetch::put,
    lease::kept_alive,
    step::{Doing, StepError, operate},
};
use crate::{run_events::RunEvents, state::State, values, wire};

/// Time for an operation to end when the process stops. After that, its thread is abandoned and the
/// run given back.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// Interval between two reports of progress.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(50);

/// Runs to cancel.
type Cancellations = Receiver<Arc<str>>;

/// Outcome of a step.
enum StepEnd {
    Finished(Run),
    Failed(StepError),
    /// The process stops, or the lease was lost: another worker resumes the run.
    Left,
}

/// Executes a run until it ends, waits for an external step, or is taken by another worker.
pub(super) async fn run(state: &State, claimed: Claimed) {
    let id = claimed.run.id.clone();
    // Boxed: the future is large.
    if let Err(err) = Box::pin(steps(state, &claimed)).await {
        // It resumes when its lease has expired.
        tracing::warn!(error = %err, run = id, "a run is interrupted until its lease expires");
    }
    state.set_percent(&id, None);
    state.run_changed();
}

async fn steps(state: &State, claimed: &Claimed) -> Result<(), store::Error> {
    let store = &state.memory.store;
    let Some(chat) = store.chat(&claimed.run.chat_id).await? else { return Ok(()) };
    let Some(events) = RunEvents::of(state, &chat) else { return Ok(()) };
    events.started(&claimed.run, claimed.start).await;
    // Subscribed before the lease is read, so that no cancellation is missed.
    let mut cancels = state.cancellations();
    loop {
        match store.renew_run(claimed, state.config.lease, None).await? {
            None => return Ok(()),
            Some(true) => return end_run(state, &chat, claimed, RunStatus::Cancelled, None).await,
            Some(false) => {}
        }
        let Some((run, steps)) = store.run_with_steps(&claimed.run.id).await? else {
            return Ok(());
        };
        let at = usize::try_from(run.next).unwrap_or(usize::MAX);
        let Some(step) = steps.get(at) else {
            return end_run(state, &chat, claimed, RunStatus::Completed, None).await;
        };
        if step.kind == StepKind::External {
            if store.release_to_external(claimed).await? {
                events.progress(&run, step, 0, "Waiting for a worker").await;
                return Ok(());
            }
            continue;
        }
        if run.attempts > i64::from(state.config.max_attempts) {
            let reason = "the server stopped at every attempt at this step; the run is given up";
            return fail_run(state, &chat, claimed, (&run, step), RunStatus::Interrupted, reason)
                .await;
        }
        if !store.begin_step(claimed, step.position).await? {
            return Ok(());
        }
        events.progress(&run, step, 0, "Starting step execution").await;
        match execute_step(state, &chat, claimed, (&run, &steps, step), &events, &mut cancels)
            .await?
        {
            StepEnd::Finished(run) => {
                let files = store.chat_files(&chat.id).await?;
                let steps = store.steps(&run.id).await?;
                if let Some(step) = steps.get(at) {
                    events.step_finished(&run, step, &files).await;
                }
            }
            StepEnd::Failed(StepError::Cancelled) => {
                return end_run(state, &chat, claimed, RunStatus::Cancelled, None).await;
            }
            StepEnd::Failed(err) => {
                let status = match err {
                    StepError::InputGone => RunStatus::Interrupted,
                    _ => RunStatus::Failed,
                };
                let reason = wire::truncated(err.to_string());
                return fail_run(state, &chat, claimed, (&run, step), status, &reason).await;
            }
            StepEnd::Left => return store.release_run(claimed).await,
        }
    }
}

/// Executes a step, and stores its result.
async fn execute_step(
    state: &State,
    chat: &Chat,
    claimed: &Claimed,
    (run, steps, step): (&Run, &[Step], &Step),
    events: &RunEvents<'_>,
    cancels: &mut Cancellations,
) -> Result<StepEnd, store::Error> {
    let store = &state.memory.store;
    let files = store.chat_files(&chat.id).await?;
    let folder = match state.scratch.folder() {
        Ok(folder) => folder,
        Err(err) => {
            tracing::error!(error = %err, "cannot create a folder for a step");
            return Ok(StepEnd::Failed(StepError::Server));
        }
    };
    let lease = state.config.lease;
    let renew = || store.renew_run(claimed, lease, None);
    let operation = operate(state, chat, step, &files, folder.path());
    let begun = tokio::select! {
        begun = kept_alive(lease, &run.id, operation, renew) => begun,
        () = cancelled(cancels, &run.id) => Err(StepError::Cancelled),
        () = state.core.life.closing() => return Ok(StepEnd::Left),
    };
    let (doing, done) = match begun {
        Ok(begun) => begun,
        Err(err) => return Ok(StepEnd::Failed(err)),
    };
    let (left, outcome) = watch(state, claimed, (run, step), events, cancels, (doing, done)).await;
    let outcome = match outcome {
        _ if left => return Ok(StepEnd::Left),
        Ok(outcome) => outcome,
        Err(err) => return Ok(StepEnd::Failed(err)),
    };
    let mut result = members(&step.operation, outcome.data);
    if !outcome.warnings.is_empty() {
        result.insert("warnings".to_owned(), outcome.warnings.into());
    }
    if !outcome.complete {
        result.insert(wire::SUCCESS.to_owned(), false.into());
    }
    let result = Value::Object(result).to_string();
    // A repeated step replaces its earlier result.
    if !wire::fits(&result, steps.iter().filter(|other| other.id != step.id)) {
        return Ok(StepEnd::Failed(StepError::TooMuch));
    }
    let Some(path) = outcome.file else {
        return finished(store.finish_step(claimed, step, &result, None).await);
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = Files::sanitise(&name);
    let key = values::key(&chat.id, &name, outcome.formulas);
    let kept = put(&state.memory.files, &key, &path);
    let size = match kept_alive(lease, &run.id, kept, renew).await {
        Ok(size) => i64::try_from(size).unwrap_or(i64::MAX),
        Err(err) => return Ok(StepEnd::Failed(err.into())),
    };
    let last = step.position + 1 == run.total;
    let place = if last { Place::Outputs } else { Place::Intermediate };
    let file = NewChatFile { place, name: &name, key: &key, size };
    let stored = store.finish_step(claimed, step, &result, Some(file)).await;
    if !matches!(stored, Ok(Some(_))) {
        state.memory.files.discard(&[key]).await;
    }
    finished(stored)
}

/// Outcome of a step, by whether its result was stored.
fn finished(
    stored: Result<Option<(Run, Option<i64>)>, FileError>,
) -> Result<StepEnd, store::Error> {
    match stored {
        Ok(stored) => Ok(stored.map_or(StepEnd::Left, |(run, _)| StepEnd::Finished(run))),
        Err(FileError::TooMany) => Ok(StepEnd::Failed(StepError::ManyFiles)),
        Err(FileError::Store(err)) => Err(err),
    }
}

/// Publishes the progress of an operation, renews the lease, and stops the operation on a
/// cancellation. True if the run is left to another worker.
async fn watch(
    state: &State,
    claimed: &Claimed,
    (run, step): (&Run, &Step),
    events: &RunEvents<'_>,
    cancels: &mut Cancellations,
    (mut doing, done): (Doing, impl Future<Output = Result<Outcome, StepError>>),
) -> (bool, Result<Outcome, StepError>) {
    let mut done = std::pin::pin!(done);
    let closing = state.core.life.closing();
    let mut closing = std::pin::pin!(closing);
    let too_long = async {
        state.core.life.closing().await;
        tokio::time::sleep(STOP_TIMEOUT).await;
    };
    let mut too_long = std::pin::pin!(too_long);
    let mut renewal = interval(state.config.lease / 3);
    renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut progress = interval(PROGRESS_INTERVAL);
    progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut left = false;
    let outcome = loop {
        tokio::select! {
            outcome = &mut done => break outcome,
            _ = renewal.tick(), if !left => {
                let at = Some((step.position, *doing.percent.borrow()));
                match state.memory.store.renew_run(claimed, state.config.lease, at).await {
                    Ok(Some(cancel)) => {
                        doing.stop.fetch_or(cancel, Relaxed);
                    }
                    // Another worker has it.
                    Ok(None) => {
                        doing.stop.store(true, Relaxed);
                        left = true;
                    }
                    Err(err) => tracing::warn!(error = %err, run = run.id, "a lease was not renewed"),
                }
            }
            // No condition on the branch: it would be evaluated only after another event.
            _ = progress.tick() => {
                if !doing.percent.has_changed().unwrap_or(false) {
                    continue;
                }
                let percent = *doing.percent.borrow_and_update();
                state.set_percent(&run.id, Some(percent));
                // Nothing more of a cancelled run: its chat may be deleted. 100 % is published when the
                // result is stored.
                if !doing.stop.load(Relaxed) && (1..100).contains(&percent) {
                    let message = format!("Processing {}", step.operation);
                    events.progress(run, step, percent, &message).await;
                }
            }
            () = cancelled(cancels, &run.id), if !doing.stop.load(Relaxed) => {
                doing.stop.store(true, Relaxed);
            }
            () = &mut closing, if !left => {
                doing.stop.store(true, Relaxed);
                left = true;
            }
            () = &mut too_long => {
                tracing::warn!(run = run.id, "a step did not end in time; its run is given back");
                break Err(StepError::Cancelled);
            }
        }
    };
    state.set_percent(&run.id, None);
    // A result is kept even if the run was left; the store checks the lease.
    (left && outcome.is_err(), outcome)
}

/// Resolves when `run` has to be cancelled. Cancel-safe.
async fn cancelled(cancels: &mut Cancellations, run: &str) {
    loop {
        match cancels.recv().await {
            Ok(id) if *id == *run => return,
            // A lost one is seen at the next renewal of the lease.
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Ends a run whose step failed.
async fn fail_run(
    state: &State,
    chat: &Chat,
    claimed: &Claimed,
    (run, step): (&Run, &Step),
    status: RunStatus,
    reason: &str,
) -> Result<(), store::Error> {
    let number = step.position + 1;
    let error = format!("Workflow failed at step {number}/{}: {reason}", run.total);
    let failed = Some((step.position, reason));
    let ended = state.memory.store.end_run(claimed, status, Some(&error), failed).await?;
    if let (Some(ended), Some(events)) = (ended, RunEvents::of(state, chat)) {
        events.step_failed(&ended, step, reason).await;
        events.ended(&ended, 0).await;
    }
    Ok(())
}

async fn end_run(
    state: &State,
    chat: &Chat,
    claimed: &Claimed,
    status: RunStatus,
    error: Option<&str>,
) -> Result<(), store::Error> {
    let ended = state.memory.store.end_run(claimed, status, error, None).await?;
    if let (Some(ended), Some(events)) = (ended, RunEvents::of(state, chat)) {
        events.ended(&ended, outputs(state, chat).await?).await;
    }
    Ok(())
}

/// Number of output files of a chat.
async fn outputs(state: &State, chat: &Chat) -> Result<usize, store::Error> {
    let files = state.memory.store.chat_files(&chat.id).await?;
    Ok(files.iter().filter(|file| file.place == Place::Outputs).count())
}

/// Members of the result of an operation, besides its file.
fn members(operation: &str, data: Value) -> Map<String, Value> {
    let name = match operation {
        "excel/extract-columns" => "data",
        "normalization/apply" => "report",
        _ => "statistics",
    };
    let mut members = Map::new();
    if !data.is_null() || name == "report" {
        members.insert(name.to_owned(), data);
    }
    members
}

/// Ends runs whose external step was claimed too often without a result.
pub(super) async fn give_up(state: &State) -> Result<(), store::Error> {
    let store = &state.memory.store;
    while let Some((claim, id)) = store.abandoned_step(i64::from(state.config.max_attempts)).await?
    {
        let Some((run, steps)) = store.run_with_steps(&id).await? else { continue };
        let step = usize::try_from(run.next).ok().and_then(|at| steps.get(at));
        let Some(step) = step else { continue };
        let reason = "every worker that claimed this step stopped renewing its claim";
        fail_claimed(state, claim, &run, step, reason).await?;
    }
    Ok(())
}

/// Ends a run whose external step failed. `None` if the claim is no longer valid.
pub(crate) async fn fail_claimed(
    state: &State,
    claim: Uuid,
    run: &Run,
    step: &Step,
    reason: &str,
) -> Result<Option<Run>, store::Error> {
    let store = &state.memory.store;
    let error = format!("Workflow failed at step {}/{}: {reason}", step.position + 1, run.total);
    let ended = store.fail_claimed(&run.id, claim, &error, reason).await?;
    if let (Some(ended), Some(chat)) = (&ended, store.chat(&run.chat_id).await?)
        && let Some(events) = RunEvents::of(state, &chat)
    {
        events.step_failed(ended, step, reason).await;
        events.ended(ended, 0).await;
    }
    Ok(ended)
}
