//! A run as its worker does it: under a lease, step by step, each stored before observers hear of it.
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
    discard, kept_alive, put,
    step::{Doing, StepError, operate},
};
use crate::{door::Door, http::values, news::News, wire};

/// How long an operation may take to end when the process stops. After that its thread is left alone,
/// and the run given back.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// How long between two reports of progress.
const BETWEEN: Duration = Duration::from_millis(50);

/// Runs that are to be cancelled.
type Cancels = Receiver<Arc<str>>;

/// How a step came to its end.
enum End {
    Finished(Run),
    Failed(StepError),
    /// The process stops, or the run is not ours any more: somebody else goes on.
    Left,
}

/// Do a run until it is over, or somebody else's.
pub(super) async fn run(door: &Door, claimed: Claimed) {
    let id = claimed.run.id.clone();
    // In a box: what it does with the database is large.
    if let Err(why) = Box::pin(steps(door, &claimed)).await {
        // Its lease ends, and then it goes on.
        tracing::warn!(error = %why, run = id, "a run stops until its lease is over");
    }
    door.set_percent(&id, None);
    door.run_changed();
}

async fn steps(door: &Door, claimed: &Claimed) -> Result<(), store::Error> {
    let store = &door.memory.store;
    let Some(chat) = store.chat(&claimed.run.chat_id).await? else { return Ok(()) };
    let Some(news) = News::of(door, &chat) else { return Ok(()) };
    news.begun(&claimed.run, claimed.start).await;
    // Before the lease says whether it is to be cancelled: no wish falls in between.
    let mut cancels = door.cancels();
    loop {
        match store.renew_run(claimed, door.config.lease, None).await? {
            None => return Ok(()),
            Some(true) => return end(door, &chat, claimed, RunStatus::Cancelled, None).await,
            Some(false) => {}
        }
        let Some((run, steps)) = store.run_with_steps(&claimed.run.id).await? else {
            return Ok(());
        };
        let at = usize::try_from(run.next).unwrap_or(usize::MAX);
        let Some(step) = steps.get(at) else {
            return end(door, &chat, claimed, RunStatus::Completed, None).await;
        };
        if step.kind == StepKind::External {
            if store.release_to_external(claimed).await? {
                news.progress(&run, step, 0, "Waiting for a worker").await;
                return Ok(());
            }
            continue;
        }
        if run.attempts > i64::from(door.config.max_attempts) {
            let why = "the server stopped each time that it did this step; the run is given up";
            return fail(door, &chat, claimed, (&run, step), RunStatus::Interrupted, why).await;
        }
        if !store.begin_step(claimed, step.position).await? {
            return Ok(());
        }
        news.progress(&run, step, 0, "Starting step execution").await;
        match step_of(door, &chat, claimed, (&run, &steps, step), &news, &mut cancels).await? {
            End::Finished(run) => {
                let files = store.chat_files(&chat.id).await?;
                let steps = store.steps(&run.id).await?;
                if let Some(step) = steps.get(at) {
                    news.finished(&run, step, &files).await;
                }
            }
            End::Failed(StepError::Cancelled) => {
                return end(door, &chat, claimed, RunStatus::Cancelled, None).await;
            }
            End::Failed(why) => {
                let status = match why {
                    StepError::InputGone => RunStatus::Interrupted,
                    _ => RunStatus::Failed,
                };
                let run = (&run, step);
                return fail(door, &chat, claimed, run, status, &wire::short(why.to_string()))
                    .await;
            }
            End::Left => return store.release_run(claimed).await,
        }
    }
}

/// Do `step`, and store what it made.
async fn step_of(
    door: &Door,
    chat: &Chat,
    claimed: &Claimed,
    (run, steps, step): (&Run, &[Step], &Step),
    news: &News<'_>,
    cancels: &mut Cancels,
) -> Result<End, store::Error> {
    let store = &door.memory.store;
    let files = store.chat_files(&chat.id).await?;
    let folder = match door.scratch.folder() {
        Ok(folder) => folder,
        Err(why) => {
            tracing::error!(error = %why, "there is no place to do a step");
            return Ok(End::Failed(StepError::Server));
        }
    };
    let lease = door.config.lease;
    let renew = || store.renew_run(claimed, lease, None);
    let begun = operate(door, chat, step, &files, folder.path());
    let begun = tokio::select! {
        begun = kept_alive(lease, &run.id, begun, renew) => begun,
        () = wished(cancels, &run.id) => Err(StepError::Cancelled),
        () = door.core.life.closing() => return Ok(End::Left),
    };
    let (doing, done) = match begun {
        Ok(begun) => begun,
        Err(why) => return Ok(End::Failed(why)),
    };
    let (left, outcome) = watch(door, claimed, (run, step), news, cancels, (doing, done)).await;
    let outcome = match outcome {
        _ if left => return Ok(End::Left),
        Ok(outcome) => outcome,
        Err(why) => return Ok(End::Failed(why)),
    };
    let mut result = members(&step.operation, outcome.data);
    if !outcome.warnings.is_empty() {
        result.insert("warnings".to_owned(), outcome.warnings.into());
    }
    if !outcome.complete {
        result.insert(wire::SUCCESS.to_owned(), false.into());
    }
    let result = Value::Object(result).to_string();
    // Of a step that is done once more, the result before does not count.
    if !wire::fits(&result, steps.iter().filter(|it| it.id != step.id)) {
        return Ok(End::Failed(StepError::TooMuch));
    }
    let Some(path) = outcome.file else {
        return finished(store.finish_step(claimed, step, &result, None).await);
    };
    let name = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    let name = Files::sanitise(&name);
    let key = values::key(&chat.id, &name, outcome.formulas);
    let kept = put(&door.memory.files, &key, &path);
    let size = match kept_alive(lease, &run.id, kept, renew).await {
        Ok(size) => i64::try_from(size).unwrap_or(i64::MAX),
        Err(why) => return Ok(End::Failed(why.into())),
    };
    let last = step.position + 1 == run.total;
    let place = if last { Place::Outputs } else { Place::Intermediate };
    let file = NewChatFile { place, name: &name, key: &key, size };
    let stored = store.finish_step(claimed, step, &result, Some(file)).await;
    if !matches!(stored, Ok(Some(_))) {
        discard(&door.memory.files, &[key]).await;
    }
    finished(stored)
}

/// What it means for a step that what it made was stored, or was not.
fn finished(stored: Result<Option<(Run, Option<i64>)>, FileError>) -> Result<End, store::Error> {
    match stored {
        Ok(stored) => Ok(stored.map_or(End::Left, |(run, _)| End::Finished(run))),
        Err(FileError::TooMany) => Ok(End::Failed(StepError::ManyFiles)),
        Err(FileError::Store(why)) => Err(why),
    }
}

/// Tell how far the operation is, keep the lease, and end it early if it has to be. Whether it was
/// left for somebody else.
async fn watch(
    door: &Door,
    claimed: &Claimed,
    (run, step): (&Run, &Step),
    news: &News<'_>,
    cancels: &mut Cancels,
    (mut doing, done): (Doing, impl Future<Output = Result<Outcome, StepError>>),
) -> (bool, Result<Outcome, StepError>) {
    let mut done = std::pin::pin!(done);
    let closing = door.core.life.closing();
    let mut closing = std::pin::pin!(closing);
    let too_long = async {
        door.core.life.closing().await;
        tokio::time::sleep(STOP_TIMEOUT).await;
    };
    let mut too_long = std::pin::pin!(too_long);
    let mut beat = interval(door.config.lease / 3);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tell = interval(BETWEEN);
    tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut left = false;
    let outcome = loop {
        tokio::select! {
            outcome = &mut done => break outcome,
            _ = beat.tick(), if !left => {
                let at = Some((step.position, *doing.percent.borrow()));
                match door.memory.store.renew_run(claimed, door.config.lease, at).await {
                    Ok(Some(cancel)) => {
                        doing.stop.fetch_or(cancel, Relaxed);
                    }
                    // Somebody else does it.
                    Ok(None) => {
                        doing.stop.store(true, Relaxed);
                        left = true;
                    }
                    Err(why) => tracing::warn!(error = %why, run = run.id, "a lease was not renewed"),
                }
            }
            // Always: as a condition of this branch, it would be asked only after another event.
            _ = tell.tick() => {
                if !doing.percent.has_changed().unwrap_or(false) {
                    continue;
                }
                let percent = *doing.percent.borrow_and_update();
                door.set_percent(&run.id, Some(percent));
                // Who is cancelled has no more to say: its chat may be deleted. The last is told when
                // what came of it is stored.
                if !doing.stop.load(Relaxed) && (1..100).contains(&percent) {
                    let message = format!("Processing {}", step.operation);
                    news.progress(run, step, percent, &message).await;
                }
            }
            () = wished(cancels, &run.id), if !doing.stop.load(Relaxed) => {
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
    door.set_percent(&run.id, None);
    // What came to its end is kept, whatever happened meanwhile; the store says whose it is.
    (left && outcome.is_err(), outcome)
}

/// Resolves when `run` is to be cancelled. Cancel-safe.
async fn wished(cancels: &mut Cancels, run: &str) {
    loop {
        match cancels.recv().await {
            Ok(wish) if *wish == *run => return,
            // What was lost is seen with the next renewal of the lease.
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// The step failed, and with it the run.
async fn fail(
    door: &Door,
    chat: &Chat,
    claimed: &Claimed,
    (run, step): (&Run, &Step),
    status: RunStatus,
    why: &str,
) -> Result<(), store::Error> {
    let number = step.position + 1;
    let error = format!("Workflow failed at step {number}/{}: {why}", run.total);
    let failed = Some((step.position, why));
    let ended = door.memory.store.end_run(claimed, status, Some(&error), failed).await?;
    if let (Some(ended), Some(news)) = (ended, News::of(door, chat)) {
        news.failed(&ended, step, why).await;
        news.over(&ended, 0).await;
    }
    Ok(())
}

async fn end(
    door: &Door,
    chat: &Chat,
    claimed: &Claimed,
    status: RunStatus,
    error: Option<&str>,
) -> Result<(), store::Error> {
    let ended = door.memory.store.end_run(claimed, status, error, None).await?;
    if let (Some(ended), Some(news)) = (ended, News::of(door, chat)) {
        news.over(&ended, outputs(door, chat).await?).await;
    }
    Ok(())
}

/// Files of the chat that are for the user.
async fn outputs(door: &Door, chat: &Chat) -> Result<usize, store::Error> {
    let files = door.memory.store.chat_files(&chat.id).await?;
    Ok(files.iter().filter(|it| it.place == Place::Outputs).count())
}

/// What clients find in the result of an operation besides its file.
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

/// End runs whose external step was claimed too often without being finished.
pub(super) async fn give_up(door: &Door) -> Result<(), store::Error> {
    let store = &door.memory.store;
    while let Some((claim, id)) = store.abandoned_step(i64::from(door.config.max_attempts)).await? {
        let Some((run, steps)) = store.run_with_steps(&id).await? else { continue };
        let step = usize::try_from(run.next).ok().and_then(|at| steps.get(at));
        let Some(step) = step else { continue };
        let why = "every worker that took this step stopped giving signs of life";
        fail_claimed(door, claim, &run, step, why).await?;
    }
    Ok(())
}

/// The external step failed, and with it the run. `None` if the claim does not hold any more.
pub(crate) async fn fail_claimed(
    door: &Door,
    claim: Uuid,
    run: &Run,
    step: &Step,
    why: &str,
) -> Result<Option<Run>, store::Error> {
    let store = &door.memory.store;
    let error = format!("Workflow failed at step {}/{}: {why}", step.position + 1, run.total);
    let ended = store.fail_claimed(&run.id, claim, &error, why).await?;
    if let (Some(ended), Some(chat)) = (&ended, store.chat(&run.chat_id).await?)
        && let Some(news) = News::of(door, &chat)
    {
        news.failed(ended, step, why).await;
        news.over(ended, 0).await;
    }
    Ok(ended)
}
