//! The result of an external step, and its file.
use std::sync::Arc;

use axum::extract::{self, Request};
use futures_util::StreamExt;
use quadrille_core::json;
use quadrille_edge::http::form::{self, Form, FormBody};
use quadrille_store::{Chat, Claim, NewChatFile, Place, StepStatus, SubmittedStep};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    super::{
        body::read,
        envelope::{Envelope, EnvelopeBody, ok},
        error::Error,
        files::{self, KeptFile},
        path::Path,
    },
    worker::{WORK, Worker},
};
use crate::{digest::Digest, engine, run_events::RunEvents, state::State, wire};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepResult)]
struct ResultBody {
    /// Members of the result, besides a file.
    result: Map<String, Value>,
}

/// Deliver the result of a step, with its file if it has one
#[utoipa::path(
    post,
    context_path = WORK,
    path = "/{step}/result",
    operation_id = "step_result",
    tag = "work",
    params(Worker),
    request_body = ResultBody,
    responses((status = 200, description = "The step", body = EnvelopeBody))
)]
pub(super) async fn result(
    extract::State(state): extract::State<Arc<State>>,
    worker: Worker,
    Path(step): Path<String>,
    request: Request,
) -> Result<Envelope, Error> {
    let life = state.core.life.clone();
    let taken = match worker.renew(&state, &step, state.config.lease, None).await {
        Ok(held) => {
            let chat = state.memory.store.chat(&held.run.chat_id).await?.ok_or(Error::NoChat)?;
            life.finish("result", async move { take(&state, &chat, &held, request).await }).await
        }
        Err(Error::NoClaim) => {
            let known = worker.reported(&state, &step).await?.ok_or(Error::NoClaim)?;
            life.finish("result", async move { compare(&state, &known, request).await }).await
        }
        Err(err) => return Err(err),
    };
    taken.unwrap_or(Err(Error::Server))
}

/// A result that a worker delivers.
#[derive(Default)]
struct BroughtResult {
    members: Map<String, Value>,
    file: Option<KeptFile>,
    /// Name and digest of the file.
    known: Option<(String, String)>,
}

impl BroughtResult {
    fn digest(&self) -> String {
        let digest = Digest::new().part(Value::Object(self.members.clone()).to_string());
        match &self.known {
            Some((name, bytes)) => digest.part(name).part(bytes).done(),
            None => digest.done(),
        }
    }
}

async fn take(
    state: &State,
    chat: &Chat,
    held: &Claim,
    request: Request,
) -> Result<Envelope, Error> {
    // Renewed meanwhile; the store checks the claim when it stores the result.
    let lease = state.config.lease;
    let renew = || state.memory.store.renew_step(held.step.id, held.claim, lease, None);
    // Boxed: the future is large.
    let read = Box::pin(read_result(state, Some(chat), request));
    let result = engine::kept_alive(lease, &held.run.id, read, renew).await?;
    let store = &state.memory.store;
    let (members, digest) = (Value::Object(result.members.clone()).to_string(), result.digest());
    let steps = store.steps(&held.run.id).await?;
    if !wire::fits(&members, steps.iter().filter(|other| other.id != held.step.id)) {
        let keys: Vec<_> = result.file.into_iter().map(|file| file.key).collect();
        state.memory.files.discard(&keys).await;
        return Err(Error::TooMuch);
    }
    let last = held.step.position + 1 == held.run.total;
    let place = if last { Place::Outputs } else { Place::Intermediate };
    let file = result.file.as_ref();
    let new =
        file.map(|KeptFile { key, name, size }| NewChatFile { place, name, key, size: *size });
    let finished = store.finish_claimed(held, (&members, &digest), new).await;
    if let (Some(KeptFile { key, .. }), false) = (result.file, matches!(finished, Ok(Some(_)))) {
        state.memory.files.discard(&[key]).await;
    }
    let Some((run, _)) = finished? else {
        // The same result may have been stored by another request just now.
        let known = store.submitted_step(held.step.id, held.claim).await?.ok_or(Error::NoClaim)?;
        return same(state, &known, &digest).await;
    };
    let files = store.chat_files(&chat.id).await?;
    let steps = store.steps(&run.id).await?;
    let step = steps.iter().find(|step| step.id == held.step.id).unwrap_or(&held.step);
    if let Some(events) = RunEvents::of(state, chat) {
        events.step_finished(&run, step, &files).await;
    }
    state.run_changed();
    Ok(ok("Step completed", wire::step(chat, step, &files)))
}

/// Answers a repeated result, whose first answer was lost.
async fn compare(
    state: &State,
    known: &SubmittedStep,
    request: Request,
) -> Result<Envelope, Error> {
    let digest = read_result(state, None, request).await?.digest();
    same(state, known, &digest).await
}

async fn same(state: &State, known: &SubmittedStep, digest: &str) -> Result<Envelope, Error> {
    if known.step.status != StepStatus::Completed {
        return Err(Error::NoClaim);
    }
    if known.digest.as_deref() != Some(digest) {
        return Err(Error::OtherResult);
    }
    let store = &state.memory.store;
    let chat = store.chat(&known.run.chat_id).await?.ok_or(Error::NoChat)?;
    let files = store.chat_files(&chat.id).await?;
    Ok(ok("Step completed", wire::step(&chat, &known.step, &files)))
}

/// Reads a result. Its file is stored for `chat`, or only digested without one.
async fn read_result(
    state: &State,
    chat: Option<&Chat>,
    request: Request,
) -> Result<BroughtResult, Error> {
    let Some(boundary) = form::boundary(request.headers())? else {
        let members = read::<ResultBody>(request).await?.result;
        return Ok(BroughtResult { members, ..BroughtResult::default() });
    };
    let limit = state.memory.max_upload_size;
    let mut source = FormBody::new(request.into_body());
    let made = parts(state, chat, Form::new(&mut source, boundary, limit)).await;
    if made.is_err() {
        source.drain(limit).await;
    }
    made
}

/// Reads a form: the members of the result, and its file.
async fn parts(
    state: &State,
    chat: Option<&Chat>,
    mut form: Form<'_>,
) -> Result<BroughtResult, Error> {
    let mut made = BroughtResult::default();
    let read = async {
        while let Some(mut part) = form.next().await? {
            match part.name() {
                Some(files::FILE) if made.known.is_none() => {
                    let name = part.file_name().unwrap_or_default().to_owned();
                    let mut bytes = Digest::new();
                    if let Some(chat) = chat {
                        let digest = |chunk: &[u8]| bytes.update(chunk);
                        made.file = Some(files::store_inspected(state, chat, part, digest).await?);
                    } else {
                        while let Some(chunk) = part.next().await {
                            bytes.update(&chunk?);
                        }
                    }
                    made.known = Some((name, bytes.done()));
                }
                Some("result") => {
                    made.members = object(&form.text(part).await?)?;
                }
                _ => form.skip(part).await?,
            }
        }
        Ok(())
    };
    let read = read.await;
    match read {
        Ok(()) => Ok(made),
        Err(err) => {
            let keys: Vec<_> = made.file.into_iter().map(|file| file.key).collect();
            state.memory.files.discard(&keys).await;
            Err(err)
        }
    }
}

fn object(text: &str) -> Result<Map<String, Value>, Error> {
    let bad = |reason: String| Error::Invalid(format!("result must be a JSON object: {reason}"));
    if json::is_deep(text) {
        return Err(bad(format!("nest at most {} levels", json::DEPTH)));
    }
    json::read(text).map_err(|err| bad(err.to_string()))
}
