//! Builds the chat of an archive. Tolerant, since the archive may be the original's.
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use quadrille_store::{
    Chat, ChatFile, ChatMessage, ChatStatus, MessageType, Place, Run, RunStatus, Step, StepKind,
    StepStatus, WholeChat, files::Files,
};
use quadrille_tabular::Defuse;
use serde_json::Number;
use uuid::Uuid;

use super::{
    BadArchive, Unpacked,
    description::{
        Described, DescribedFile, DescribedMessage, DescribedRun, DescribedStep, RawObject,
    },
    path,
    read::UnpackedFile,
};
use crate::{bot, values};

/// A chat to store.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) whole: WholeChat,
    /// Paths of its files, in their order.
    pub(crate) bytes: Vec<PathBuf>,
}

/// Ids of files, by place and name.
type Ids<'a> = HashMap<(Place, Cow<'a, str>), i64>;

/// Builds the chat of an archive, for `owner`.
pub(crate) fn understand(unpacked: Unpacked, owner: Option<&str>) -> Result<Restored, BadArchive> {
    let Unpacked { metadata, mut files } = unpacked;
    let described = Described::read(&metadata)?;
    let now = i64::try_from(quadrille_core::now()).unwrap_or(i64::MAX);
    let created_at = time(described.created_at.as_deref()).unwrap_or(now);
    let updated_at = time(described.updated_at.as_deref()).unwrap_or(created_at);
    let listed = described.listed();
    if let Some(listed) = &described.files {
        let there: HashSet<_> = files.iter().map(named).collect();
        let gone = listed
            .iter()
            .find(|file| path::last(&file.path).is_none_or(|key| !there.contains(&key)));
        if let Some(DescribedFile { path, .. }) = gone {
            let reason = format!("it has the file {path:?}, which is not in the archive");
            return Err(BadArchive::Metadata(reason));
        }
    }
    let known = |file: &UnpackedFile| listed.get(&named(file)).copied();
    files.retain(|file| known(file).is_some() || !path::is_stray(&file.name));
    files.sort_by_cached_key(|file| known(file).map_or(usize::MAX, |(at, _)| at));
    let with_values: HashSet<_> = described
        .files
        .iter()
        .flatten()
        .filter(|file| file.values)
        .filter_map(|file| path::last(&file.path))
        .collect();
    let kept: Result<Vec<_>, BadArchive> = (1..)
        .zip(&files)
        .map(|(id, file)| {
            let name = Files::sanitise(&file.name);
            let formulas = if with_values.contains(&named(file)) {
                count(&file.at).map_err(BadArchive::Scratch)?
            } else {
                0
            };
            Ok(ChatFile {
                id,
                place: file.place,
                key: values::key(&described.chat_id, &name, formulas),
                name,
                size: i64::try_from(file.size).unwrap_or(i64::MAX),
                created_at: known(file).and_then(|(_, at)| at).unwrap_or(updated_at),
            })
        })
        .collect();
    let kept = kept?;
    let ids = (1..).zip(&files).map(|(id, file)| (named(file), id)).collect();
    let chat = Chat {
        user_id: owner.map(str::to_owned),
        participant: described.participant_name.unwrap_or_else(bot::name::participant),
        status: match described.status.as_deref().and_then(ChatStatus::parse) {
            // No worker has it.
            Some(ChatStatus::Processing) => ChatStatus::Failed,
            status => status.unwrap_or(ChatStatus::Active),
        },
        partition: described
            .partition_key
            .filter(|partition| is_plain(partition))
            .unwrap_or_default(),
        metadata: text(described.metadata),
        dialogue: described.dialogue.map(|dialogue| dialogue.get().to_owned()),
        created_at,
        updated_at,
        id: described.chat_id,
    };
    let messages = described.messages.unwrap_or_default();
    let messages = messages.into_iter().map(|message| message.into_message(created_at)).collect();
    let runs = match (described.runs, described.workflow_steps) {
        (Some(runs), _) => runs,
        // Archives of the original have no runs.
        (None, Some(steps)) if !steps.is_empty() => vec![DescribedRun::with_steps(&chat.id, steps)],
        (None, _) => Vec::new(),
    };
    let runs = runs.into_iter().map(|run| run.into_run(&chat, &ids)).collect();
    let bytes = files.iter().map(|file| file.at.clone()).collect();
    Ok(Restored { whole: WholeChat { chat, messages, files: kept, runs }, bytes })
}

/// Place and name, as from [`path::last`].
fn named(file: &UnpackedFile) -> (Place, Cow<'_, str>) {
    (file.place, Cow::Borrowed(&file.name))
}

impl Described {
    /// Position and creation time of the files.
    fn listed(&self) -> HashMap<(Place, Cow<'_, str>), (usize, Option<i64>)> {
        let ours = self.files.iter().flatten();
        let ours = ours.map(|file| (file.path.as_str(), time(file.created_at.as_deref())));
        let theirs = self.uploaded_files.iter().chain(&self.output_files).flatten();
        let all = ours.chain(theirs.map(|path| (path.as_str(), None)));
        let mut listed = HashMap::new();
        for (position, (path, at)) in all.enumerate() {
            if let Some(file) = path::last(path) {
                listed.entry(file).or_insert((position, at));
            }
        }
        listed
    }
}

impl DescribedMessage {
    fn into_message(self, default: i64) -> ChatMessage {
        ChatMessage {
            id: id(self.message_id.as_deref()),
            kind: self
                .message_type
                .as_deref()
                .and_then(MessageType::parse)
                .unwrap_or(MessageType::System),
            content: self.content,
            metadata: text(self.metadata),
            created_at: time(self.created_at.as_deref()).unwrap_or(default),
        }
    }
}

impl DescribedRun {
    /// Makes a run of these steps.
    fn with_steps(chat: &str, steps: Vec<DescribedStep>) -> Self {
        let last = |of: fn(&DescribedStep) -> &Option<String>| {
            steps.last().and_then(|step| of(step).clone())
        };
        let failed = steps.iter().find(|step| step.status.as_deref() == Some("failed"));
        Self {
            run_id: format!("{chat}_workflow_{}", Uuid::now_v7().simple()),
            origin: None,
            status: Some(
                if failed.is_some() { RunStatus::Failed } else { RunStatus::Completed }
                    .word()
                    .to_owned(),
            ),
            seq: None,
            error: failed.and_then(|step| step.error_message.clone()),
            submitted_at: steps.first().and_then(|step| step.started_at.clone()),
            started_at: steps.first().and_then(|step| step.started_at.clone()),
            completed_at: last(|step| &step.completed_at),
            steps,
        }
    }

    fn into_run(self, chat: &Chat, ids: &Ids<'_>) -> (Run, Vec<Step>) {
        let steps =
            (0..).zip(self.steps).map(|(at, step)| step.into_step(at, ids)).collect::<Vec<_>>();
        let done = steps.iter().take_while(|step| step.status == StepStatus::Completed).count();
        let status = match self.status.as_deref().and_then(RunStatus::parse) {
            Some(RunStatus::Completed) if done < steps.len() => RunStatus::Interrupted,
            status => status.unwrap_or(RunStatus::Interrupted),
        };
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let run = Run {
            id: self.run_id,
            chat_id: chat.id.clone(),
            started_by: self.origin.unwrap_or_else(|| "restore".to_owned()),
            status,
            seq: self.seq.unwrap_or_default().into(),
            total: count(steps.len()),
            next: count(done),
            next_kind: steps.get(done).map_or(StepKind::Internal, |step| step.kind),
            error: self.error,
            attempts: 0,
            created_at: time(self.submitted_at.as_deref()).unwrap_or(chat.created_at),
            started_at: time(self.started_at.as_deref()),
            ended_at: time(self.completed_at.as_deref()),
        };
        (run, steps)
    }
}

impl DescribedStep {
    fn into_step(self, position: i64, ids: &Ids<'_>) -> Step {
        let file = |path: Option<String>| ids.get(&path::last(path.as_deref()?)?).copied();
        let status = self.status.as_deref().and_then(StepStatus::parse);
        let progress = self.progress.as_ref().and_then(Number::as_f64);
        Step {
            id: id(self.step_id.as_deref()),
            position,
            operation: self.operation,
            kind: self.kind.as_deref().and_then(StepKind::parse).unwrap_or(StepKind::Internal),
            arguments: text(self.arguments),
            status: status.unwrap_or(StepStatus::Skipped),
            #[expect(clippy::cast_possible_truncation, reason = "the value is between 0 and 100")]
            progress: progress.unwrap_or_default().clamp(0.0, 100.0) as i64,
            input: file(self.input_file),
            output: file(self.output_file),
            result: self.result.map(RawObject::into_text),
            error: self.error_message,
            worker: self.worker,
            started_at: time(self.started_at.as_deref()),
            completed_at: time(self.completed_at.as_deref()),
        }
    }
}

/// Counts the cells of a file that begin like a formula.
fn count(path: &Path) -> io::Result<u64> {
    let (mut defuse, mut download) = (Defuse::default(), Vec::new());
    let mut file = File::open(path)?;
    let mut block = vec![0; 64 << 10];
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            return Ok(defuse.finish(&mut download));
        }
        defuse.push(block.get(..read).unwrap_or_default(), &mut download);
        download.clear();
    }
}

fn id(text: Option<&str>) -> Uuid {
    text.and_then(|text| text.parse().ok()).unwrap_or_else(Uuid::now_v7)
}

fn text(object: Option<RawObject>) -> String {
    object.map_or_else(|| "{}".to_owned(), RawObject::into_text)
}

/// Parses a time into Unix milliseconds. Without an offset, as in the original, it is in UTC.
fn time(text: Option<&str>) -> Option<i64> {
    let text = text?;
    let at = text.parse::<Timestamp>().ok().or_else(|| {
        let at = text.parse::<DateTime>().ok()?;
        Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })?;
    Some(at.as_millisecond())
}

/// Whether a partition key may be a part of a path.
fn is_plain(partition: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    partition.len() <= 64
        && partition.split('/').all(|part| !part.is_empty() && part.chars().all(good))
}
