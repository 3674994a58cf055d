//! How things look to clients: times, paths, addresses, runs.
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use quadrille_store::{Chat, ChatFile, ChatMessage, Place, Run, RunStatus, Step};
use serde_json::{Map, Value, json};

use crate::http::Base;

/// What is not escaped in a part of a path.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Unix milliseconds as RFC 3339 in UTC, with microseconds as the original has them.
pub(crate) fn time(millis: i64) -> String {
    let at = Timestamp::from_millisecond(millis).unwrap_or_default();
    format!("{at:.6}")
}

pub(crate) fn now() -> String {
    time(i64::try_from(quadrille_core::now()).unwrap_or(i64::MAX))
}

/// Where a file of a chat is, as clients name it.
pub(crate) fn path(chat: &Chat, file: &ChatFile) -> String {
    format!("{}{}/{}", folder(chat), file.place.word(), file.name)
}

/// What the paths of all files of a chat begin with.
pub(crate) fn folder(chat: &Chat) -> String {
    let slash = if chat.partition.is_empty() { "" } else { "/" };
    format!("workflows/{}{slash}{}/", chat.partition, chat.id)
}

/// Where a file of a chat can be downloaded.
pub(crate) fn url(base: &Base, chat: &str, name: &str) -> String {
    base.url(&format!("{}/{}/files/{}", crate::CHATS, escaped(chat), escaped(name)))
}

/// The files of a place, and where they can be downloaded.
pub(crate) fn files(chat: &Chat, files: &[ChatFile], place: Place, base: &Base) -> Vec<Value> {
    listed(files, place, |it| {
        let shown = file(chat, it, base);
        let size = shown.to_string().len();
        (shown, size)
    })
}

/// A file of a chat and where it can be downloaded.
pub(crate) fn file(chat: &Chat, file: &ChatFile, base: &Base) -> Value {
    json!({ "file_path": path(chat, file), "download_url": url(base, &chat.id, &file.name) })
}

pub(crate) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// Bytes of the results of all steps of a run together, at most.
pub(crate) const MAX_RESULTS: usize = 2 << 20;

/// Bytes of why something failed, at most: it may name what a file or a client made up.
const MAX_WHY: usize = 4 << 10;

/// Bytes of the files that one answer lists, about, at most.
const MAX_LISTED: usize = 1 << 20;

/// Why something failed, without what would be too long of it.
pub(crate) fn short(mut why: String) -> String {
    if why.len() > MAX_WHY {
        why.truncate(why.floor_char_boundary(MAX_WHY));
        why.push('…');
    }
    why
}

/// Whether a step may have `result` besides those of the other steps of its run.
pub(crate) fn fits<'a>(result: &str, others: impl IntoIterator<Item = &'a Step>) -> bool {
    let others = others.into_iter().filter_map(|it| it.result.as_deref());
    others.map(str::len).sum::<usize>().saturating_add(result.len()) <= MAX_RESULTS
}

/// The files of a place, as `show` makes them; of very many only the newest.
pub(crate) fn listed(
    files: &[ChatFile],
    place: Place,
    show: impl Fn(&ChatFile) -> (Value, usize),
) -> Vec<Value> {
    let mut left = MAX_LISTED;
    let newest = files.iter().rev().filter(|it| it.place == place).map(show);
    let fitting = newest.take_while(|(_, size)| {
        let fits = *size <= left;
        left = left.saturating_sub(*size);
        fits
    });
    let mut listed: Vec<_> = fitting.map(|(shown, _)| shown).collect();
    listed.reverse();
    listed
}

/// JSON that is in the store, where it was checked.
pub(crate) fn stored(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

/// What a step made: what it counted, and its file.
pub(crate) fn result(
    chat: &Chat,
    step: &Step,
    files: &[ChatFile],
    base: Option<&Base>,
) -> Map<String, Value> {
    let mut result = match step.result.as_deref().map(stored) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    };
    let file = files.iter().find(|it| Some(it.id) == step.output);
    result.insert("output_file_path".to_owned(), file.map(|file| path(chat, file)).into());
    if let (Some(file), Some(base)) = (file, base) {
        result.insert("download_url".to_owned(), url(base, &chat.id, &file.name).into());
    }
    result
}

/// A chat as lists show it.
pub(crate) fn head(chat: &Chat) -> Value {
    json!({
        "chat_id": chat.id,
        "participant_name": chat.participant,
        "status": chat.status.word(),
        "partition_key": chat.partition,
        "metadata": stored(&chat.metadata),
        "created_at": time(chat.created_at),
        "updated_at": time(chat.updated_at),
    })
}

/// A chat with everything in it.
pub(crate) fn chat<'a>(
    chat: &Chat,
    said: &[ChatMessage],
    steps: impl IntoIterator<Item = &'a Step>,
    files: &[ChatFile],
) -> Value {
    let paths = |place| {
        listed(files, place, |file| {
            let path = path(chat, file);
            let size = path.len();
            (path.into(), size)
        })
    };
    let mut shown = head(chat);
    shown["messages"] = said.iter().map(message).collect();
    shown["workflow_steps"] = steps.into_iter().map(|it| step(chat, it, files)).collect();
    shown["uploaded_files"] = paths(Place::Uploads).into();
    shown["output_files"] = paths(Place::Outputs).into();
    shown
}

pub(crate) fn message(said: &ChatMessage) -> Value {
    json!({
        "message_id": said.id,
        "message_type": said.kind.word(),
        "content": said.content,
        "metadata": stored(&said.metadata),
        "created_at": time(said.created_at),
    })
}

pub(crate) fn step(chat: &Chat, step: &Step, files: &[ChatFile]) -> Value {
    let path = |id| files.iter().find(|it| Some(it.id) == id).map(|file| path(chat, file));
    json!({
        "step_id": step.id,
        "operation": step.operation,
        "kind": step.kind.word(),
        "arguments": stored(&step.arguments),
        "input_file": path(step.input),
        "output_file": path(step.output),
        "status": step.status.word(),
        "progress": step.progress,
        "error_message": step.error,
        "worker": step.worker,
        "started_at": step.started_at.map(time),
        "completed_at": step.completed_at.map(time),
    })
}

/// A run with its steps, as it is asked for and as it is shown to who comes late.
pub(crate) fn run(
    chat: &Chat,
    run: &Run,
    steps: &[Step],
    files: &[ChatFile],
    percent: Option<u8>,
    base: Option<&Base>,
) -> Value {
    let shown: Vec<_> = steps
        .iter()
        .map(|it| {
            let mut shown = step(chat, it, files);
            if let Some(percent) = percent.filter(|_| it.position == run.next)
                && run.status == RunStatus::Running
            {
                shown["progress"] = percent.into();
            }
            if it.result.is_some() {
                shown["result"] = result(chat, it, files, base).into();
            }
            shown
        })
        .collect();
    let results: Vec<_> = steps.iter().filter(|it| it.result.is_some()).collect();
    let results: Vec<_> = results.iter().map(|it| result(chat, it, files, base)).collect();
    let over = run.status == RunStatus::Completed;
    json!({
        "job_id": run.id,
        "run_id": run.id,
        "chat_id": run.chat_id,
        "status": run.status.word(),
        "seq": run.seq,
        "total_steps": run.total,
        "completed_steps": run.next,
        "steps": shown,
        "submitted_at": time(run.created_at),
        "started_at": run.started_at.map(time),
        "completed_at": run.ended_at.map(time),
        "result": over.then(|| json!({ "results": results })),
        "error": run.error,
    })
}
