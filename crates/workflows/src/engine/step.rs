//! Executes the operation of a step on a copy of its input.
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::SystemTime,
};

use quadrille_store::{self as store, Chat, ChatFile, Step, files::PutError};
use quadrille_tabular::{
    BadArguments, Error as TabularError, Limits, Operation, Outcome, Task, Unreadable, same_name,
};
use tokio::sync::watch;

use super::fetch::{FetchError, fetch};
use crate::{state::State, wire};

/// A step failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    /// Error of the operation, as shown to clients.
    #[error("{0}")]
    Failed(String),
    #[error("No uploaded file found for processing")]
    NoInput,
    #[error("the input file of the step is gone; upload it again")]
    InputGone,
    #[error(
        "the results of the steps of this run take more than {} bytes together; extract columns to \
         a file instead (excel/extract-columns-to-file), or use several runs",
        wire::MAX_RESULTS
    )]
    TooMuch,
    #[error(
        "a chat has at most {} files, and this one has as many; go on in another chat",
        ChatFile::MAX
    )]
    ManyFiles,
    #[error("the disk is full; tell the operator")]
    DiskFull,
    #[error("cancelled")]
    Cancelled,
    #[error("internal error; the log of the server has the cause")]
    Server,
}

/// An operation that is running.
#[derive(Debug)]
pub(super) struct Doing {
    /// Stops the operation when set.
    pub(super) stop: Arc<AtomicBool>,
    /// From 0 to 100.
    pub(super) percent: watch::Receiver<u8>,
}

/// Prefixes of error texts, by group of operations.
const GROUPS: [(&str, &str); 5] = [
    ("excel/", "Excel operation failed: "),
    ("csv/", "CSV operation failed: "),
    ("normalization/", "Normalization operation failed: "),
    ("sql/", "SQL generation operation failed: "),
    ("json/", "JSON generation operation failed: "),
];

/// Starts the operation in `folder`, on a thread of its own.
pub(super) async fn operate(
    state: &State,
    chat: &Chat,
    step: &Step,
    files: &[ChatFile],
    folder: &Path,
) -> Result<(Doing, impl Future<Output = Result<Outcome, StepError>> + use<>), StepError> {
    let group = GROUPS.iter().find(|(group, _)| step.operation.starts_with(group));
    let group = group.map_or("", |(_, text)| *text);
    let operation = parse(state, step.operation.clone(), step.arguments.clone()).await?;
    let operation = operation.map_err(|err| StepError::Failed(format!("{group}{err}")))?;
    let operation = operation.keeping_values();
    let input = step.input.ok_or(StepError::NoInput)?;
    let input = files.iter().find(|file| file.id == input).ok_or(StepError::InputGone)?;
    let path = folder.join("input");
    fetch(&state.memory.files, &input.key, &path).await?;
    let bind = match operation.bind_file() {
        Some(name) => {
            let file = resolve(chat, files, name).ok_or_else(|| {
                StepError::Failed(format!(
                    "{group}argument `bind_file`: there is no file {name:?} in this chat; upload it \
                     first, and give its name or its file_path"
                ))
            })?;
            let path = folder.join("bind");
            fetch(&state.memory.files, &file.key, &path).await?;
            Some(path)
        }
        None => None,
    };
    let made = folder.join("made");
    std::fs::create_dir(&made).map_err(|err| StepError::from(FetchError::Copy(err)))?;
    let work = StepWork {
        operation,
        path,
        name: input.name.clone(),
        made,
        bind,
        backup_original: state.config.backup_original,
        group,
    };
    let stopping = Arc::new(AtomicBool::new(false));
    let (progress, percent) = watch::channel(0);
    let doing = Doing { stop: Arc::clone(&stopping), percent };
    let task = state.core.life.blocking(move || work.run(&stopping, &progress));
    Ok((doing, async move { task.await.unwrap_or_else(|err| Err(panicked(&err))) }))
}

/// Parses on a thread of its own, since compiling patterns may take long.
async fn parse(
    state: &State,
    operation: String,
    arguments: String,
) -> Result<Result<Operation, BadArguments>, StepError> {
    let task = state.core.life.blocking(move || Operation::parse(&operation, &arguments));
    task.await.map_err(|err| panicked(&err))
}

fn panicked(err: &tokio::task::JoinError) -> StepError {
    tracing::error!(error = %err, "an operation panicked");
    StepError::Server
}

/// An operation and its files.
struct StepWork {
    operation: Operation,
    path: PathBuf,
    name: String,
    made: PathBuf,
    bind: Option<PathBuf>,
    backup_original: bool,
    group: &'static str,
}

impl StepWork {
    fn run(self, stop: &AtomicBool, percent: &watch::Sender<u8>) -> Result<Outcome, StepError> {
        let task = Task {
            input: &self.path,
            name: &self.name,
            sheet: None,
            output: None,
            folder: &self.made,
            bind_file: self.bind.as_deref(),
            now: SystemTime::now(),
            backup_original: self.backup_original,
            limits: Limits::default(),
        };
        let done = self.operation.run(&task, &mut |progress| {
            percent.send_if_modified(|percent| {
                let changed = *percent != progress.percent();
                *percent = progress.percent();
                changed
            });
            if stop.load(Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        done.map_err(|err| match err {
            TabularError::Cancelled { .. } => StepError::Cancelled,
            TabularError::Write { source, .. } if is_full(&source) => StepError::DiskFull,
            TabularError::Write { path, source }
            | TabularError::Unreadable(Unreadable::Io { path, source }) => {
                tracing::error!(error = %source, ?path, "cannot read or write a file of a step");
                StepError::Server
            }
            err => {
                let advice = err.advice().map(|advice| format!(" ({advice})")).unwrap_or_default();
                StepError::Failed(format!("{}{err}{advice}", self.group))
            }
        })
    }
}

/// Finds the file of a chat by its name or path, also if its letters are composed differently.
pub(super) fn resolve<'a>(chat: &Chat, files: &'a [ChatFile], name: &str) -> Option<&'a ChatFile> {
    let is = |file: &&ChatFile| file.name == name || wire::path(chat, file) == name;
    let same =
        |file: &&ChatFile| same_name(&file.name, name) || same_name(&wire::path(chat, file), name);
    files.iter().find(is).or_else(|| files.iter().find(same))
}

/// Whether the disk is full.
pub(crate) fn is_full(err: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(err.kind(), StorageFull | QuotaExceeded)
}

impl From<FetchError> for StepError {
    fn from(err: FetchError) -> Self {
        match err {
            FetchError::Gone => Self::InputGone,
            FetchError::Copy(err) if is_full(&err) => Self::DiskFull,
            FetchError::Store(store::Error::Full) => Self::DiskFull,
            err => {
                tracing::error!(error = %err, "cannot fetch the input of a step");
                Self::Server
            }
        }
    }
}

impl From<PutError> for StepError {
    fn from(err: PutError) -> Self {
        match err {
            PutError::Full => Self::DiskFull,
            err => {
                tracing::error!(error = %err, "cannot store the result of a step");
                Self::Server
            }
        }
    }
}
