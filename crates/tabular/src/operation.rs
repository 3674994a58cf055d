//! An operation by its name and arguments, and what it is done to.
use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde_json::Value;

use crate::{
    arguments,
    error::{BadArguments, Error},
    inline,
    limits::Limits,
    op::{bind, convert, extract, json, map, normalize, overwrite, search, sql},
    progress::Watch,
    run::Run,
};

/// Something to do with a table.
#[derive(Clone, Debug)]
pub struct Operation(Kind);

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
        Ok(Self(match name {
            "excel/extract-columns" => Kind::ExtractData(arguments::read(arguments)?),
            "excel/extract-columns-to-file" => Kind::Extract(arguments::read(arguments)?),
            "excel/map-columns" => Kind::Map(map::Map::parse(arguments)?),
            "excel/bind-single-key" => Kind::Bind(bind::Bind::single(arguments)?),
            "excel/bind-multi-key" => Kind::Bind(bind::Bind::multi(arguments)?),
            "excel/search" => Kind::Search(search::Search::parse(arguments, "xlsx")?),
            "csv/search" => Kind::Search(search::Search::parse(arguments, "csv")?),
            "csv/convert-to-excel" => Kind::ToExcel(arguments::read(arguments)?),
            "excel/convert-to-csv" => Kind::ToCsv(arguments::read(arguments)?),
            "normalization/apply" => Kind::Normalize(normalize::Normalize::parse(arguments)?),
            "sql/generate" => Kind::Sql(sql::Sql::generate(arguments)?),
            "sql/generate-to-text" => Kind::Sql(sql::Sql::to_text(arguments)?),
            "sql/generate-custom-to-text" => Kind::Sql(sql::Sql::custom(arguments)?),
            "json/generate" => Kind::Json(json::Generate::parse(arguments)?),
            "json/generate-with-template" => Kind::JsonTemplate(json::Template::parse(arguments)?),
            _ => return Err(BadArguments::Unknown { name: name.to_owned() }),
        }))
    }

    /// Columns of the bind file in the place of columns of the input, row by row; not a step of
    /// workflows. `arguments` is a JSON object with `column_mapping`, columns by what they replace.
    pub fn overwrite(arguments: &str) -> Result<Self, BadArguments> {
        Ok(Self(Kind::Overwrite(arguments::read(arguments)?)))
    }

    /// As `sql/generate`, with the lines as data and no file.
    pub fn statements(arguments: &str) -> Result<Self, BadArguments> {
        Ok(Self(Kind::Sql(sql::Sql::statements(arguments)?)))
    }

    /// The name of another file that is needed, as the client gave it: not a path to be trusted.
    pub fn bind_file(&self) -> Option<&str> {
        match &self.0 {
            Kind::Bind(bind) => Some(bind.file()),
            _ => None,
        }
    }

    /// Do it. Blocks for as long as it takes; `watch` hears how far it is and can end it.
    pub fn run(&self, task: &Task<'_>, watch: &mut Watch<'_>) -> Result<Outcome, Error> {
        let mut run = Run::new(task, watch);
        let run = &mut run;
        let outcome = match &self.0 {
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
        }?;
        let advice = match &self.0 {
            Kind::ExtractData(_) => (extract::HELD, extract::INSTEAD),
            Kind::Normalize(_) => {
                ("the contents of the report", "set return_report to false, or use several steps")
            }
            _ => ("the statistics", "name fewer columns, or shorter ones"),
        };
        inline::bounded(outcome, &task.limits, advice)
    }
}

/// The names of the columns of a file.
pub fn columns(path: &Path, limits: &Limits) -> Result<Vec<String>, Error> {
    let mut watch = |_| std::ops::ControlFlow::Continue(());
    let mut meter = crate::progress::Meter::new(&mut watch, 1);
    Ok(crate::read::Table::open(path, None, limits, &mut meter)?.columns().to_vec())
}
