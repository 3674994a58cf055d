//! A request with its files, and what is made of them.
use std::{path::PathBuf, sync::Arc, time::SystemTime};

use axum::extract::{FromRequest, FromRequestParts, Request};
use jiff::Timestamp;
use quadrille_core::Permit;
use quadrille_store::files::Files;
use quadrille_tabular::{Limits, Operation, Outcome, TableInfo, Task};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    super::{caller::Caller, envelope::Base, error::Error},
    arguments::{Arguments, Json},
    downloads,
    take::{self, Taken},
    work::{aside, perform},
};
use crate::door::Door;

/// Extracting it counts the request, finds a place for it, and takes its form.
#[derive(Debug)]
pub(super) struct Asked {
    door: Arc<Door>,
    owner: Option<Arc<str>>,
    base: Base,
    place: Arc<Place>,
    taken: Taken,
}

/// Where the request is worked on; gone with the last thread that does.
#[derive(Debug)]
pub(super) struct Place {
    folder: TempDir,
    inside: Permit,
}

/// An operation, and which files of the form it is for.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) operation: Operation,
    pub(super) input: &'static str,
    pub(super) bind: Option<&'static str>,
}

/// A file that can be fetched from now on.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) outcome: Outcome,
    url: String,
}

impl FromRequest<Arc<Door>> for Asked {
    type Rejection = Error;

    async fn from_request(request: Request, door: &Arc<Door>) -> Result<Self, Error> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, door).await?;
        let Ok(base) = Base::from_request_parts(&mut parts, door).await;
        let (owner, inside) = caller.enter()?;
        let place = Arc::new(Place { folder: door.scratch.folder()?, inside });
        let request = Request::from_parts(parts, body);
        let limit = door.memory.max_upload_size;
        let taken = take::take(request, place.folder.path(), limit).await?;
        Ok(Self { door: Arc::clone(door), owner, base, place, taken })
    }
}

// === impl Job ===

impl Job {
    /// For the one file that most requests have.
    pub(super) fn new(operation: Operation) -> Self {
        Self { operation, input: take::FILE, bind: None }
    }
}

// === impl Made ===

impl Made {
    pub(super) fn data(&self) -> Value {
        let mut data = json!({ "download_url": self.url });
        if !self.outcome.warnings.is_empty() {
            data["warnings"] = self.outcome.warnings.clone().into();
        }
        data
    }
}

// === impl Asked ===

impl Asked {
    /// What the file of a part is called.
    pub(super) fn file(&self, part: &str) -> Result<&str, Error> {
        let name = self.taken.files.get(part);
        let none = || Error::Invalid(format!("No file uploaded (send it as the part `{part}`)"));
        name.map(String::as_str).ok_or_else(none)
    }

    /// A text that is not blank.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.taken.texts.get(field).map(String::as_str).filter(|it| !it.trim().is_empty())
    }

    /// The arguments that all operations have: which sheet of the workbook is read.
    pub(super) fn arguments(&self) -> Arguments {
        Arguments::default().text("sheet_name", self.text("sheet_name"))
    }

    /// Only the word `true` is true.
    pub(super) fn flag(&self, field: &str, or: bool) -> bool {
        self.taken.texts.get(field).map_or(or, |it| it.trim().eq_ignore_ascii_case("true"))
    }

    pub(super) fn number(&self, field: &str) -> Result<Option<u64>, Error> {
        let wrong = |text: &str| {
            Error::Invalid(format!("{field} must be a whole number above 0, found {text:?}"))
        };
        let read = |text: &str| text.trim().parse().ok().filter(|it| *it > 0);
        self.text(field).map(|text| read(text).ok_or_else(|| wrong(text))).transpose()
    }

    pub(super) fn list(&self, field: &str) -> Result<Option<Json<'_>>, Error> {
        self.text(field).map(|text| Json::list(field, text)).transpose()
    }

    pub(super) fn object(&self, field: &str) -> Result<Option<Json<'_>>, Error> {
        self.text(field).map(|text| Json::object(field, text)).transpose()
    }

    /// What the result is called: as the client wishes, or after the file of the part `after`, what
    /// was done, and the time.
    pub(super) fn name(&self, after: Option<&str>, kind: &str, extension: &str) -> String {
        if let Some(wanted) = self.text("output_filename") {
            let name = Files::sanitise(wanted).replace(' ', "_");
            let has =
                name.rsplit_once('.').is_some_and(|(_, it)| it.eq_ignore_ascii_case(extension));
            return if has { name } else { format!("{name}.{extension}") };
        }
        let base = after.and_then(|part| self.taken.files.get(part)).map(|name| {
            let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
            format!("{stem}_")
        });
        let now = i64::try_from(quadrille_core::now()).unwrap_or_default();
        let now = Timestamp::from_millisecond(now).unwrap_or_default();
        let now = now.strftime("%Y%m%d_%H%M%S");
        format!("{}{kind}_{now}.{extension}", base.unwrap_or_default())
    }

    /// Do `job`, with what it leaves called `output`.
    pub(super) async fn run(&self, job: Job, output: Option<&str>) -> Result<Outcome, Error> {
        let Job { operation, input, bind } = job;
        let (name, output) = (self.file(input)?.to_owned(), output.map(str::to_owned));
        let place = Arc::clone(&self.place);
        let backup_original = self.door.config.backup_original;
        perform(&self.door.core.life, &self.door.room, &self.place.inside, move |watch| {
            let folder = place.folder.path();
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
        })
        .await
    }

    /// Do `job`, and keep what it leaves under a name like `output`.
    pub(super) async fn make(&self, job: Job, output: &str) -> Result<Made, Error> {
        let outcome = self.run(job, Some(output)).await?;
        let file: PathBuf = outcome.file.clone().ok_or(Error::Server)?;
        let (name, size) = self.keep(file, output).await?;
        let url = downloads::url(&self.base, &name);
        Ok(Made { name, size, outcome, url })
    }

    async fn keep(&self, file: PathBuf, name: &str) -> Result<(String, u64), Error> {
        let place = Arc::clone(&self.place);
        downloads::keep(&self.door, self.owner.clone(), place, file, name).await
    }

    /// Do something short, but too long for a thread that has others to serve.
    pub(super) async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        aside(&self.door.core.life, work).await
    }

    /// What the file of a part is.
    pub(super) async fn look(&self, part: &'static str) -> Result<TableInfo, Error> {
        self.file(part)?;
        // Of two files it is the sheet of the one that is changed.
        let sheet = self.text("sheet_name").filter(|_| part != take::SOURCE).map(str::to_owned);
        let place = Arc::clone(&self.place);
        perform(&self.door.core.life, &self.door.room, &self.place.inside, move |watch| {
            let path = place.folder.path().join(part);
            TableInfo::read(&path, sheet.as_deref(), &Limits::default(), watch)
        })
        .await
    }
}
