//! Runs: how they are, and what can be done about them.
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use http::StatusCode;
use quadrille_core::auth::Action;
use quadrille_store::{CancelRun, Chat, Page, Place};
use serde_json::{Value, json};

use super::{
    begin,
    caller::Caller,
    envelope::{Base, Envelope, ok},
    error::Error,
};
use crate::{
    door::Door,
    news::{News, Origin},
    wire,
};

/// Begin a run that nobody waits for. Its steps may be for workers elsewhere.
pub(super) async fn create(
    State(door): State<Arc<Door>>,
    caller: Caller,
    base: Base,
    Path(chat): Path<String>,
    request: Request,
) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Write).await?;
    let steps = begin::read(request).await?;
    let run = begin::begin(&door, &chat, Origin::Runs, &steps).await?;
    Ok(begin::submitted(&run, &base))
}

const LISTED: Page = Page { limit: 100, offset: 0 };

pub(super) async fn list(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Path(chat): Path<String>,
) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Read).await?;
    let runs = door.memory.store.runs(&chat.id, LISTED).await?;
    let shown: Vec<_> = runs
        .iter()
        .map(|run| {
            json!({
                "job_id": run.id,
                "status": run.status.word(),
                "total_steps": run.total,
                "completed_steps": run.next,
                "submitted_at": wire::time(run.created_at),
                "error": run.error,
            })
        })
        .collect();
    let total = shown.len();
    Ok(ok("Runs retrieved successfully", json!({ "runs": shown })).total(total))
}

pub(super) async fn show(
    State(door): State<Arc<Door>>,
    caller: Caller,
    base: Base,
    Path((chat, run)): Path<(String, String)>,
) -> Result<Envelope, Error> {
    let (chat, run) = caller.run(&chat, &run, Action::Read).await?;
    Ok(ok("Run retrieved successfully", look(&door, &chat, &run.id, &base).await?))
}

pub(super) async fn cancel(
    State(door): State<Arc<Door>>,
    caller: Caller,
    base: Base,
    Path((chat, run)): Path<(String, String)>,
) -> Result<Envelope, Error> {
    let (chat, run) = caller.run(&chat, &run, Action::Write).await?;
    end(&door, &chat, &run.id).await?;
    let shown = look(&door, &chat, &run.id, &base).await?;
    Ok(ok("Run is being cancelled", shown).status(StatusCode::ACCEPTED))
}

/// Cancel a run, at once or as soon as who does it sees that.
pub(super) async fn end(door: &Door, chat: &Chat, run: &str) -> Result<(), Error> {
    match door.memory.store.cancel_run(run).await?.ok_or(Error::NoRun)? {
        CancelRun::Ended(ended) => {
            let files = door.memory.store.chat_files(&chat.id).await?;
            let outputs = files.iter().filter(|it| it.place == Place::Outputs).count();
            if let Some(news) = News::of(door, chat) {
                news.over(&ended, outputs).await;
            }
        }
        CancelRun::Asked(_) => door.cancel(run),
        CancelRun::Over(_) => return Err(Error::Conflict("the run is over already")),
    }
    Ok(())
}

pub(super) async fn retry(
    State(door): State<Arc<Door>>,
    caller: Caller,
    base: Base,
    Path((chat, run)): Path<(String, String)>,
) -> Result<Envelope, Error> {
    let (chat, run) = caller.run(&chat, &run, Action::Write).await?;
    let most = i64::try_from(door.config.max_waiting).unwrap_or(i64::MAX);
    let retried = door.memory.store.retry_run(&run.id, most).await?;
    retried.ok_or(Error::Conflict(
        "only a run that failed, was cancelled or was interrupted can be tried again",
    ))?;
    door.work.notify_one();
    let shown = look(&door, &chat, &run.id, &base).await?;
    Ok(ok("Workflow submitted", shown).status(StatusCode::ACCEPTED))
}

pub(super) async fn look(door: &Door, chat: &Chat, run: &str, base: &Base) -> Result<Value, Error> {
    let store = &door.memory.store;
    let (run, steps) = store.run_with_steps(run).await?.ok_or(Error::NoRun)?;
    let files = store.chat_files(&chat.id).await?;
    Ok(wire::run(chat, &run, &steps, &files, door.percent(&run.id), Some(base)))
}
