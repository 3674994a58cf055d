//! One step: a file is fetched, an operation done to it, and what comes out is kept.
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
use crate::{door::Door, wire};

/// Why a step has no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    /// The operation says why. The text is what clients are told.
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
    #[error("there is no room left to do this; tell the operator")]
    DiskFull,
    #[error("cancelled")]
    Cancelled,
    #[error("the server failed; its log has the cause")]
    Server,
}

/// The operation while it runs.
#[derive(Debug)]
pub(super) struct Doing {
    /// Whether it is to end early.
    pub(super) stop: Arc<AtomicBool>,
    /// From 0 to 100.
    pub(super) percent: watch::Receiver<u8>,
}

/// What texts of a group of operations begin with.
const GROUPS: [(&str, &str); 5] = [
    ("excel/", "Excel operation failed: "),
    ("csv/", "CSV operation failed: "),
    ("normalization/", "Normalization operation failed: "),
    ("sql/", "SQL generation operation failed: "),
    ("json/", "JSON generation operation failed: "),
];

/// Do the operation in `folder`, on a thread of its own.
pub(super) async fn operate(
    door: &Door,
    chat: &Chat,
    asked: &Step,
    files: &[ChatFile],
    folder: &Path,
) -> Result<(Doing, impl Future<Output = Result<Outcome, StepError>> + use<>), StepError> {
    let group = GROUPS.iter().find(|(group, _)| asked.operation.starts_with(group));
    let group = group.map_or("", |(_, text)| *text);
    let operation = parse(door, asked.operation.clone(), asked.arguments.clone()).await?;
    let operation = operation.map_err(|why| StepError::Failed(format!("{group}{why}")))?;
    let operation = operation.keeping_values();
    let input = asked.input.ok_or(StepError::NoInput)?;
    let input = files.iter().find(|it| it.id == input).ok_or(StepError::InputGone)?;
    let path = folder.join("input");
    fetch(&door.memory.files, &input.key, &path).await?;
    let bind = match operation.bind_file() {
        Some(name) => {
            let file = resolve(chat, files, name).ok_or_else(|| {
                StepError::Failed(format!(
                    "{group}argument `bind_file`: there is no file {name:?} in this chat; upload it \
                     first, and give its name or its file_path"
                ))
            })?;
            let path = folder.join("bind");
            fetch(&door.memory.files, &file.key, &path).await?;
            Some(path)
        }
        None => None,
    };
    let made = folder.join("made");
    std::fs::create_dir(&made).map_err(|why| StepError::from(FetchError::Copy(why)))?;
    let work = Work {
        operation,
        path,
        name: input.name.clone(),
        made,
        bind,
        backup_original: door.config.backup_original,
        group,
    };
    let stop = Arc::new(AtomicBool::new(false));
    let (told, percent) = watch::channel(0);
    let doing = Doing { stop: Arc::clone(&stop), percent };
    let task = door.core.life.blocking(move || work.run(&stop, &told));
    Ok((doing, async move { task.await.unwrap_or_else(|why| Err(panicked(&why))) }))
}

/// On a thread of its own: patterns take a while.
async fn parse(
    door: &Door,
    operation: String,
    arguments: String,
) -> Result<Result<Operation, BadArguments>, StepError> {
    let task = door.core.life.blocking(move || Operation::parse(&operation, &arguments));
    task.await.map_err(|why| panicked(&why))
}

fn panicked(why: &tokio::task::JoinError) -> StepError {
    tracing::error!(error = %why, "an operation panicked");
    StepError::Server
}

/// An operation and what it is done to.
struct Work {
    operation: Operation,
    path: PathBuf,
    name: String,
    made: PathBuf,
    bind: Option<PathBuf>,
    backup_original: bool,
    group: &'static str,
}

impl Work {
    fn run(self, stop: &AtomicBool, told: &watch::Sender<u8>) -> Result<Outcome, StepError> {
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
            told.send_if_modified(|percent| {
                let moved = *percent != progress.percent();
                *percent = progress.percent();
                moved
            });
            if stop.load(Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        done.map_err(|why| match why {
            TabularError::Cancelled { .. } => StepError::Cancelled,
            TabularError::Write { source, .. } if is_full(&source) => StepError::DiskFull,
            TabularError::Write { path, source }
            | TabularError::Unreadable(Unreadable::Io { path, source }) => {
                tracing::error!(error = %source, ?path, "a file of a step was not read or written");
                StepError::Server
            }
            why => {
                let advice = why.advice().map(|it| format!(" ({it})")).unwrap_or_default();
                StepError::Failed(format!("{}{why}{advice}", self.group))
            }
        })
    }
}

/// The file of the chat that an argument names: by its name, or by its path as it was told, however
/// its letters are written.
pub(super) fn resolve<'a>(chat: &Chat, files: &'a [ChatFile], name: &str) -> Option<&'a ChatFile> {
    let is = |file: &&ChatFile| file.name == name || wire::path(chat, file) == name;
    // However the marks of its letters are written.
    let same =
        |file: &&ChatFile| same_name(&file.name, name) || same_name(&wire::path(chat, file), name);
    files.iter().find(is).or_else(|| files.iter().find(same))
}

/// Whether there is no room left on the disk.
pub(crate) fn is_full(why: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(why.kind(), StorageFull | QuotaExceeded)
}

impl From<FetchError> for StepError {
    fn from(why: FetchError) -> Self {
        match why {
            FetchError::Gone => Self::InputGone,
            FetchError::Copy(why) if is_full(&why) => Self::DiskFull,
            FetchError::Store(store::Error::Full) => Self::DiskFull,
            why => {
                tracing::error!(error = %why, "the input of a step was not fetched");
                Self::Server
            }
        }
    }
}

impl From<PutError> for StepError {
    fn from(why: PutError) -> Self {
        match why {
            PutError::Full => Self::DiskFull,
            why => {
                tracing::error!(error = %why, "the result of a step was not kept");
                Self::Server
            }
        }
    }
}
