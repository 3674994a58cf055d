//! Creates, lists, shows, cancels and retries runs.
use std::{collections::HashMap, sync::Arc};

use axum::extract::{self, Query, Request};
use http::StatusCode;
use quadrille_edge::http::Base;
use quadrille_identity::Action;
use quadrille_store::{CancelRun, Chat, Place, Store};
use serde_json::{Value, json};

use super::{
    begin::{self, StepsBody},
    caller::ChatCaller,
    envelope::{Envelope, EnvelopeBody, ok},
    error::Error,
    key::{KeyHeader, RequestKey},
    page::page,
    path::Path,
};
use crate::{
    CHATS,
    digest::Digest,
    run_events::{RunEvents, StartedBy},
    state::State,
    wire,
};

/// Run steps, without waiting
#[utoipa::path(
    post,
    context_path = CHATS,
    path = "/{chat}/runs",
    operation_id = "create_run",
    tag = "chats",
    params(KeyHeader),
    request_body = StepsBody,
    responses((status = 202, description = "The `job_id` and a `status_url`", body = EnvelopeBody))
)]
pub(super) async fn create(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
    base: Base,
    Path(chat): Path<String>,
    key: KeyHeader,
    request: Request,
) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Write).await?;
    let steps = begin::read(request).await?;
    let key = key.of(&caller, || begin::digest("run", &steps));
    let run = begin::start_run(&state, &caller.store, &chat, StartedBy::Runs, &steps, key.as_ref())
        .await?;
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
        ("limit" = Option<u64>, Query, maximum = 4_294_967_295u32, description = "maximum number; 100 by default"),
        ("offset" = Option<u64>, Query, maximum = 4_294_967_295u32, description = "number to skip"),
    ),
    responses(
        (status = 200, description = "The `runs`", body = EnvelopeBody),
        (status = 422, description = "A parameter is invalid", body = EnvelopeBody),
    )
)]
pub(super) async fn list(
    caller: ChatCaller,
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

/// Get a run with its steps and results
#[utoipa::path(
    get,
    context_path = CHATS,
    path = "/{chat}/runs/{run}",
    operation_id = "show_run",
    tag = "chats",
    responses((status = 200, description = "The run", body = EnvelopeBody))
)]
pub(super) async fn show(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
    base: Base,
    Path((chat, run)): Path<(String, String)>,
) -> Result<Envelope, Error> {
    let (chat, run) = caller.run(&chat, &run, Action::Read).await?;
    Ok(ok(
        "Run retrieved successfully",
        show_run(&state, &caller.store, &chat, &run.id, &base).await?,
    ))
}

/// Cancel a run
#[utoipa::path(
    post,
    context_path = CHATS,
    path = "/{chat}/runs/{run}/cancel",
    operation_id = "cancel_run",
    tag = "chats",
    responses(
        (status = 202, description = "The run in its present state", body = EnvelopeBody),
        (status = 409, description = "The run is over", body = EnvelopeBody),
    )
)]
pub(super) async fn cancel(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
    base: Base,
    Path((chat, run)): Path<(String, String)>,
) -> Result<Envelope, Error> {
    let (chat, run) = caller.run(&chat, &run, Action::Write).await?;
    cancel_run(&state, &caller.store, &chat, &run.id).await?;
    let shown = show_run(&state, &caller.store, &chat, &run.id, &base).await?;
    Ok(ok("Run is being cancelled", shown).status(StatusCode::ACCEPTED))
}

/// Cancels a run: at once if it waits, or else by telling its worker.
pub(super) async fn cancel_run(
    state: &State,
    store: &Store,
    chat: &Chat,
    run: &str,
) -> Result<(), Error> {
    match store.cancel_run(run).await?.ok_or(Error::NoRun)? {
        CancelRun::Ended(ended) => {
            let files = store.chat_files(&chat.id).await?;
            let outputs = files.iter().filter(|file| file.place == Place::Outputs).count();
            if let Some(events) = RunEvents::of(state, chat) {
                events.ended(&ended, outputs).await;
            }
        }
        CancelRun::Asked(_) => state.cancel(run),
        CancelRun::Over(_) => return Err(Error::Conflict("the run has already ended")),
    }
    Ok(())
}

/// Resume a run at its first unfinished step
#[utoipa::path(
    post,
    context_path = CHATS,
    path = "/{chat}/runs/{run}/retry",
    operation_id = "retry_run",
    tag = "chats",
    params(KeyHeader),
    responses(
        (status = 202, description = "The run", body = EnvelopeBody),
        (status = 409, description = "The run did not fail, and was neither cancelled nor interrupted", body = EnvelopeBody),
    )
)]
pub(super) async fn retry(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
    base: Base,
    Path((chat, run)): Path<(String, String)>,
    key: KeyHeader,
) -> Result<Envelope, Error> {
    let (chat, run) = caller.run(&chat, &run, Action::Write).await?;
    let key = key.of(&caller, || Digest::new().part("retry").part(&run.id).done());
    let key = key.as_ref().map(RequestKey::stored);
    let (most, share) = begin::waiting(&state, &chat);
    let retried = caller.store.retry_run(&run, most, share, key).await?;
    retried.ok_or(Error::Conflict(
        "only a run that failed, was cancelled or was interrupted can be tried again",
    ))?;
    state.work.notify_one();
    let shown = show_run(&state, &caller.store, &chat, &run.id, &base).await?;
    Ok(ok("Workflow submitted", shown).status(StatusCode::ACCEPTED))
}

pub(super) async fn show_run(
    state: &State,
    store: &Store,
    chat: &Chat,
    run: &str,
    base: &Base,
) -> Result<Value, Error> {
    let (run, steps) = store.run_with_steps(run).await?.ok_or(Error::NoRun)?;
    let files = store.chat_files(&chat.id).await?;
    Ok(wire::run(chat, &run, &steps, &files, state.percent(&run.id), Some(base)))
}
