//! What a worker brings: the result of a step, and its file.
use std::sync::Arc;

use axum::extract::{Request, State};
use quadrille_core::{
    json,
    rest::form::{self, Form, Source},
};
use quadrille_store::{Chat, Claim, NewChatFile, Place};
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
use crate::{door::Door, engine, news::News, wire};

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
    let held = worker.holds(&door, &step, door.config.lease, None).await?;
    let chat = door.memory.store.chat(&held.run.chat_id).await?.ok_or(Error::NoChat)?;
    let life = door.core.life.clone();
    let taken = life.finish("result", async move { take(&door, &chat, &held, request).await });
    taken.await.unwrap_or(Err(Error::Server))
}

async fn take(door: &Door, chat: &Chat, held: &Claim, request: Request) -> Result<Envelope, Error> {
    let (result, file) = match form::boundary(request.headers())? {
        None => (read::<Made>(request).await?.result, None),
        Some(boundary) => {
            let limit = door.memory.max_upload_size;
            let mut source = Source::new(request.into_body());
            let made = parts(door, chat, Form::new(&mut source, boundary, limit));
            // Nobody else gets the step meanwhile. Whether it is still theirs is seen when the result is
            // stored.
            let lease = door.config.lease;
            let renew = || door.memory.store.renew_step(held.step.id, held.claim, lease, None);
            match engine::kept_alive(lease, &held.run.id, made, renew).await {
                Ok(made) => made,
                Err(why) => {
                    source.drain(limit).await;
                    return Err(why);
                }
            }
        }
    };
    let store = &door.memory.store;
    let result = Value::Object(result).to_string();
    let steps = store.steps(&held.run.id).await?;
    if !wire::fits(&result, steps.iter().filter(|it| it.id != held.step.id)) {
        let keys: Vec<_> = file.into_iter().map(|it| it.key).collect();
        engine::discard(&door.memory.files, &keys).await;
        return Err(Error::TooMuch);
    }
    let last = held.step.position + 1 == held.run.total;
    let place = if last { Place::Outputs } else { Place::Intermediate };
    let new =
        file.as_ref().map(|Kept { key, name, size }| NewChatFile { place, name, key, size: *size });
    let finished = store.finish_claimed(held, &result, new).await;
    if let (Some(Kept { key, .. }), false) = (file, matches!(finished, Ok(Some(_)))) {
        engine::discard(&door.memory.files, &[key]).await;
    }
    let (run, _) = finished?.ok_or(Error::NoClaim)?;
    let files = store.chat_files(&chat.id).await?;
    let steps = store.steps(&run.id).await?;
    let step = steps.iter().find(|it| it.id == held.step.id).unwrap_or(&held.step);
    if let Some(news) = News::of(door, chat) {
        news.finished(&run, step, &files).await;
    }
    door.run_changed();
    Ok(ok("Step completed", wire::step(chat, step, &files)))
}

/// What a form brings: the members of the result, and its file.
async fn parts(
    door: &Door,
    chat: &Chat,
    mut form: Form<'_>,
) -> Result<(Map<String, Value>, Option<Kept>), Error> {
    let (mut result, mut kept) = (Map::new(), None);
    let read = async {
        while let Some(part) = form.next().await? {
            match part.name() {
                Some(files::FILE) if kept.is_none() => {
                    kept = Some(files::keep(door, chat, part).await?);
                }
                Some("result") => {
                    result = object(&form.text(part).await?)?;
                }
                _ => form.skip(part).await?,
            }
        }
        Ok(())
    };
    match read.await {
        Ok(()) => Ok((result, kept)),
        Err(why) => {
            let keys: Vec<_> = kept.into_iter().map(|it| it.key).collect();
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
    serde_json::from_str(text).map_err(|why| bad(why.to_string()))
}
