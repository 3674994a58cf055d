//! Starts runs.
use axum::extract::Request;
use http::StatusCode;
use quadrille_core::Holder;
use quadrille_edge::http::Base;
use quadrille_store::{Chat, NewRun, NewStep, Place, Run, StepKind, Store};
use quadrille_tabular::NAMES;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    body,
    envelope::{Envelope, ok},
    error::Error,
    key::RequestKey,
};
use crate::{digest::Digest, run_events::StartedBy, state::State, wire};

/// Upper bound on the name of an operation, in bytes.
const MAX_NAME: usize = 200;

#[derive(Deserialize, ToSchema)]
#[schema(as = Steps)]
pub(super) struct StepsBody {
    #[schema(value_type = Vec<StepBody>, required, max_items = 100)]
    steps: Option<Vec<StepBody>>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Step)]
pub(super) struct StepBody {
    #[schema(min_length = 1, max_length = 200, example = "excel/convert-to-csv")]
    operation: String,
    /// Arguments of the operation; an object for internal steps.
    #[schema(value_type = Option<Value>)]
    arguments: Option<Box<RawValue>>,
    #[serde(default)]
    #[schema(inline)]
    kind: KindBody,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum KindBody {
    #[default]
    Internal,
    External,
}

/// Reads the steps in the body of a request.
pub(super) async fn read(request: Request) -> Result<Vec<NewStep>, Error> {
    let body: StepsBody = body::read(request).await.map_err(|err| match err {
        Error::Invalid(reason) => Error::Invalid(format!(
            "expected {{\"steps\":[{{\"operation\":TEXT,\"arguments\":OBJECT}}]}}: {reason}"
        )),
        err => err,
    })?;
    let none = || Error::Invalid("No steps provided".to_owned());
    body.steps.ok_or_else(none)?.into_iter().map(StepBody::into_step).collect()
}

/// Digest of a request with these steps, for its idempotency key.
pub(super) fn digest(of: &str, steps: &[NewStep]) -> String {
    let digest = steps.iter().fold(Digest::new().part(of), |digest, step| {
        digest.part(step.kind.word()).part(&step.operation).part(&step.arguments)
    });
    digest.done()
}

/// Starts a run of `steps`. The first works on the file that was uploaded last.
pub(super) async fn start_run(
    state: &State,
    store: &Store,
    chat: &Chat,
    started_by: StartedBy,
    steps: &[NewStep],
    key: Option<&RequestKey>,
) -> Result<Run, Error> {
    // As in the original, a run of no steps completes at once.
    if steps.is_empty() && started_by != StartedBy::Execute {
        return Err(Error::Invalid("No steps provided".to_owned()));
    }
    let max = state.config.max_steps;
    if steps.len() > max {
        return Err(Error::Invalid(format!("a run has at most {max} steps")));
    }
    let files = store.chat_files(&chat.id).await?;
    let input = files.iter().rfind(|file| file.place == Place::Uploads).map(|file| file.id);
    if input.is_none() && steps.first().is_some_and(|step| step.kind == StepKind::Internal) {
        return Err(Error::Invalid("No uploaded file found for processing".to_owned()));
    }
    let id = Uuid::now_v7();
    let millis = quadrille_core::now();
    let random = id.as_u128() & 0xffff_ffff;
    let id = format!("{}_workflow_{millis}_{random:08x}", chat.id);
    let (max_waiting, share) = waiting(state, chat);
    let key = key.map(RequestKey::stored);
    let (chat, started_by) = (&*chat.id, started_by.word());
    let new = NewRun { id: &id, chat, started_by, steps, input, max_waiting, share, key };
    let run = store.create_run(new).await?;
    state.work.notify_one();
    Ok(run)
}

/// Upper bounds on waiting runs: of all users, and of the chat's owner.
pub(super) fn waiting(state: &State, chat: &Chat) -> (i64, i64) {
    let max = state.config.max_waiting;
    let share = chat
        .user_id
        .as_deref()
        .map_or(max, |user| state.core.shares.limit(&Holder::User(user.into()), max));
    let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
    (number(max), number(share))
}

/// Answer about a run that was submitted.
pub(super) fn submitted(run: &Run, base: &Base) -> Envelope {
    let at =
        format!("{}/{}/runs/{}", crate::CHATS, wire::escaped(&run.chat_id), wire::escaped(&run.id));
    let data = json!({
        "job_id": run.id,
        "status": "submitted",
        "status_url": base.url(&at),
    });
    ok("Workflow submitted", data).status(StatusCode::ACCEPTED)
}

impl StepBody {
    pub(super) fn into_step(self) -> Result<NewStep, Error> {
        if self.operation.is_empty() || self.operation.len() > MAX_NAME {
            return Err(Error::Invalid(format!("operation must have 1 to {MAX_NAME} bytes")));
        }
        let given = self.arguments.filter(|given| given.get() != "null");
        let arguments = given.map_or_else(|| "{}".to_owned(), |given| given.get().to_owned());
        let kind = match self.kind {
            // Refused now, not when the step is reached.
            KindBody::Internal if !NAMES.contains(&self.operation.as_str()) => {
                return Err(Error::Invalid(format!(
                    "No handler found for operation: {}; there are {}, and any other for a step of \
                     the kind `external`",
                    self.operation,
                    NAMES.join(", ")
                )));
            }
            KindBody::Internal => StepKind::Internal,
            KindBody::External => StepKind::External,
        };
        Ok(NewStep { operation: self.operation, kind, arguments })
    }
}
