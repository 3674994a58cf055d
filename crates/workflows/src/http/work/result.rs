//! What a worker brings: the result of a step, and its file.
use std::sync::Arc;

use axum::extract::{Request, State};
use futures_util::StreamExt;
use quadrille_core::json;
use quadrille_edge::http::form::{self, Form, FormBody};
use quadrille_store::{Chat, Claim, NewChatFile, Place, StepStatus, SubmittedStep};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    super::{
        envelope::{Answer, Envelope, ok},
        error::Error,
        files::{self, Kept},
        path::Path,
        read,
    },
    WORK, Worker,
};
use crate::{digest::Digest, door::Door, engine, news::News, wire};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepResult)]
struct Made {
    /// What the step made besides a file.
    result: Map<String, Value>,
}

/// Bring the result of a step, and its file if it makes one
#[utoipa::path(
    post,
    context_path = WORK,
    path = "/{step}/result",
    operation_id = "step_result",
    tag = "work",
    params(Worker),
    request_body = Made,
    responses((status = 200, description = "The step", body = Answer))
)]
pub(super) async fn result(
    State(door): State<Arc<Door>>,
    worker: Worker,
    Path(step): Path<String>,
    request: Request,
) -> Result<Envelope, Error> {
    let life = door.core.life.clone();
    let taken = match worker.holds(&door, &step, door.config.lease, None).await {
        Ok(held) => {
            let chat = door.memory.store.chat(&held.run.chat_id).await?.ok_or(Error::NoChat)?;
            life.finish("result", async move { take(&door, &chat, &held, request).await }).await
        }
        Err(Error::NoClaim) => {
            let known = worker.brought(&door, &step).await?.ok_or(Error::NoClaim)?;
            life.finish("result", async move { compare(&door, &known, request).await }).await
        }
        Err(why) => return Err(why),
    };
    taken.unwrap_or(Err(Error::Server))
}

/// What a worker brings.
#[derive(Default)]
struct Bringing {
    members: Map<String, Value>,
    file: Option<Kept>,
    /// Name and digest of the file.
    known: Option<(String, String)>,
}

impl Bringing {
    fn digest(&self) -> String {
        let digest = Digest::new().part(Value::Object(self.members.clone()).to_string());
        match &self.known {
            Some((name, bytes)) => digest.part(name).part(bytes).done(),
            None => digest.done(),
        }
    }
}

async fn take(door: &Door, chat: &Chat, held: &Claim, request: Request) -> Result<Envelope, Error> {
    // Nobody else gets the step meanwhile. Whether it is still theirs is seen when the result is
    // stored.
    let lease = door.config.lease;
    let renew = || door.memory.store.renew_step(held.step.id, held.claim, lease, None);
    // In a box: what it does with the database is large.
    let read = Box::pin(read_result(door, Some(chat), request));
    let result = engine::kept_alive(lease, &held.run.id, read, renew).await?;
    let store = &door.memory.store;
    let (members, digest) = (Value::Object(result.members.clone()).to_string(), result.digest());
    let steps = store.steps(&held.run.id).await?;
    if !wire::fits(&members, steps.iter().filter(|it| it.id != held.step.id)) {
        let keys: Vec<_> = result.file.into_iter().map(|it| it.key).collect();
        engine::discard(&door.memory.files, &keys).await;
        return Err(Error::TooMuch);
    }
    let last = held.step.position + 1 == held.run.total;
    let place = if last { Place::Outputs } else { Place::Intermediate };
    let file = result.file.as_ref();
    let new = file.map(|Kept { key, name, size }| NewChatFile { place, name, key, size: *size });
    let finished = store.finish_claimed(held, (&members, &digest), new).await;
    if let (Some(Kept { key, .. }), false) = (result.file, matches!(finished, Ok(Some(_)))) {
        engine::discard(&door.memory.files, &[key]).await;
    }
    let Some((run, _)) = finished? else {
        // It may have come twice, at the same time.
        let known = store.submitted_step(held.step.id, held.claim).await?.ok_or(Error::NoClaim)?;
        return same(door, &known, &digest).await;
    };
    let files = store.chat_files(&chat.id).await?;
    let steps = store.steps(&run.id).await?;
    let step = steps.iter().find(|it| it.id == held.step.id).unwrap_or(&held.step);
    if let Some(news) = News::of(door, chat) {
        news.finished(&run, step, &files).await;
    }
    door.run_changed();
    Ok(ok("Step completed", wire::step(chat, step, &files)))
}

/// A result that comes once more, since its answer was lost, is told to be there.
async fn compare(door: &Door, known: &SubmittedStep, request: Request) -> Result<Envelope, Error> {
    let digest = read_result(door, None, request).await?.digest();
    same(door, known, &digest).await
}

async fn same(door: &Door, known: &SubmittedStep, digest: &str) -> Result<Envelope, Error> {
    if known.step.status != StepStatus::Completed {
        return Err(Error::NoClaim);
    }
    if known.digest.as_deref() != Some(digest) {
        return Err(Error::OtherResult);
    }
    let store = &door.memory.store;
    let chat = store.chat(&known.run.chat_id).await?.ok_or(Error::NoChat)?;
    let files = store.chat_files(&chat.id).await?;
    Ok(ok("Step completed", wire::step(&chat, &known.step, &files)))
}

/// What the request brings. Its file is kept for `chat`, or only looked at if there is none.
async fn read_result(
    door: &Door,
    chat: Option<&Chat>,
    request: Request,
) -> Result<Bringing, Error> {
    let Some(boundary) = form::boundary(request.headers())? else {
        let members = read::<Made>(request).await?.result;
        return Ok(Bringing { members, ..Bringing::default() });
    };
    let limit = door.memory.max_upload_size;
    let mut source = FormBody::new(request.into_body());
    let made = parts(door, chat, Form::new(&mut source, boundary, limit)).await;
    if made.is_err() {
        source.drain(limit).await;
    }
    made
}

/// What a form brings: the members of the result, and its file.
async fn parts(door: &Door, chat: Option<&Chat>, mut form: Form<'_>) -> Result<Bringing, Error> {
    let mut made = Bringing::default();
    let read = async {
        while let Some(mut part) = form.next().await? {
            match part.name() {
                Some(files::FILE) if made.known.is_none() => {
                    let name = part.file_name().unwrap_or_default().to_owned();
                    let mut bytes = Digest::new();
                    if let Some(chat) = chat {
                        let see = |it: &[u8]| bytes.update(it);
                        made.file = Some(files::keep_seen(door, chat, part, see).await?);
                    } else {
                        while let Some(it) = part.next().await {
                            bytes.update(&it?);
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
        Err(why) => {
            let keys: Vec<_> = made.file.into_iter().map(|it| it.key).collect();
            engine::discard(&door.memory.files, &keys).await;
            Err(why)
        }
    }
}

fn object(text: &str) -> Result<Map<String, Value>, Error> {
    let bad = |why: String| Error::Invalid(format!("result must be a JSON object: {why}"));
    if json::is_deep(text) {
        return Err(bad(format!("nest at most {} levels", json::DEPTH)));
    }
    json::read(text).map_err(|why| bad(why.to_string()))
}
