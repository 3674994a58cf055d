//! Converts a table to the other format.
use serde::Deserialize;
use serde_json::Value;

use crate::{
    arguments::{Notes, ReportUnknown, UnknownMembers},
    error::Error,
    run::Execution,
    task::Outcome,
    write::{SheetStyle, TableFormat, Writer},
};

/// `csv/convert-to-excel`: writes every cell as text.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ToExcel {
    sheet_name: Option<String>,
    #[serde(flatten)]
    unknown: UnknownMembers,
}

impl ReportUnknown for ToExcel {
    fn report_unknown(&self, notes: &mut Notes) {
        notes.unknown_members("", &self.unknown);
    }
}

/// `excel/convert-to-csv`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ToCsv {
    #[serde(flatten)]
    unknown: UnknownMembers,
}

impl ReportUnknown for ToCsv {
    fn report_unknown(&self, notes: &mut Notes) {
        notes.unknown_members("", &self.unknown);
    }
}

impl ToExcel {
    pub(crate) fn run(&self, run: &mut Execution<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let sheet = self.sheet_name.as_deref().unwrap_or_default();
        let mut writer = run.writer("converted", sheet, table.columns())?;
        run.rows(&mut table, |row, _| writer.row(row))?;
        Ok(Outcome::of(writer.finish(&mut run.meter)?, Value::Null))
    }
}

impl ToCsv {
    #[expect(clippy::unused_self, reason = "as the other operations")]
    pub(crate) fn run(&self, run: &mut Execution<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let output = run.output("converted", TableFormat::Csv.extension())?;
        let mut writer =
            Writer::begin(TableFormat::Csv, output, table.columns(), SheetStyle::Plain, run.cells)?;
        run.rows(&mut table, |row, _| writer.row(row))?;
        Ok(Outcome::of(writer.finish(&mut run.meter)?, Value::Null))
    }
}
