//! `POST …/execute`: begin a run, and wait for its end unless the client does not want to.
use std::{collections::HashMap, sync::Arc};

use axum::extract::{Path, Query, Request, State};
use http::StatusCode;
use quadrille_core::{
    auth::Action,
    rest::{BadBody, Body},
};
use quadrille_store::{Chat, NewRun, NewStep, Place, Run, RunStatus, StepKind};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use uuid::Uuid;

use super::{
    BODY,
    caller::Caller,
    envelope::{Base, Envelope, ok},
    error::Error,
};
use crate::{door::Door, news::Origin, wire};

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    steps: Vec<AskedStep>,
}

#[derive(Deserialize)]
struct AskedStep {
    operation: String,
    arguments: Option<Box<RawValue>>,
}

pub(super) async fn execute(
    State(door): State<Arc<Door>>,
    caller: Caller,
    base: Base,
    Path(chat): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Write).await?;
    let body = Body::read(request, BODY).await?;
    let asked: Asked = body.parse().map_err(|why| match why {
        BadBody::Json(why) => Error::Invalid(format!(
            "expected {{\"steps\":[{{\"operation\":TEXT,\"arguments\":OBJECT}}]}}: {why}"
        )),
        why => why.into(),
    })?;
    let run = begin(&door, &chat, asked).await?;
    if query.get("wait").is_some_and(|it| it == "false" || it == "0") {
        let at = format!("{}/{}/runs/{}", crate::CHATS, wire::escaped(&chat.id), run.id);
        let data = json!({
            "job_id": run.id,
            "status": "submitted",
            "status_url": format!("{}{at}", base.0),
        });
        return Ok(ok("Workflow submitted", data).status(StatusCode::ACCEPTED));
    }
    let run = door.over(&run.id).await?.ok_or(Error::NoChat)?;
    if run.status != RunStatus::Completed {
        let why = run.error.unwrap_or_else(|| run.status.word().to_owned());
        return Err(Error::Run(why));
    }
    let files = door.memory.store.chat_files(&chat.id).await?;
    let steps = door.memory.store.steps(&run.id).await?;
    let results: Vec<_> =
        steps.iter().map(|it| wire::result(&chat, it, &files, Some(&base))).collect();
    let outputs: Vec<_> = files
        .iter()
        .filter(|it| it.place == Place::Outputs)
        .map(|file| {
            json!({
                "file_path": wire::path(&chat, file),
                "download_url": wire::url(&base, &chat.id, &file.name),
            })
        })
        .collect();
    let total = results.len();
    let data = json!({ "results": results, "output_files": outputs, "job_id": run.id });
    Ok(ok("Workflow executed successfully", data).total(total))
}

async fn begin(door: &Door, chat: &Chat, asked: Asked) -> Result<Run, Error> {
    if asked.steps.is_empty() {
        return Err(Error::Invalid("No steps provided".to_owned()));
    }
    let most = door.config.max_steps;
    if asked.steps.len() > most {
        return Err(Error::Invalid(format!("a run has at most {most} steps")));
    }
    let files = door.memory.store.chat_files(&chat.id).await?;
    let input = files.iter().rfind(|it| it.place == Place::Uploads);
    let input =
        input.ok_or_else(|| Error::Invalid("No uploaded file found for processing".to_owned()))?.id;
    let steps: Vec<_> = asked.steps.into_iter().map(AskedStep::taken).collect();
    let id = Uuid::now_v7();
    let millis = quadrille_core::now();
    let random = id.as_u128() & 0xffff_ffff;
    let id = format!("{}_workflow_{millis}_{random:08x}", chat.id);
    let max_waiting = i64::try_from(door.config.max_waiting).unwrap_or(i64::MAX);
    let new = NewRun {
        id: &id,
        chat: &chat.id,
        origin: Origin::Execute.word(),
        steps: &steps,
        input: Some(input),
        max_waiting,
    };
    let run = door.memory.store.create_run(new).await?;
    door.work.notify_one();
    Ok(run)
}

impl AskedStep {
    fn taken(self) -> NewStep {
        let given = self.arguments.filter(|it| it.get() != "null");
        let arguments = given.map_or_else(|| "{}".to_owned(), |it| it.get().to_owned());
        NewStep { operation: self.operation, kind: StepKind::Internal, arguments }
    }
}
