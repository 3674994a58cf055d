//! Steps that a client sends become a run.
use axum::extract::Request;
use http::StatusCode;
use quadrille_core::Holder;
use quadrille_store::{Chat, NewRun, NewStep, Place, Run, StepKind, Store};
use quadrille_tabular::NAMES;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    envelope::{Base, Envelope, ok},
    error::Error,
    key::Keyed,
};
use crate::{digest::Digest, door::Door, news::Origin, wire};

/// Bytes of the name of an operation, at most.
const MAX_NAME: usize = 200;

#[derive(Deserialize, ToSchema)]
#[schema(as = Steps)]
pub(super) struct Asked {
    #[schema(value_type = Vec<AskedStep>, required, max_items = 100)]
    steps: Option<Vec<AskedStep>>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Step)]
pub(super) struct AskedStep {
    #[schema(min_length = 1, max_length = 200, example = "excel/convert-to-csv")]
    operation: String,
    /// What the operation wants to know: an object for those that are done here.
    #[schema(value_type = Option<Value>)]
    arguments: Option<Box<RawValue>>,
    #[serde(default)]
    #[schema(inline)]
    kind: AskedKind,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum AskedKind {
    #[default]
    Internal,
    External,
}

/// The steps that the body of a request asks for.
pub(super) async fn read(request: Request) -> Result<Vec<NewStep>, Error> {
    let asked: Asked = super::read(request).await.map_err(|why| match why {
        Error::Invalid(why) => Error::Invalid(format!(
            "expected {{\"steps\":[{{\"operation\":TEXT,\"arguments\":OBJECT}}]}}: {why}"
        )),
        why => why,
    })?;
    let none = || Error::Invalid("No steps provided".to_owned());
    asked.steps.ok_or_else(none)?.into_iter().map(AskedStep::taken).collect()
}

/// By which a request of these steps is known again.
pub(super) fn digest(of: &str, steps: &[NewStep]) -> String {
    let digest = steps.iter().fold(Digest::new().part(of), |digest, step| {
        digest.part(step.kind.word()).part(&step.operation).part(&step.arguments)
    });
    digest.done()
}

/// Begin a run of `steps`, of which the first has the file that was uploaded last.
pub(super) async fn begin(
    door: &Door,
    store: &Store,
    chat: &Chat,
    origin: Origin,
    steps: &[NewStep],
    key: Option<&Keyed>,
) -> Result<Run, Error> {
    // As clients of the original know it, a run of no steps is one that is over.
    if steps.is_empty() && origin != Origin::Execute {
        return Err(Error::Invalid("No steps provided".to_owned()));
    }
    let most = door.config.max_steps;
    if steps.len() > most {
        return Err(Error::Invalid(format!("a run has at most {most} steps")));
    }
    let files = store.chat_files(&chat.id).await?;
    let input = files.iter().rfind(|it| it.place == Place::Uploads).map(|it| it.id);
    if input.is_none() && steps.first().is_some_and(|it| it.kind == StepKind::Internal) {
        return Err(Error::Invalid("No uploaded file found for processing".to_owned()));
    }
    let id = Uuid::now_v7();
    let millis = quadrille_core::now();
    let random = id.as_u128() & 0xffff_ffff;
    let id = format!("{}_workflow_{millis}_{random:08x}", chat.id);
    let (max_waiting, share) = waiting(door, chat);
    let key = key.map(Keyed::stored);
    let (chat, started_by) = (&*chat.id, origin.word());
    let new = NewRun { id: &id, chat, started_by, steps, input, max_waiting, share, key };
    let run = store.create_run(new).await?;
    door.work.notify_one();
    Ok(run)
}

/// How many runs may wait, and how many of them may be those of the chat's owner.
pub(super) fn waiting(door: &Door, chat: &Chat) -> (i64, i64) {
    let most = door.config.max_waiting;
    let share = chat
        .user_id
        .as_deref()
        .map_or(most, |user| door.core.shares.limit(&Holder::User(user.into()), most));
    let number = |it| i64::try_from(it).unwrap_or(i64::MAX);
    (number(most), number(share))
}

/// What is said of a run that nobody waits for.
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

impl AskedStep {
    pub(super) fn taken(self) -> Result<NewStep, Error> {
        if self.operation.is_empty() || self.operation.len() > MAX_NAME {
            return Err(Error::Invalid(format!("operation must have 1 to {MAX_NAME} bytes")));
        }
        let given = self.arguments.filter(|it| it.get() != "null");
        let arguments = given.map_or_else(|| "{}".to_owned(), |it| it.get().to_owned());
        let kind = match self.kind {
            // Before anything is run, and not when its turn has come.
            AskedKind::Internal if !NAMES.contains(&self.operation.as_str()) => {
                return Err(Error::Invalid(format!(
                    "No handler found for operation: {}; there are {}, and any other for a step of \
                     the kind `external`",
                    self.operation,
                    NAMES.join(", ")
                )));
            }
            AskedKind::Internal => StepKind::Internal,
            AskedKind::External => StepKind::External,
        };
        Ok(NewStep { operation: self.operation, kind, arguments })
    }
}
