//! Steps that are done elsewhere: a worker claims one, says how far it is, and brings its result.
mod result;

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, StatusCode, request::Parts};
use quadrille_store::{Chat, Claim, Run, SubmittedStep};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    caller::Caller,
    envelope::{Answer, Base, Envelope, ok},
    error::Error,
    files::Sent,
    path::Path,
    read,
};
use crate::{door::Door, engine, news::News, wire};

/// Where workers find their work.
const WORK: &str = "/api/v1/chat/work";

/// What a worker must be granted where clients sign in.
const SCOPE: &str = "work";

/// The header that shows that a worker has claimed the step.
const CLAIM: &str = "x-claim";

/// How long a worker may wait for a step.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// How long a claim may hold without a sign of life.
const MAX_LEASE: Duration = quadrille_store::Store::MAX_CLAIM;

/// How long until steps are looked for that another node offers.
const LOOK: Duration = Duration::from_secs(1);

/// Characters of what a worker says besides its results, at most.
const MAX_TEXT: usize = 1000;

pub(super) fn router() -> OpenApiRouter<Arc<Door>> {
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
struct Wanted {
    /// Only steps of this one.
    operation: Option<String>,
    /// Who asks, for those who watch.
    #[serde(default)]
    #[schema(max_length = 1000)]
    worker: String,
    /// Seconds; more than 30 are 30.
    #[serde(default)]
    #[schema(minimum = 0)]
    wait: f64,
    /// How long the claim holds without a sign of life.
    #[schema(minimum = 1, maximum = 3600)]
    lease_seconds: Option<f64>,
}

/// Take the oldest step that is free, or wait for one
///
/// A token needs the scope `work`, as for the whole of it.
#[utoipa::path(
    post,
    context_path = WORK,
    path = "/claim",
    operation_id = "claim_step",
    tag = "work",
    request_body = Wanted,
    responses(
        (status = 200, description = "The `claim`, which the header `X-Claim` shows from then on, and the step", body = Answer),
        (status = 204, description = "No step came"),
        (status = 404, description = "The chat was deleted meanwhile", body = Answer),
    )
)]
async fn claim(
    State(door): State<Arc<Door>>,
    caller: Caller,
    base: Base,
    request: Request,
) -> Result<Response, Error> {
    caller.need(SCOPE)?;
    let wanted: Wanted = read(request).await?;
    let lease = lease(&door, wanted.lease_seconds)?;
    bounded("worker", &wanted.worker)?;
    let attempts = i64::from(door.config.max_attempts);
    if wanted.wait < 0.0 {
        return Err(Error::Invalid("wait must not be below 0".to_owned()));
    }
    let wait = Duration::from_secs_f64(wanted.wait.min(MAX_WAIT.as_secs_f64()));
    let until = Instant::now() + wait;
    loop {
        let changed = door.changed();
        let mut changed = std::pin::pin!(changed);
        changed.as_mut().enable();
        let operation = wanted.operation.as_deref();
        let store = &door.memory.store;
        if let Some(held) = store.claim_step(operation, &wanted.worker, lease, attempts).await? {
            let chat = store.chat(&held.run.chat_id).await?.ok_or(Error::NoChat)?;
            if let Some(news) = News::of(&door, &chat) {
                news.progress(&held.run, &held.step, 0, "Starting step execution").await;
            }
            return Ok(ok("Step claimed", show(&door, &chat, &held, &base).await?).into_response());
        }
        if Instant::now() >= until || door.core.life.is_closing() {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        // Ends in one way or the other.
        door.core.life.unless_closing(timeout_at(until.min(Instant::now() + LOOK), changed)).await;
    }
}

async fn show(door: &Door, chat: &Chat, held: &Claim, base: &Base) -> Result<Value, Error> {
    let Claim { claim, run, step, until } = held;
    let files = door.memory.store.chat_files(&chat.id).await?;
    let at = base.url(&format!("{WORK}/{}", step.id));
    let input = files.iter().find(|it| Some(it.id) == step.input).map(
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

/// Download the file that the step is to be done to
#[utoipa::path(
    get,
    context_path = WORK,
    path = "/{step}/input",
    operation_id = "step_input",
    tag = "work",
    params(Worker, Sent<'_>),
    responses(Sent<'_>)
)]
async fn input(
    State(door): State<Arc<Door>>,
    worker: Worker,
    Path(step): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let held = worker.holds(&door, &step, door.config.lease, None).await?;
    let files = door.memory.store.chat_files(&held.run.chat_id).await?;
    let file = files.iter().find(|it| Some(it.id) == held.step.input).ok_or(Error::NoFile)?;
    Sent::values(file).answer(&door, &method, &headers).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepProgress)]
struct Moved {
    #[schema(minimum = 0, maximum = 100)]
    progress: Option<f64>,
    /// For those who watch.
    #[serde(default)]
    #[schema(max_length = 1000)]
    message: String,
    /// How long the claim holds from now on.
    #[schema(minimum = 1, maximum = 3600)]
    lease_seconds: Option<f64>,
}

/// Give a sign of life, and say how far the step is
#[utoipa::path(
    post,
    context_path = WORK,
    path = "/{step}/progress",
    operation_id = "step_progress",
    tag = "work",
    params(Worker),
    request_body = Moved,
    responses((status = 200, description = "`lease_until`", body = Answer))
)]
async fn progress(
    State(door): State<Arc<Door>>,
    worker: Worker,
    Path(step): Path<String>,
    request: Request,
) -> Result<Envelope, Error> {
    let Moved { progress, message, lease_seconds } = read(request).await?;
    bounded("message", &message)?;
    let percent = match progress {
        None => None,
        Some(percent) if (0.0..=100.0).contains(&percent) => {
            // It is whole when its result is there.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is from 0 to 99"
            )]
            Some(percent.min(99.0) as u8)
        }
        Some(_) => return Err(Error::Invalid("progress must be from 0 to 100".to_owned())),
    };
    let held = worker.holds(&door, &step, lease(&door, lease_seconds)?, percent).await?;
    if let Some(percent) = percent
        && let Some(chat) = door.memory.store.chat(&held.run.chat_id).await?
        && let Some(news) = News::of(&door, &chat)
    {
        let processing = format!("Processing {}", held.step.operation);
        let message = if message.is_empty() { &processing } else { &message };
        news.progress(&held.run, &held.step, percent, message).await;
    }
    Ok(ok("Progress reported", json!({ "lease_until": wire::time(held.until) })))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepError)]
struct Failure {
    #[schema(max_length = 1000)]
    message: String,
}

/// Say that a step cannot be done; the run fails
#[utoipa::path(
    post,
    context_path = WORK,
    path = "/{step}/error",
    operation_id = "step_error",
    tag = "work",
    params(Worker),
    request_body = Failure,
    responses((status = 200, description = "`job_id` and `status`", body = Answer))
)]
async fn fail(
    State(door): State<Arc<Door>>,
    worker: Worker,
    Path(step): Path<String>,
    request: Request,
) -> Result<Envelope, Error> {
    let Failure { message } = read(request).await?;
    bounded("message", &message)?;
    let held = worker.holds(&door, &step, door.config.lease, None).await;
    let Claim { claim, run, step, .. } = match held {
        Ok(held) => held,
        Err(Error::NoClaim) => {
            // Said once more, since the answer was lost.
            let known = worker.brought(&door, &step).await?.ok_or(Error::NoClaim)?;
            if known.step.error.as_deref() != Some(&*message) {
                return Err(Error::NoClaim);
            }
            return Ok(reported(&known.run));
        }
        Err(why) => return Err(why),
    };
    let ended = engine::fail_claimed(&door, claim, &run, &step, &message).await?;
    let ended = ended.ok_or(Error::NoClaim)?;
    Ok(reported(&ended))
}

fn reported(run: &Run) -> Envelope {
    ok("Failure reported", json!({ "job_id": run.id, "status": run.status.word() }))
}

/// Who sends what a worker sends.
pub(super) struct Worker(Uuid);

impl Worker {
    /// What the worker holds, for as long as `lease` again.
    async fn holds(
        &self,
        door: &Door,
        step: &str,
        lease: Duration,
        percent: Option<u8>,
    ) -> Result<Claim, Error> {
        // What is no id is nobody's step.
        let step = Uuid::try_parse(step).map_err(|_| Error::NoClaim)?;
        let held = door.memory.store.renew_step(step, self.0, lease, percent).await?;
        held.ok_or(Error::NoClaim)
    }
}

impl Worker {
    /// What the worker ended before under its claim.
    async fn brought(&self, door: &Door, step: &str) -> Result<Option<SubmittedStep>, Error> {
        let Ok(step) = Uuid::try_parse(step) else { return Ok(None) };
        Ok(door.memory.store.submitted_step(step, self.0).await?)
    }
}

impl axum::extract::FromRequestParts<Arc<Door>> for Worker {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, door: &Arc<Door>) -> Result<Self, Error> {
        Caller::from_request_parts(parts, door).await?.need(SCOPE)?;
        let claim =
            parts.headers.get(CLAIM).and_then(|it| Uuid::try_parse_ascii(it.as_bytes()).ok());
        claim.map(Self).ok_or_else(|| {
            Error::Invalid(
                "send the `claim` that came with the step in the header X-Claim".to_owned(),
            )
        })
    }
}

fn lease(door: &Door, seconds: Option<f64>) -> Result<Duration, Error> {
    let most = MAX_LEASE.as_secs_f64();
    match seconds {
        None => Ok(door.config.lease),
        Some(seconds) if (1.0..=most).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        Some(_) => Err(Error::Invalid(format!("lease_seconds must be from 1 to {most}"))),
    }
}

fn bounded(name: &str, text: &str) -> Result<(), Error> {
    if text.chars().nth(MAX_TEXT).is_none() {
        return Ok(());
    }
    Err(Error::Invalid(format!("{name} has at most {MAX_TEXT} characters")))
}
