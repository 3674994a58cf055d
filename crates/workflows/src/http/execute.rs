//! `POST …/execute`: starts a run, and waits for its end unless `wait=false`.
use std::{collections::HashMap, sync::Arc};

use axum::extract::{self, Query, Request};
use quadrille_edge::http::Base;
use quadrille_identity::Action;
use quadrille_store::{Place, RunStatus};
use serde_json::json;

use super::{
    begin::{self, StepsBody},
    caller::ChatCaller,
    envelope::{Envelope, EnvelopeBody, ok},
    error::Error,
    key::KeyHeader,
    path::Path,
};
use crate::{CHATS, run_events::StartedBy, state::State, wire};

/// Run steps, and wait for the end of the run
///
/// The run continues if the client disconnects.
#[utoipa::path(
    post,
    context_path = CHATS,
    path = "/{chat}/execute",
    tag = "chats",
    params(KeyHeader, ("wait" = Option<String>, Query, description = "`false` answers at once")),
    request_body = StepsBody,
    responses(
        (status = 200, description = "`results` of the steps, `output_files`, and the `job_id`", body = EnvelopeBody),
        (status = 202, description = "With `wait=false`: the `job_id` and a `status_url`", body = EnvelopeBody),
        (status = 500, description = "The run failed, and `status_code` is 422; or an internal error", body = EnvelopeBody),
    )
)]
pub(super) async fn execute(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
    base: Base,
    Path(chat): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    key: KeyHeader,
    request: Request,
) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Write).await?;
    let steps = begin::read(request).await?;
    let key = key.of(&caller, || begin::digest("run", &steps));
    let run =
        begin::start_run(&state, &caller.store, &chat, StartedBy::Execute, &steps, key.as_ref())
            .await?;
    if query.get("wait").is_some_and(|wait| wait == "false" || wait == "0") {
        return Ok(begin::submitted(&run, &base));
    }
    let Some(ended) = state.core.life.unless_closing(state.ended(&run.id)).await else {
        return Err(Error::GoesOn(run.id));
    };
    let run = ended?.ok_or(Error::NoChat)?;
    if run.status != RunStatus::Completed {
        let error = run.error.unwrap_or_else(|| run.status.word().to_owned());
        return Err(Error::Run(error));
    }
    let files = caller.store.chat_files(&chat.id).await?;
    let steps = caller.store.steps(&run.id).await?;
    let results: Vec<_> =
        steps.iter().map(|step| wire::result(&chat, step, &files, Some(&base))).collect();
    let outputs = wire::files(&chat, &files, Place::Outputs, &base);
    let total = results.len();
    let data = json!({ "results": results, "output_files": outputs, "job_id": run.id });
    let message = wire::incomplete(&steps);
    let message = message.as_deref().unwrap_or("Workflow executed successfully");
    Ok(ok(message, data).total(total))
}
