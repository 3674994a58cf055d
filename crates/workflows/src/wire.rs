//! JSON and text as clients see them: times, paths, URLs, runs.
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use quadrille_edge::http::Base;
use quadrille_store::{Chat, ChatFile, ChatMessage, Place, Run, RunStatus, Step};
use serde_json::{Map, Value, json};

/// Characters that are escaped in a part of a path.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Formats Unix milliseconds as RFC 3339 in UTC, with microseconds as in the original.
pub(crate) fn time(millis: i64) -> String {
    let at = Timestamp::from_millisecond(millis).unwrap_or_default();
    format!("{at:.6}")
}

pub(crate) fn now() -> String {
    time(i64::try_from(quadrille_core::now()).unwrap_or(i64::MAX))
}

/// Path of a file of a chat, as clients know it.
pub(crate) fn path(chat: &Chat, file: &ChatFile) -> String {
    format!("{}{}/{}", folder(chat), file.place.word(), file.name)
}

/// Prefix of the paths of a chat's files.
pub(crate) fn folder(chat: &Chat) -> String {
    let slash = if chat.partition.is_empty() { "" } else { "/" };
    format!("workflows/{}{slash}{}/", chat.partition, chat.id)
}

/// URL to download a file of a chat.
pub(crate) fn url(base: &Base, chat: &str, name: &str) -> String {
    base.url(&format!("{}/{}/files/{}", crate::CHATS, escaped(chat), escaped(name)))
}

/// Lists the files of a place with their download URLs.
pub(crate) fn files(chat: &Chat, files: &[ChatFile], place: Place, base: &Base) -> Vec<Value> {
    listed(files, place, |listed| {
        let shown = file(chat, listed, base);
        let size = shown.to_string().len();
        (shown, size)
    })
}

/// Shows a file of a chat with its download URL.
pub(crate) fn file(chat: &Chat, file: &ChatFile, base: &Base) -> Value {
    json!({ "file_path": path(chat, file), "download_url": url(base, &chat.id, &file.name) })
}

pub(crate) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// Upper bound on the results of all steps of a run together, in bytes.
pub(crate) const MAX_RESULTS: usize = 2 << 20;

/// Upper bound on an error text, in bytes: it may quote a file or a client.
const MAX_ERROR: usize = 4 << 10;

/// Approximate upper bound on the files that one answer lists, in bytes.
const MAX_LISTED: usize = 1 << 20;

/// Truncates an error text that is too long.
pub(crate) fn truncated(mut error: String) -> String {
    if error.len() > MAX_ERROR {
        error.truncate(error.floor_char_boundary(MAX_ERROR));
        error.push('…');
    }
    error
}

/// Whether a step may have `result` beside the results of the other steps of its run.
pub(crate) fn fits<'a>(result: &str, others: impl IntoIterator<Item = &'a Step>) -> bool {
    let others = others.into_iter().filter_map(|step| step.result.as_deref());
    others.map(str::len).sum::<usize>().saturating_add(result.len()) <= MAX_RESULTS
}

/// Lists the files of a place, each as `show` renders it. Older files are left out at the bound.
pub(crate) fn listed(
    files: &[ChatFile],
    place: Place,
    show: impl Fn(&ChatFile) -> (Value, usize),
) -> Vec<Value> {
    let mut left = MAX_LISTED;
    let newest = files.iter().rev().filter(|file| file.place == place).map(show);
    let fitting = newest.take_while(|(_, size)| {
        let fits = *size <= left;
        left = left.saturating_sub(*size);
        fits
    });
    let mut listed: Vec<_> = fitting.map(|(shown, _)| shown).collect();
    listed.reverse();
    listed
}

/// Parses JSON of the store, where it was checked before.
pub(crate) fn stored(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

/// Member of a result that is false if the step was done in part; `warnings` say why.
pub(crate) const SUCCESS: &str = "success";

/// Message about steps that were done in part. `None` if there are none.
pub(crate) fn incomplete(steps: &[Step]) -> Option<String> {
    let failed = |step: &&Step| {
        let result = step.result.as_deref().map(stored).unwrap_or_default();
        result[SUCCESS] == false || result["report"][SUCCESS] == false
    };
    let failed: Vec<_> =
        steps.iter().filter(failed).map(|step| (step.position + 1).to_string()).collect();
    let word = if failed.len() == 1 { "step" } else { "steps" };
    let which = failed.join(", ");
    (!failed.is_empty()).then(|| {
        format!("Workflow executed with errors: {word} {which} could not do all, see the warnings")
    })
}

/// Result of a step, with its file.
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
    let file = files.iter().find(|file| Some(file.id) == step.output);
    result.insert("output_file_path".to_owned(), file.map(|file| path(chat, file)).into());
    if let (Some(file), Some(base)) = (file, base) {
        result.insert("download_url".to_owned(), url(base, &chat.id, &file.name).into());
    }
    result
}

/// Shows a chat as in lists.
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

/// Shows a chat with everything in it.
pub(crate) fn chat<'a>(
    chat: &Chat,
    messages: &[ChatMessage],
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
    shown["messages"] = messages.iter().map(message).collect();
    shown["workflow_steps"] = steps.into_iter().map(|shown| step(chat, shown, files)).collect();
    shown["uploaded_files"] = paths(Place::Uploads).into();
    shown["output_files"] = paths(Place::Outputs).into();
    shown
}

pub(crate) fn message(message: &ChatMessage) -> Value {
    json!({
        "message_id": message.id,
        "message_type": message.kind.word(),
        "content": message.content,
        "metadata": stored(&message.metadata),
        "created_at": time(message.created_at),
    })
}

pub(crate) fn step(chat: &Chat, step: &Step, files: &[ChatFile]) -> Value {
    let path = |id| files.iter().find(|file| Some(file.id) == id).map(|file| path(chat, file));
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

/// Shows a run with its steps, over HTTP and in a snapshot.
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
        .map(|part| {
            let mut shown = step(chat, part, files);
            if let Some(percent) = percent.filter(|_| part.position == run.next)
                && run.status == RunStatus::Running
            {
                shown["progress"] = percent.into();
            }
            if part.result.is_some() {
                shown["result"] = result(chat, part, files, base).into();
            }
            shown
        })
        .collect();
    let results: Vec<_> = steps.iter().filter(|step| step.result.is_some()).collect();
    let results: Vec<_> = results.iter().map(|step| result(chat, step, files, base)).collect();
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
