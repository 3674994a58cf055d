//! External steps: a worker claims one, reports progress, and delivers its result.
mod result;
mod worker;

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{self, Request},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, StatusCode};
use quadrille_edge::http::Base;
use quadrille_store::{Chat, Claim, Run};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) use self::worker::Worker;
use self::worker::{SCOPE, WORK};
use super::{
    body::read,
    caller::ChatCaller,
    envelope::{Envelope, EnvelopeBody, ok},
    error::Error,
    files::SentFile,
    path::Path,
};
use crate::{engine, run_events::RunEvents, state::State, wire};

/// Upper bound on the time that a worker waits for a step.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Upper bound on a claim's lease.
const MAX_LEASE: Duration = quadrille_store::Store::MAX_CLAIM;

/// Interval at which steps are looked for that another node offers.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Upper bound on the texts of a worker besides its results, in characters.
const MAX_TEXT: usize = 1000;

pub(super) fn router() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new()
        .routes(routes!(claim))
        .routes(routes!(input))
        .routes(routes!(progress))
        .routes(routes!(result::result))
        .routes(routes!(fail))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WorkWanted)]
struct ClaimBody {
    /// Claims only steps of this operation.
    operation: Option<String>,
    /// Name of the worker, shown to watchers.
    #[serde(default)]
    #[schema(max_length = 1000)]
    worker: String,
    /// Seconds to wait for a step, at most 30.
    #[serde(default)]
    #[schema(minimum = 0)]
    wait: f64,
    /// Seconds that the claim is valid without a renewal.
    #[schema(minimum = 1, maximum = 3600)]
    lease_seconds: Option<f64>,
}

/// Claim the oldest free step, or wait for one
///
/// A token needs the scope `work`, as for all endpoints of workers.
#[utoipa::path(
    post,
    context_path = WORK,
    path = "/claim",
    operation_id = "claim_step",
    tag = "work",
    request_body = ClaimBody,
    responses(
        (status = 200, description = "The step, and the `claim` to send in the header `X-Claim` from then on", body = EnvelopeBody),
        (status = 204, description = "No step was free in time"),
        (status = 404, description = "The chat was deleted meanwhile", body = EnvelopeBody),
    )
)]
async fn claim(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
    base: Base,
    request: Request,
) -> Result<Response, Error> {
    caller.require_scope(SCOPE)?;
    let body: ClaimBody = read(request).await?;
    let lease = lease(&state, body.lease_seconds)?;
    check_length("worker", &body.worker)?;
    let attempts = i64::from(state.config.max_attempts);
    if body.wait < 0.0 {
        return Err(Error::Invalid("wait must not be below 0".to_owned()));
    }
    let wait = Duration::from_secs_f64(body.wait.min(MAX_WAIT.as_secs_f64()));
    let until = Instant::now() + wait;
    loop {
        let changed = state.changed();
        let mut changed = std::pin::pin!(changed);
        changed.as_mut().enable();
        let operation = body.operation.as_deref();
        let store = &state.memory.store;
        if let Some(held) = store.claim_step(operation, &body.worker, lease, attempts).await? {
            let chat = store.chat(&held.run.chat_id).await?.ok_or(Error::NoChat)?;
            if let Some(events) = RunEvents::of(&state, &chat) {
                events.progress(&held.run, &held.step, 0, "Starting step execution").await;
            }
            return Ok(ok("Step claimed", show(&state, &chat, &held, &base).await?).into_response());
        }
        if Instant::now() >= until || state.core.life.is_closing() {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        // All outcomes lead to another look.
        state
            .core
            .life
            .unless_closing(timeout_at(until.min(Instant::now() + POLL_INTERVAL), changed))
            .await;
    }
}

async fn show(state: &State, chat: &Chat, held: &Claim, base: &Base) -> Result<Value, Error> {
    let Claim { claim, run, step, until } = held;
    let files = state.memory.store.chat_files(&chat.id).await?;
    let at = base.url(&format!("{WORK}/{}", step.id));
    let input = files.iter().find(|file| Some(file.id) == step.input).map(
        |file| json!({ "filename": file.name, "size": file.size, "url": format!("{at}/input") }),
    );
    Ok(json!({
        "claim": claim,
        "lease_until": wire::time(*until),
        "chat_id": chat.id,
        "run_id": run.id,
        "step_id": step.id,
        "step_number": step.position + 1,
        "total_steps": run.total,
        "operation": step.operation,
        "arguments": wire::stored(&step.arguments),
        "input": input,
        "url": at,
    }))
}

/// Download the input file of a step
#[utoipa::path(
    get,
    context_path = WORK,
    path = "/{step}/input",
    operation_id = "step_input",
    tag = "work",
    params(Worker, SentFile<'_>),
    responses(SentFile<'_>)
)]
async fn input(
    extract::State(state): extract::State<Arc<State>>,
    worker: Worker,
    Path(step): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let held = worker.renew(&state, &step, state.config.lease, None).await?;
    let files = state.memory.store.chat_files(&held.run.chat_id).await?;
    let file = files.iter().find(|file| Some(file.id) == held.step.input).ok_or(Error::NoFile)?;
    SentFile::values(file).answer(&state, &method, &headers).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepProgress)]
struct ProgressBody {
    #[schema(minimum = 0, maximum = 100)]
    progress: Option<f64>,
    /// Text for watchers.
    #[serde(default)]
    #[schema(max_length = 1000)]
    message: String,
    /// Seconds that the claim is valid from now on.
    #[schema(minimum = 1, maximum = 3600)]
    lease_seconds: Option<f64>,
}

/// Report progress and renew the claim
#[utoipa::path(
    post,
    context_path = WORK,
    path = "/{step}/progress",
    operation_id = "step_progress",
    tag = "work",
    params(Worker),
    request_body = ProgressBody,
    responses((status = 200, description = "`lease_until`", body = EnvelopeBody))
)]
async fn progress(
    extract::State(state): extract::State<Arc<State>>,
    worker: Worker,
    Path(step): Path<String>,
    request: Request,
) -> Result<Envelope, Error> {
    let ProgressBody { progress, message, lease_seconds } = read(request).await?;
    check_length("message", &message)?;
    let percent = match progress {
        None => None,
        Some(percent) if (0.0..=100.0).contains(&percent) => {
            // 100 is for a step with a result.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the value is from 0 to 99"
            )]
            Some(percent.min(99.0) as u8)
        }
        Some(_) => return Err(Error::Invalid("progress must be from 0 to 100".to_owned())),
    };
    let held = worker.renew(&state, &step, lease(&state, lease_seconds)?, percent).await?;
    if let Some(percent) = percent
        && let Some(chat) = state.memory.store.chat(&held.run.chat_id).await?
        && let Some(events) = RunEvents::of(&state, &chat)
    {
        let processing = format!("Processing {}", held.step.operation);
        let message = if message.is_empty() { &processing } else { &message };
        events.progress(&held.run, &held.step, percent, message).await;
    }
    Ok(ok("Progress reported", json!({ "lease_until": wire::time(held.until) })))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepError)]
struct FailureBody {
    #[schema(max_length = 1000)]
    message: String,
}

/// Report that a step failed; its run fails
#[utoipa::path(
    post,
    context_path = WORK,
    path = "/{step}/error",
    operation_id = "step_error",
    tag = "work",
    params(Worker),
    request_body = FailureBody,
    responses((status = 200, description = "`job_id` and `status`", body = EnvelopeBody))
)]
async fn fail(
    extract::State(state): extract::State<Arc<State>>,
    worker: Worker,
    Path(step): Path<String>,
    request: Request,
) -> Result<Envelope, Error> {
    let FailureBody { message } = read(request).await?;
    check_length("message", &message)?;
    let held = worker.renew(&state, &step, state.config.lease, None).await;
    let Claim { claim, run, step, .. } = match held {
        Ok(held) => held,
        Err(Error::NoClaim) => {
            // A repeated report, whose answer was lost.
            let known = worker.reported(&state, &step).await?.ok_or(Error::NoClaim)?;
            if known.step.error.as_deref() != Some(&*message) {
                return Err(Error::NoClaim);
            }
            return Ok(reported(&known.run));
        }
        Err(err) => return Err(err),
    };
    let ended = engine::fail_claimed(&state, claim, &run, &step, &message).await?;
    let ended = ended.ok_or(Error::NoClaim)?;
    Ok(reported(&ended))
}

fn reported(run: &Run) -> Envelope {
    ok("Failure reported", json!({ "job_id": run.id, "status": run.status.word() }))
}

fn lease(state: &State, seconds: Option<f64>) -> Result<Duration, Error> {
    let most = MAX_LEASE.as_secs_f64();
    match seconds {
        None => Ok(state.config.lease),
        Some(seconds) if (1.0..=most).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        Some(_) => Err(Error::Invalid(format!("lease_seconds must be from 1 to {most}"))),
    }
}

fn check_length(name: &str, text: &str) -> Result<(), Error> {
    if text.chars().nth(MAX_TEXT).is_none() {
        return Ok(());
    }
    Err(Error::Invalid(format!("{name} has at most {MAX_TEXT} characters")))
}
