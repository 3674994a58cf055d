//! A request with files, and the operations on them.
use std::{path::PathBuf, sync::Arc, time::SystemTime};

use axum::extract::{FromRequest, FromRequestParts, Request};
use jiff::Timestamp;
use quadrille_edge::http::Base;
use quadrille_store::files::Files;
use quadrille_tabular::{Limits, Operation, Outcome, TableInfo, Task};
use serde_json::{Value, json};

use super::{
    super::{caller::ChatCaller, error::Error},
    arguments::{ArgumentsBuilder, JsonField},
    downloads,
    take::{self, FormParts},
    work::{Workspace, blocking, perform},
};
use crate::state::State;

/// A request with files. Extracting it charges the quota, takes a permit, and reads the form.
#[derive(Debug)]
pub(super) struct DirectRequest {
    state: Arc<State>,
    owner: Option<Arc<str>>,
    base: Base,
    workspace: Arc<Workspace>,
    parts: FormParts,
}

/// An operation, and the parts of the form that it reads.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) operation: Operation,
    pub(super) input: &'static str,
    pub(super) bind: Option<&'static str>,
}

/// A file that can be downloaded.
#[derive(Debug)]
pub(super) struct MadeFile {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) outcome: Outcome,
    url: String,
}

impl FromRequest<Arc<State>> for DirectRequest {
    type Rejection = Error;

    async fn from_request(request: Request, state: &Arc<State>) -> Result<Self, Error> {
        let (mut parts, body) = request.into_parts();
        let caller = ChatCaller::from_request_parts(&mut parts, state).await?;
        let Ok(base) = Base::from_request_parts(&mut parts, state).await;
        let (owner, permit) = caller.admit_owner()?;
        let workspace = Arc::new(Workspace { folder: state.scratch.folder()?, permit });
        let request = Request::from_parts(parts, body);
        let limit = state.memory.max_upload_size;
        let parts = take::take(request, workspace.folder.path(), limit).await?;
        Ok(Self { state: Arc::clone(state), owner, base, workspace, parts })
    }
}

// === impl Job ===

impl Job {
    /// Reads the part `file`, as most operations do.
    pub(super) fn new(operation: Operation) -> Self {
        Self { operation, input: take::FILE, bind: None }
    }
}

// === impl MadeFile ===

impl MadeFile {
    pub(super) fn data(&self) -> Value {
        let mut data = json!({ "download_url": self.url });
        if !self.outcome.warnings.is_empty() {
            data["warnings"] = self.outcome.warnings.clone().into();
        }
        data
    }
}

// === impl DirectRequest ===

impl DirectRequest {
    /// File name of a part.
    pub(super) fn file(&self, part: &str) -> Result<&str, Error> {
        let name = self.parts.files.get(part);
        let none = || Error::Invalid(format!("No file uploaded (send it as the part `{part}`)"));
        name.map(String::as_str).ok_or_else(none)
    }

    /// Text of a field. `None` if it is blank.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.parts.texts.get(field).map(String::as_str).filter(|text| !text.trim().is_empty())
    }

    /// Arguments that all operations have: the sheet of the workbook.
    pub(super) fn arguments(&self) -> ArgumentsBuilder {
        ArgumentsBuilder::default().text("sheet_name", self.text("sheet_name"))
    }

    /// Reads a flag; only `true` is true.
    pub(super) fn flag(&self, field: &str, or: bool) -> bool {
        self.parts.texts.get(field).map_or(or, |text| text.trim().eq_ignore_ascii_case("true"))
    }

    pub(super) fn number(&self, field: &str) -> Result<Option<u64>, Error> {
        let wrong = |text: &str| {
            Error::Invalid(format!("{field} must be a whole number above 0, found {text:?}"))
        };
        let read = |text: &str| text.trim().parse().ok().filter(|number| *number > 0);
        self.text(field).map(|text| read(text).ok_or_else(|| wrong(text))).transpose()
    }

    pub(super) fn list(&self, field: &str) -> Result<Option<JsonField<'_>>, Error> {
        self.text(field).map(|text| JsonField::list(field, text)).transpose()
    }

    pub(super) fn object(&self, field: &str) -> Result<Option<JsonField<'_>>, Error> {
        self.text(field).map(|text| JsonField::object(field, text)).transpose()
    }

    /// Name of the result: the one that the client wants, or made of the name of the part `after`, the
    /// operation and the time.
    pub(super) fn name(&self, after: Option<&str>, kind: &str, extension: &str) -> String {
        if let Some(wanted) = self.text("output_filename") {
            let name = Files::sanitise(wanted).replace(' ', "_");
            let has = name
                .rsplit_once('.')
                .is_some_and(|(_, found)| found.eq_ignore_ascii_case(extension));
            return if has { name } else { format!("{name}.{extension}") };
        }
        let base = after.and_then(|part| self.parts.files.get(part)).map(|name| {
            let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
            format!("{stem}_")
        });
        let now = i64::try_from(quadrille_core::now()).unwrap_or_default();
        let now = Timestamp::from_millisecond(now).unwrap_or_default();
        let now = now.strftime("%Y%m%d_%H%M%S");
        format!("{}{kind}_{now}.{extension}", base.unwrap_or_default())
    }

    /// Runs `job`. Its result is called `output`.
    pub(super) async fn run(&self, job: Job, output: Option<&str>) -> Result<Outcome, Error> {
        let Job { operation, input, bind } = job;
        let (name, output) = (self.file(input)?.to_owned(), output.map(str::to_owned));
        let workspace = Arc::clone(&self.workspace);
        let backup_original = self.state.config.backup_original;
        perform(
            &self.state.core.life,
            &self.state.direct_limit,
            &self.workspace.permit,
            move |watch| {
                let folder = workspace.folder.path();
                let bind = bind.map(|bind| folder.join(bind));
                let task = Task {
                    input: &folder.join(input),
                    name: &name,
                    sheet: None,
                    folder,
                    output: output.as_deref(),
                    bind_file: bind.as_deref(),
                    now: SystemTime::now(),
                    backup_original,
                    limits: Limits::default(),
                };
                operation.run(&task, watch)
            },
        )
        .await
    }

    /// Runs `job`, and stores its result under a name like `output`.
    pub(super) async fn make(&self, job: Job, output: &str) -> Result<MadeFile, Error> {
        let outcome = self.run(job, Some(output)).await?;
        let file: PathBuf = outcome.file.clone().ok_or(Error::Server)?;
        let (name, size) = self.store(file, output).await?;
        let url = downloads::url(&self.base, &name);
        Ok(MadeFile { name, size, outcome, url })
    }

    async fn store(&self, file: PathBuf, name: &str) -> Result<(String, u64), Error> {
        let workspace = Arc::clone(&self.workspace);
        downloads::store(&self.state, self.owner.clone(), workspace, file, name).await
    }

    /// Runs something short that would still block other tasks.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        blocking(&self.state.core.life, work).await
    }

    /// Describes the file of a part.
    pub(super) async fn describe(&self, part: &'static str) -> Result<TableInfo, Error> {
        self.file(part)?;
        // Of two files, `sheet_name` is for the one that is changed.
        let sheet = self.text("sheet_name").filter(|_| part != take::SOURCE).map(str::to_owned);
        let workspace = Arc::clone(&self.workspace);
        perform(
            &self.state.core.life,
            &self.state.direct_limit,
            &self.workspace.permit,
            move |watch| {
                let path = workspace.folder.path().join(part);
                TableInfo::read(&path, sheet.as_deref(), &Limits::default(), watch)
            },
        )
        .await
    }
}
