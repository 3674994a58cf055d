//! Operations, by name and arguments.
use std::path::Path;

use crate::{
    arguments::{self, Notes},
    error::{BadArguments, Error, VALUES_HELD},
    inline,
    limits::Limits,
    op::{bind, convert, extract, json, map, normalize, overwrite, search, sql},
    progress::OnProgress,
    run::Execution,
    task::{Outcome, Task},
    write::CellMode,
};

/// An operation on a table.
#[derive(Clone, Debug)]
pub struct Operation {
    kind: Kind,
    /// Sheet of the workbook that the arguments name.
    sheet: Option<String>,
    /// Notes on the arguments.
    notes: Vec<String>,
    cells: CellMode,
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
    Json(json::GenerateJson),
    JsonTemplate(json::Template),
}

/// Names of the operations, as clients use them.
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
    /// Parses `arguments`, a JSON object, for the operation `name`. They are text, since the order
    /// of members decides the order of columns. Touches no file.
    pub fn parse(name: &str, arguments: &str) -> Result<Self, BadArguments> {
        let mut notes = Notes::default();
        let kind = Self::kind(name, arguments, &mut notes)?;
        // There the argument names the new sheet.
        let sheet = match kind {
            Kind::ToExcel(_) => None,
            _ => arguments::sheet(arguments)?,
        };
        Ok(Self { kind, sheet, notes: notes.warnings, cells: CellMode::Defused })
    }

    fn kind(name: &str, arguments: &str, notes: &mut Notes) -> Result<Kind, BadArguments> {
        Ok(match name {
            "excel/extract-columns" => Kind::ExtractData(arguments::read(arguments, notes)?),
            "excel/extract-columns-to-file" => Kind::Extract(arguments::read(arguments, notes)?),
            "excel/map-columns" => Kind::Map(map::Map::parse(arguments, notes)?),
            "excel/bind-single-key" => Kind::Bind(bind::Bind::single(arguments, notes)?),
            "excel/bind-multi-key" => Kind::Bind(bind::Bind::multi(arguments, notes)?),
            "excel/search" => Kind::Search(search::Search::parse(arguments, "xlsx", notes)?),
            "csv/search" => Kind::Search(search::Search::parse(arguments, "csv", notes)?),
            "csv/convert-to-excel" => Kind::ToExcel(arguments::read(arguments, notes)?),
            "excel/convert-to-csv" => Kind::ToCsv(arguments::read(arguments, notes)?),
            "normalization/apply" => {
                Kind::Normalize(normalize::Normalize::parse(arguments, notes)?)
            }
            "sql/generate" => Kind::Sql(sql::Sql::generate(arguments, notes)?),
            "sql/generate-to-text" => Kind::Sql(sql::Sql::to_text(arguments, notes)?),
            "sql/generate-custom-to-text" => Kind::Sql(sql::Sql::custom(arguments, notes)?),
            "json/generate" => Kind::Json(json::GenerateJson::parse(arguments, notes)?),
            "json/generate-with-template" => {
                Kind::JsonTemplate(json::Template::parse(arguments, notes)?)
            }
            _ => return Err(BadArguments::Unknown { name: name.to_owned() }),
        })
    }

    /// Makes an operation that overwrites columns of the input with columns of the bind file, row
    /// by row; not a step of workflows. `arguments` is a JSON object with `column_mapping`: columns
    /// by the columns that they replace.
    pub fn overwrite(arguments: &str) -> Result<Self, BadArguments> {
        let mut notes = Notes::default();
        let kind = Kind::Overwrite(arguments::read(arguments, &mut notes)?);
        Ok(Self {
            kind,
            sheet: arguments::sheet(arguments)?,
            notes: notes.warnings,
            cells: CellMode::Defused,
        })
    }

    /// Makes `sql/generate` with the lines as data instead of a file.
    pub fn statements(arguments: &str) -> Result<Self, BadArguments> {
        let mut notes = Notes::default();
        let kind = Kind::Sql(sql::Sql::statements(arguments, &mut notes)?);
        Ok(Self {
            kind,
            sheet: arguments::sheet(arguments)?,
            notes: notes.warnings,
            cells: CellMode::Defused,
        })
    }

    /// Writes cells of text files as they are, also formulas, for programs that process the file. A
    /// download has to go through [`Defuse`](crate::Defuse).
    #[must_use]
    pub fn keeping_values(self) -> Self {
        Self { cells: CellMode::Values, ..self }
    }

    /// Returns the name of a second file that is needed, as the client gave it. It is not a trusted
    /// path.
    pub fn bind_file(&self) -> Option<&str> {
        match &self.kind {
            Kind::Bind(bind) => Some(bind.file()),
            _ => None,
        }
    }

    /// Runs the operation. Blocks until it ends; `watch` gets the progress and may cancel it.
    pub fn run(&self, task: &Task<'_>, watch: &mut OnProgress<'_>) -> Result<Outcome, Error> {
        let task = Task { sheet: self.sheet.as_deref().or(task.sheet), ..*task };
        let mut run = Execution::new(&task, self.cells, watch);
        let mut outcome = inline::bounded(self.work(&mut run)?, &task.limits, self.advice())?;
        let warnings = self.notes.iter().cloned().chain(run.notes);
        outcome.warnings = warnings.chain(outcome.warnings).collect();
        Ok(outcome)
    }

    fn work(&self, run: &mut Execution<'_>) -> Result<Outcome, Error> {
        match &self.kind {
            Kind::ExtractData(op) => op.run(run),
            Kind::Extract(op) => op.run(run),
            Kind::Map(op) => op.run(run),
            Kind::Bind(op) => op.run(run),
            Kind::Overwrite(op) => op.run(run),
            Kind::Search(op) => op.run(run),
            Kind::ToExcel(op) => op.run(run),
            Kind::ToCsv(op) => op.run(run),
            Kind::Normalize(op) => op.run(run),
            Kind::Sql(op) => op.run(run),
            Kind::Json(op) => op.run(run),
            Kind::JsonTemplate(op) => op.run(run),
        }
    }

    /// Returns the part of the outcome that may be too large, and what to do instead.
    fn advice(&self) -> (&'static str, &'static str) {
        match &self.kind {
            Kind::ExtractData(_) => (VALUES_HELD, extract::VALUES_ADVICE),
            Kind::Normalize(_) => {
                ("the contents of the report", "set return_report to false, or use several steps")
            }
            _ => ("the statistics", "name fewer columns, or shorter ones"),
        }
    }
}

/// Reads the names of the columns of a file.
pub fn columns(path: &Path, limits: &Limits) -> Result<Vec<String>, Error> {
    let mut watch = |_| std::ops::ControlFlow::Continue(());
    let mut meter = crate::progress::Meter::new(&mut watch, 1);
    Ok(crate::read::Table::open(path, None, limits, &mut meter)?.columns().to_vec())
}
