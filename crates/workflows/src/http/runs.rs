//! Runs: how they are, and what can be done about them.
use std::{collections::HashMap, sync::Arc};

use axum::extract::{Query, Request, State};
use http::StatusCode;
use quadrille_identity::Action;
use quadrille_store::{CancelRun, Chat, Place, Store};
use serde_json::{Value, json};

use super::{
    begin::{self, Asked},
    caller::Caller,
    envelope::{Answer, Base, Envelope, ok},
    error::Error,
    key::{Key, Keyed},
    page::page,
    path::Path,
};
use crate::{
    CHATS,
    digest::Digest,
    door::Door,
    news::{News, Origin},
    wire,
};

/// Run steps, without waiting
#[utoipa::path(
    post,
    context_path = CHATS,
    path = "/{chat}/runs",
    operation_id = "create_run",
    tag = "chats",
    params(Key),
    request_body = Asked,
    responses((status = 202, description = "The `job_id` and a `status_url`", body = Answer))
)]
pub(super) async fn create(
    State(door): State<Arc<Door>>,
    caller: Caller,
    base: Base,
    Path(chat): Path<String>,
    key: Key,
    request: Request,
) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Write).await?;
    let steps = begin::read(request).await?;
    let key = key.of(&caller, || begin::digest("run", &steps));
    let run = begin::begin(&door, &caller.store, &chat, Origin::Runs, &steps, key.as_ref()).await?;
    Ok(begin::submitted(&run, &base))
}

/// List the runs of a chat, the newest first
#[utoipa::path(
    get,
    context_path = CHATS,
    path = "/{chat}/runs",
    operation_id = "list_runs",
    tag = "chats",
    params(
        ("limit" = Option<u64>, Query, maximum = 4_294_967_295u32, description = "at most so many; 100 if not given"),
        ("offset" = Option<u64>, Query, maximum = 4_294_967_295u32, description = "without the first so many"),
    ),
    responses(
        (status = 200, description = "The `runs`", body = Answer),
        (status = 422, description = "A parameter is none of its kind", body = Answer),
    )
)]
pub(super) async fn list(
    caller: Caller,
    Path(chat): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Read).await?;
    let runs = caller.store.runs(&chat.id, page(&query)?).await?;
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

/// Look at a run, with its steps and results
#[utoipa::path(
    get,
    context_path = CHATS,
    path = "/{chat}/runs/{run}",
    operation_id = "show_run",
    tag = "chats",
    responses((status = 200, description = "The run", body = Answer))
)]
pub(super) async fn show(
    State(door): State<Arc<Door>>,
    caller: Caller,
    base: Base,
    Path((chat, run)): Path<(String, String)>,
) -> Result<Envelope, Error> {
    let (chat, run) = caller.run(&chat, &run, Action::Read).await?;
    Ok(ok("Run retrieved successfully", look(&door, &caller.store, &chat, &run.id, &base).await?))
}

/// Cancel a run
#[utoipa::path(
    post,
    context_path = CHATS,
    path = "/{chat}/runs/{run}/cancel",
    operation_id = "cancel_run",
    tag = "chats",
    responses(
        (status = 202, description = "The run as it stands", body = Answer),
        (status = 409, description = "The run is over", body = Answer),
    )
)]
pub(super) async fn cancel(
    State(door): State<Arc<Door>>,
    caller: Caller,
    base: Base,
    Path((chat, run)): Path<(String, String)>,
) -> Result<Envelope, Error> {
    let (chat, run) = caller.run(&chat, &run, Action::Write).await?;
    end(&door, &caller.store, &chat, &run.id).await?;
    let shown = look(&door, &caller.store, &chat, &run.id, &base).await?;
    Ok(ok("Run is being cancelled", shown).status(StatusCode::ACCEPTED))
}

/// Cancel a run, at once or as soon as who does it sees that.
pub(super) async fn end(door: &Door, store: &Store, chat: &Chat, run: &str) -> Result<(), Error> {
    match store.cancel_run(run).await?.ok_or(Error::NoRun)? {
        CancelRun::Ended(ended) => {
            let files = store.chat_files(&chat.id).await?;
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

/// Go on with a run at its first unfinished step
#[utoipa::path(
    post,
    context_path = CHATS,
    path = "/{chat}/runs/{run}/retry",
    operation_id = "retry_run",
    tag = "chats",
    params(Key),
    responses(
        (status = 202, description = "The run", body = Answer),
        (status = 409, description = "The run did not fail, and was neither cancelled nor interrupted", body = Answer),
    )
)]
pub(super) async fn retry(
    State(door): State<Arc<Door>>,
    caller: Caller,
    base: Base,
    Path((chat, run)): Path<(String, String)>,
    key: Key,
) -> Result<Envelope, Error> {
    let (chat, run) = caller.run(&chat, &run, Action::Write).await?;
    let key = key.of(&caller, || Digest::new().part("retry").part(&run.id).done());
    let key = key.as_ref().map(Keyed::stored);
    let (most, share) = begin::waiting(&door, &chat);
    let retried = caller.store.retry_run(&run, most, share, key).await?;
    retried.ok_or(Error::Conflict(
        "only a run that failed, was cancelled or was interrupted can be tried again",
    ))?;
    door.work.notify_one();
    let shown = look(&door, &caller.store, &chat, &run.id, &base).await?;
    Ok(ok("Workflow submitted", shown).status(StatusCode::ACCEPTED))
}

pub(super) async fn look(
    door: &Door,
    store: &Store,
    chat: &Chat,
    run: &str,
    base: &Base,
) -> Result<Value, Error> {
    let (run, steps) = store.run_with_steps(run).await?.ok_or(Error::NoRun)?;
    let files = store.chat_files(&chat.id).await?;
    Ok(wire::run(chat, &run, &steps, &files, door.percent(&run.id), Some(base)))
}
