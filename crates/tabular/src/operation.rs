//! An operation by its name and arguments, and what it is done to.
use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde_json::Value;

use crate::{
    arguments::{self, Told},
    error::{BadArguments, Error},
    inline,
    limits::Limits,
    op::{bind, convert, extract, json, map, normalize, overwrite, search, sql},
    progress::Watch,
    run::Run,
};

/// Something to do with a table.
#[derive(Clone, Debug)]
pub struct Operation {
    kind: Kind,
    /// The sheet of the workbook that the arguments name.
    sheet: Option<String>,
    /// What is said of the arguments.
    told: Vec<String>,
}

#[derive(Clone, Debug)]
enum Kind {
    ExtractData(extract::Data),
    Extract(extract::Extract),
    Map(map::Map),
    Bind(bind::Bind),
    Overwrite(overwrite::Overwrite),
    Search(search::Search),
    ToExcel(convert::ToExcel),
    ToCsv(convert::ToCsv),
    Normalize(normalize::Normalize),
    Sql(sql::Sql),
    Json(json::Generate),
    JsonTemplate(json::Template),
}

/// What an operation is done to.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The file, a workbook or a text file; which of them is told by its content.
    pub input: &'a Path,
    /// What the file is called, whatever its path is. Names of results begin with it.
    pub name: &'a str,
    /// The sheet of the workbook that is read, if it is not the first one.
    pub sheet: Option<&'a str>,
    /// Where the result goes. Nothing is left there if the operation fails.
    pub folder: &'a Path,
    /// What the result is called, if not after the input, the operation and the time.
    pub output: Option<&'a str>,
    /// The file that [`Operation::bind_file`] names, if it exists.
    pub bind_file: Option<&'a Path>,
    /// What time it is. Results say so in UTC.
    pub now: SystemTime,
    /// Normalisation keeps the column as it was, too, where the request does not say.
    pub backup_original: bool,
    pub limits: Limits,
}

/// What an operation made.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The result, if it is a file.
    pub file: Option<PathBuf>,
    /// Rows of the result, without its header.
    pub rows: u64,
    /// What the operation counted: the columns of an extraction, statistics of a search, a binding or
    /// a generation, the report of a normalisation. `null` if there is nothing to say.
    pub data: Value,
    /// What is not as one might expect.
    pub warnings: Vec<String>,
    /// Whether all was done that was asked for; if not, the warnings say what was not.
    pub complete: bool,
}

/// The operations, by the names that clients use.
pub const NAMES: [&str; 15] = [
    "csv/convert-to-excel",
    "csv/search",
    "excel/bind-multi-key",
    "excel/bind-single-key",
    "excel/convert-to-csv",
    "excel/extract-columns",
    "excel/extract-columns-to-file",
    "excel/map-columns",
    "excel/search",
    "json/generate",
    "json/generate-with-template",
    "normalization/apply",
    "sql/generate",
    "sql/generate-custom-to-text",
    "sql/generate-to-text",
];

// === impl Operation ===

impl Operation {
    /// Read `arguments`, a JSON object, for the operation `name`. It is text, as the order of its
    /// members is that of the columns that come out. No file is touched.
    pub fn parse(name: &str, arguments: &str) -> Result<Self, BadArguments> {
        let mut told = Told::default();
        let kind = Self::kind(name, arguments, &mut told)?;
        // There it is what the new sheet is called.
        let sheet = match kind {
            Kind::ToExcel(_) => None,
            _ => arguments::sheet(arguments)?,
        };
        Ok(Self { kind, sheet, told: told.warnings })
    }

    fn kind(name: &str, arguments: &str, told: &mut Told) -> Result<Kind, BadArguments> {
        Ok(match name {
            "excel/extract-columns" => Kind::ExtractData(arguments::read(arguments, told)?),
            "excel/extract-columns-to-file" => Kind::Extract(arguments::read(arguments, told)?),
            "excel/map-columns" => Kind::Map(map::Map::parse(arguments, told)?),
            "excel/bind-single-key" => Kind::Bind(bind::Bind::single(arguments, told)?),
            "excel/bind-multi-key" => Kind::Bind(bind::Bind::multi(arguments, told)?),
            "excel/search" => Kind::Search(search::Search::parse(arguments, "xlsx", told)?),
            "csv/search" => Kind::Search(search::Search::parse(arguments, "csv", told)?),
            "csv/convert-to-excel" => Kind::ToExcel(arguments::read(arguments, told)?),
            "excel/convert-to-csv" => Kind::ToCsv(arguments::read(arguments, told)?),
            "normalization/apply" => Kind::Normalize(normalize::Normalize::parse(arguments, told)?),
            "sql/generate" => Kind::Sql(sql::Sql::generate(arguments, told)?),
            "sql/generate-to-text" => Kind::Sql(sql::Sql::to_text(arguments, told)?),
            "sql/generate-custom-to-text" => Kind::Sql(sql::Sql::custom(arguments, told)?),
            "json/generate" => Kind::Json(json::Generate::parse(arguments, told)?),
            "json/generate-with-template" => {
                Kind::JsonTemplate(json::Template::parse(arguments, told)?)
            }
            _ => return Err(BadArguments::Unknown { name: name.to_owned() }),
        })
    }

    /// Columns of the bind file in the place of columns of the input, row by row; not a step of
    /// workflows. `arguments` is a JSON object with `column_mapping`, columns by what they replace.
    pub fn overwrite(arguments: &str) -> Result<Self, BadArguments> {
        let mut told = Told::default();
        let kind = Kind::Overwrite(arguments::read(arguments, &mut told)?);
        Ok(Self { kind, sheet: arguments::sheet(arguments)?, told: told.warnings })
    }

    /// As `sql/generate`, with the lines as data and no file.
    pub fn statements(arguments: &str) -> Result<Self, BadArguments> {
        let mut told = Told::default();
        let kind = Kind::Sql(sql::Sql::statements(arguments, &mut told)?);
        Ok(Self { kind, sheet: arguments::sheet(arguments)?, told: told.warnings })
    }

    /// The name of another file that is needed, as the client gave it: not a path to be trusted.
    pub fn bind_file(&self) -> Option<&str> {
        match &self.kind {
            Kind::Bind(bind) => Some(bind.file()),
            _ => None,
        }
    }

    /// Do it. Blocks for as long as it takes; `watch` hears how far it is and can end it.
    pub fn run(&self, task: &Task<'_>, watch: &mut Watch<'_>) -> Result<Outcome, Error> {
        let task = Task { sheet: self.sheet.as_deref().or(task.sheet), ..*task };
        let mut run = Run::new(&task, watch);
        let mut outcome = inline::bounded(self.work(&mut run)?, &task.limits, self.advice())?;
        let warnings = self.told.iter().cloned().chain(run.told);
        outcome.warnings = warnings.chain(outcome.warnings).collect();
        Ok(outcome)
    }

    fn work(&self, run: &mut Run<'_>) -> Result<Outcome, Error> {
        match &self.kind {
            Kind::ExtractData(it) => it.run(run),
            Kind::Extract(it) => it.run(run),
            Kind::Map(it) => it.run(run),
            Kind::Bind(it) => it.run(run),
            Kind::Overwrite(it) => it.run(run),
            Kind::Search(it) => it.run(run),
            Kind::ToExcel(it) => it.run(run),
            Kind::ToCsv(it) => it.run(run),
            Kind::Normalize(it) => it.run(run),
            Kind::Sql(it) => it.run(run),
            Kind::Json(it) => it.run(run),
            Kind::JsonTemplate(it) => it.run(run),
        }
    }

    /// What of the outcome may be too large to be told, and what to do instead.
    fn advice(&self) -> (&'static str, &'static str) {
        match &self.kind {
            Kind::ExtractData(_) => (extract::HELD, extract::INSTEAD),
            Kind::Normalize(_) => {
                ("the contents of the report", "set return_report to false, or use several steps")
            }
            _ => ("the statistics", "name fewer columns, or shorter ones"),
        }
    }
}

/// The names of the columns of a file.
pub fn columns(path: &Path, limits: &Limits) -> Result<Vec<String>, Error> {
    let mut watch = |_| std::ops::ControlFlow::Continue(());
    let mut meter = crate::progress::Meter::new(&mut watch, 1);
    Ok(crate::read::Table::open(path, None, limits, &mut meter)?.columns().to_vec())
}
