//! Description of a chat in an archive: what clients see, and what else a restore needs. JSON of the
//! store is copied unchanged.
use quadrille_core::json::is_deep;
use quadrille_store::{Chat, ChatFile, ChatMessage, Place, Run, Step, WholeChat};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Number, value::RawValue};

use super::{BadArchive, MAX_ENTRIES, MAX_METADATA, MAX_PARTS};
use crate::{
    state::chat_topic,
    values,
    wire::{self, MAX_RESULTS},
};

/// Upper bounds on the id of a run, and on the name of an operation, in bytes.
const MAX_RUN: usize = 400;
const MAX_OPERATION: usize = 200;

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Described {
    pub(super) chat_id: String,
    pub(super) participant_name: Option<String>,
    pub(super) status: Option<String>,
    pub(super) partition_key: Option<String>,
    pub(super) metadata: Option<RawObject>,
    pub(super) dialogue: Option<Box<RawValue>>,
    pub(super) created_at: Option<String>,
    pub(super) updated_at: Option<String>,
    pub(super) messages: Option<Vec<DescribedMessage>>,
    pub(super) workflow_steps: Option<Vec<DescribedStep>>,
    pub(super) uploaded_files: Option<Vec<String>>,
    pub(super) output_files: Option<Vec<String>>,
    pub(super) files: Option<Vec<DescribedFile>>,
    pub(super) runs: Option<Vec<DescribedRun>>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct DescribedMessage {
    pub(super) message_id: Option<String>,
    pub(super) message_type: Option<String>,
    #[serde(default)]
    pub(super) content: String,
    pub(super) metadata: Option<RawObject>,
    pub(super) created_at: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct DescribedFile {
    pub(super) path: String,
    pub(super) created_at: Option<String>,
    /// Cells that begin like a formula are stored unchanged, and get an apostrophe in a download.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) values: bool,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct DescribedRun {
    pub(super) run_id: String,
    pub(super) origin: Option<String>,
    pub(super) status: Option<String>,
    pub(super) seq: Option<u32>,
    pub(super) error: Option<String>,
    pub(super) submitted_at: Option<String>,
    pub(super) started_at: Option<String>,
    pub(super) completed_at: Option<String>,
    #[serde(default)]
    pub(super) steps: Vec<DescribedStep>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct DescribedStep {
    pub(super) step_id: Option<String>,
    pub(super) operation: String,
    pub(super) kind: Option<String>,
    pub(super) arguments: Option<RawObject>,
    pub(super) input_file: Option<String>,
    pub(super) output_file: Option<String>,
    pub(super) status: Option<String>,
    pub(super) progress: Option<Number>,
    pub(super) result: Option<RawObject>,
    pub(super) error_message: Option<String>,
    pub(super) worker: Option<String>,
    pub(super) started_at: Option<String>,
    pub(super) completed_at: Option<String>,
}

/// An object as text: its members keep their order, and its numbers their digits.
#[derive(Debug, Serialize)]
pub(super) struct RawObject(Box<RawValue>);

/// Counts the parts of a chat before they are read into memory.
#[derive(Deserialize)]
struct PartCounts {
    messages: Option<Vec<Counts>>,
    workflow_steps: Option<Vec<Counts>>,
    uploaded_files: Option<Vec<Counts>>,
    output_files: Option<Vec<Counts>>,
    files: Option<Vec<Counts>>,
    runs: Option<Vec<Counts>>,
}

#[derive(Deserialize)]
struct CountedSteps {
    runs: Option<Vec<CountedRun>>,
}

#[derive(Deserialize)]
struct CountedRun {
    steps: Option<Vec<Counts>>,
}

/// An item that takes no memory.
type Counts = serde::de::IgnoredAny;

/// Describes a chat. Fails if [`understand`](super::understand) would refuse it.
pub(crate) fn describe(whole: &WholeChat) -> Result<String, BadArchive> {
    let described = serde_json::to_string(&Described::of(whole)).map_err(|err| unread(&err))?;
    if described.len() as u64 > MAX_METADATA {
        return Err(BadArchive::TooMuch);
    }
    Described::read(&described)?;
    Ok(described)
}

// === impl Described ===

impl Described {
    pub(super) fn read(metadata: &str) -> Result<Self, BadArchive> {
        let bad = |reason: String| Err(BadArchive::Metadata(reason));
        if is_deep(metadata) {
            return bad("it is nested too deeply".to_owned());
        }
        count(metadata)?;
        let described: Self = serde_json::from_str(metadata).map_err(|err| unread(&err))?;
        if let Err(err) = chat_topic(&described.chat_id) {
            return bad(format!("chat_id cannot be one: {err}"));
        }
        let runs = || described.runs.iter().flatten();
        if runs().any(|run| run.run_id.len() > MAX_RUN) {
            return bad(format!("a run_id has more than {MAX_RUN} bytes"));
        }
        let mut steps =
            described.workflow_steps.iter().flatten().chain(runs().flat_map(|run| &run.steps));
        if steps.any(|step| step.operation.len() > MAX_OPERATION) {
            return bad(format!("an operation has more than {MAX_OPERATION} bytes"));
        }
        drop(steps);
        described.fits()?;
        Ok(described)
    }

    /// Refuses parts that are larger than the gateway makes them, since answers would grow with them.
    fn fits(&self) -> Result<(), BadArchive> {
        let large = |what: &str| {
            Err(BadArchive::Metadata(format!("{what} has more than {MAX_RESULTS} bytes")))
        };
        let size =
            |object: &Option<RawObject>| object.as_ref().map_or(0, |object| object.0.get().len());
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        if size(&self.metadata) > MAX_RESULTS {
            return large("the metadata of the chat");
        }
        let message = |message: &DescribedMessage| message.content.len() + size(&message.metadata);
        if self.messages.iter().flatten().any(|entry| message(entry) > MAX_RESULTS) {
            return large("a message");
        }
        let runs = self.runs.iter().flatten();
        let mut runs = runs.map(|run| (text(&run.error), &*run.steps));
        let alone = self.workflow_steps.as_deref().unwrap_or_default();
        let asked = |step: &DescribedStep| size(&step.arguments) + text(&step.error_message);
        let steps = |steps: &[DescribedStep]| {
            steps.iter().map(|step| size(&step.result)).sum::<usize>() > MAX_RESULTS
                || steps.iter().map(asked).sum::<usize>() > MAX_RESULTS
        };
        if runs.any(|(error, of_run)| error > MAX_RESULTS || steps(of_run)) {
            return large("a run, in results or in arguments and errors,");
        }
        // Without runs, the steps become one run.
        if self.runs.is_none() && steps(alone) {
            return large("the list of steps, in results or in arguments and errors,");
        }
        Ok(())
    }

    fn of(WholeChat { chat, messages, files, runs }: &WholeChat) -> Self {
        let paths = |place| {
            let files = files.iter().filter(|file| file.place == place);
            Some(files.map(|file| wire::path(chat, file)).collect())
        };
        let steps = runs.iter().flat_map(|(_, steps)| steps);
        Self {
            chat_id: chat.id.clone(),
            participant_name: Some(chat.participant.clone()),
            status: Some(chat.status.word().to_owned()),
            partition_key: Some(chat.partition.clone()),
            metadata: RawObject::stored(&chat.metadata),
            dialogue: chat.dialogue.as_deref().and_then(raw),
            created_at: Some(wire::time(chat.created_at)),
            updated_at: Some(wire::time(chat.updated_at)),
            messages: Some(messages.iter().map(DescribedMessage::of).collect()),
            workflow_steps: Some(steps.map(|step| DescribedStep::of(chat, step, files)).collect()),
            uploaded_files: paths(Place::Uploads),
            output_files: paths(Place::Outputs),
            files: Some(files.iter().map(DescribedFile::of).collect()),
            runs: Some(runs.iter().map(|run| DescribedRun::of(chat, run, files)).collect()),
        }
    }
}

/// Refuses more parts than a chat may have.
fn count(metadata: &str) -> Result<(), BadArchive> {
    let count = |list: Option<Vec<Counts>>| list.map_or(0, |list| list.len());
    let read: PartCounts = serde_json::from_str(metadata).map_err(|err| unread(&err))?;
    let files = [read.uploaded_files, read.output_files, read.files].map(count);
    if files.into_iter().max() > Some(MAX_ENTRIES) {
        return Err(BadArchive::Entries);
    }
    let parts = |messages: usize, runs: usize, steps: usize| {
        let all = messages.saturating_add(runs).saturating_add(steps);
        if all > MAX_PARTS {
            return Err(BadArchive::Parts { messages, runs, steps });
        }
        Ok(())
    };
    let (messages, runs) = (count(read.messages), count(read.runs));
    let steps = count(read.workflow_steps);
    parts(messages, runs, steps)?;
    let read: CountedSteps = serde_json::from_str(metadata).map_err(|err| unread(&err))?;
    let of_runs = read.runs.into_iter().flatten().map(|run| count(run.steps)).sum();
    parts(messages, runs, steps.max(of_runs))
}

fn unread(err: &serde_json::Error) -> BadArchive {
    BadArchive::Metadata(format!("it cannot be read: {err}"))
}

/// JSON of the store.
fn raw(json: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(json.to_owned()).ok()
}

// === impl DescribedMessage ===

impl DescribedMessage {
    fn of(said: &ChatMessage) -> Self {
        Self {
            message_id: Some(said.id.to_string()),
            message_type: Some(said.kind.word().to_owned()),
            content: said.content.clone(),
            metadata: RawObject::stored(&said.metadata),
            created_at: Some(wire::time(said.created_at)),
        }
    }
}

// === impl DescribedFile ===

impl DescribedFile {
    fn of(file: &ChatFile) -> Self {
        Self {
            path: format!("{}/{}", file.place.word(), file.name),
            created_at: Some(wire::time(file.created_at)),
            values: values::formulas(&file.name, &file.key) > 0,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

// === impl DescribedRun ===

impl DescribedRun {
    fn of(chat: &Chat, (run, steps): &(Run, Vec<Step>), files: &[ChatFile]) -> Self {
        Self {
            run_id: run.id.clone(),
            origin: Some(run.started_by.clone()),
            status: Some(run.status.word().to_owned()),
            seq: u32::try_from(run.seq).ok(),
            error: run.error.clone(),
            submitted_at: Some(wire::time(run.created_at)),
            started_at: run.started_at.map(wire::time),
            completed_at: run.ended_at.map(wire::time),
            steps: steps.iter().map(|step| DescribedStep::of(chat, step, files)).collect(),
        }
    }
}

// === impl DescribedStep ===

impl DescribedStep {
    fn of(chat: &Chat, step: &Step, files: &[ChatFile]) -> Self {
        let path = |id: Option<i64>| {
            let file = files.iter().find(|file| Some(file.id) == id)?;
            Some(wire::path(chat, file))
        };
        Self {
            step_id: Some(step.id.to_string()),
            operation: step.operation.clone(),
            kind: Some(step.kind.word().to_owned()),
            arguments: RawObject::stored(&step.arguments),
            input_file: path(step.input),
            output_file: path(step.output),
            status: Some(step.status.word().to_owned()),
            progress: Some(step.progress.into()),
            result: step.result.as_deref().and_then(RawObject::stored),
            error_message: step.error.clone(),
            worker: step.worker.clone(),
            started_at: step.started_at.map(wire::time),
            completed_at: step.completed_at.map(wire::time),
        }
    }
}

// === impl Object ===

impl RawObject {
    fn stored(json: &str) -> Option<Self> {
        raw(json).filter(|raw| raw.get().starts_with('{')).map(Self)
    }

    pub(super) fn into_text(self) -> String {
        Box::<str>::from(self.0).into_string()
    }
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        if raw.get().starts_with('{') {
            return Ok(Self(raw));
        }
        Err(D::Error::custom("an object was expected"))
    }
}
