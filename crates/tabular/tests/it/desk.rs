//! A folder with files, and operations done there.
use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use calamine::{Data, Reader as _, open_workbook_auto};
use quadrille_tabular::{Error, Limits, Operation, Outcome, Task};
use serde_json::Value;
use tempfile::TempDir;

/// 2026-11-20 22:06:37 UTC.
pub(crate) const NOW: Duration = Duration::from_secs(1_795_212_397);

pub(crate) struct Desk {
    pub(crate) folder: TempDir,
    pub(crate) limits: Limits,
    pub(crate) backup: bool,
    pub(crate) sheet: Option<&'static str>,
    pub(crate) output: Option<&'static str>,
    bind: Option<PathBuf>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            folder,
            limits: Limits::default(),
            backup: false,
            sheet: None,
            output: None,
            bind: None,
        }
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// The file that a binding asks for.
    pub(crate) fn bind(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.bind = Some(self.file(name, content));
        self
    }

    pub(crate) fn try_run(&self, input: &Path, name: &str, args: &str) -> Result<Outcome, Error> {
        self.do_it(input, &Operation::parse(name, args).unwrap())
    }

    pub(crate) fn do_it(&self, input: &Path, operation: &Operation) -> Result<Outcome, Error> {
        let task = Task {
            input,
            name: input.file_name().unwrap().to_str().unwrap(),
            sheet: self.sheet,
            output: self.output,
            folder: self.folder.path(),
            bind_file: self.bind.as_deref(),
            now: SystemTime::UNIX_EPOCH + NOW,
            backup_original: self.backup,
            limits: self.limits,
        };
        operation.run(&task, &mut |_| ControlFlow::Continue(()))
    }

    pub(crate) fn run(&self, input: &Path, name: &str, args: &str) -> Outcome {
        self.try_run(input, name, args).unwrap_or_else(|error| panic!("{name} {args}: {error}"))
    }

    /// Do `name` to a text file with `content`, and show the sheet that comes out.
    pub(crate) fn sheet(&self, content: &str, name: &str, args: &str) -> Vec<String> {
        let input = self.file("in.csv", content);
        sheet(&self.run(&input, name, args).file.unwrap())
    }

    pub(crate) fn text(&self, content: &str, name: &str, args: &str) -> String {
        let input = self.file("in.csv", content);
        fs::read_to_string(self.run(&input, name, args).file.unwrap()).unwrap()
    }

    /// The data that an operation answers with.
    pub(crate) fn data(&self, content: &str, name: &str, args: &str) -> Value {
        let input = self.file("in.csv", content);
        self.run(&input, name, args).data
    }

    pub(crate) fn error(&self, content: impl AsRef<[u8]>, name: &str, args: &str) -> String {
        let input = self.file("in.csv", content);
        self.try_run(&input, name, args).unwrap_err().to_string()
    }

    /// The cells of a file as the library reads them, each row joined by `|`.
    pub(crate) fn read(&self, input: &Path) -> Vec<String> {
        let outcome = self.run(input, "excel/convert-to-csv", "{}");
        let text = fs::read_to_string(outcome.file.unwrap()).unwrap();
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        reader
            .records()
            .map(|record| record.unwrap().iter().collect::<Vec<_>>().join("|"))
            .collect()
    }
}

/// The first sheet of a workbook as another library reads it, each row joined by `|`: numbers with `#`
/// before them, booleans with `?`, and `_` for cells without anything.
pub(crate) fn sheet(path: &Path) -> Vec<String> {
    sheet_at(path, 0)
}

pub(crate) fn sheet_at(path: &Path, at: usize) -> Vec<String> {
    let mut workbook = open_workbook_auto(path).unwrap();
    let range = workbook.worksheet_range_at(at).unwrap().unwrap();
    let Some((rows, columns)) = range.end() else { return Vec::new() };
    let show = |row, column| match range.get_value((row, column)) {
        None | Some(Data::Empty) => "_".to_owned(),
        Some(Data::String(text)) => text.clone(),
        Some(Data::Float(number)) => format!("#{number}"),
        Some(Data::Bool(value)) => format!("?{value}"),
        Some(other) => panic!("there is {other:?}"),
    };
    let row = |row| (0..=columns).map(|column| show(row, column)).collect::<Vec<_>>().join("|");
    (0..=rows).map(row).collect()
}

pub(crate) fn name(outcome: &Outcome) -> &str {
    outcome.file.as_ref().unwrap().file_name().unwrap().to_str().unwrap()
}
