//! `POST …/execute`: begin a run, and wait for its end unless the client does not want to.
use std::{collections::HashMap, sync::Arc};

use axum::extract::{Query, Request, State};
use quadrille_identity::Action;
use quadrille_store::{Place, RunStatus};
use serde_json::json;

use super::{
    begin::{self, Asked},
    caller::Caller,
    envelope::{Answer, Base, Envelope, ok},
    error::Error,
    key::Key,
    path::Path,
};
use crate::{CHATS, door::Door, news::Origin, wire};

/// Run steps, and wait for the end of the run
///
/// A client that leaves does not end the run.
#[utoipa::path(
    post,
    context_path = CHATS,
    path = "/{chat}/execute",
    tag = "chats",
    params(Key, ("wait" = Option<String>, Query, description = "`false` answers at once")),
    request_body = Asked,
    responses(
        (status = 200, description = "`results` of the steps, `output_files`, and the `job_id`", body = Answer),
        (status = 202, description = "With `wait=false`: the `job_id` and a `status_url`", body = Answer),
        (status = 500, description = "The run failed, and `status_code` is 422; or the server did", body = Answer),
    )
)]
pub(super) async fn execute(
    State(door): State<Arc<Door>>,
    caller: Caller,
    base: Base,
    Path(chat): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    key: Key,
    request: Request,
) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Write).await?;
    let steps = begin::read(request).await?;
    let key = key.of(&caller, || begin::digest("run", &steps));
    let run =
        begin::begin(&door, &caller.store, &chat, Origin::Execute, &steps, key.as_ref()).await?;
    if query.get("wait").is_some_and(|it| it == "false" || it == "0") {
        return Ok(begin::submitted(&run, &base));
    }
    let Some(over) = door.core.life.unless_closing(door.over(&run.id)).await else {
        return Err(Error::GoesOn(run.id));
    };
    let run = over?.ok_or(Error::NoChat)?;
    if run.status != RunStatus::Completed {
        let why = run.error.unwrap_or_else(|| run.status.word().to_owned());
        return Err(Error::Run(why));
    }
    let files = caller.store.chat_files(&chat.id).await?;
    let steps = caller.store.steps(&run.id).await?;
    let results: Vec<_> =
        steps.iter().map(|it| wire::result(&chat, it, &files, Some(&base))).collect();
    let outputs = wire::files(&chat, &files, Place::Outputs, &base);
    let total = results.len();
    let data = json!({ "results": results, "output_files": outputs, "job_id": run.id });
    let said = wire::incomplete(&steps);
    let said = said.as_deref().unwrap_or("Workflow executed successfully");
    Ok(ok(said, data).total(total))
}
