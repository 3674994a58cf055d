//! The same table in the other format.
use serde::Deserialize;
use serde_json::Value;

use crate::{
    arguments::{Takes, Told, Unknown},
    error::Error,
    operation::Outcome,
    run::Run,
    write::{Format, Look, Writer},
};

/// `csv/convert-to-excel`: every cell as text.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ToExcel {
    sheet_name: Option<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Takes for ToExcel {
    fn tell(&self, told: &mut Told) {
        told.all("", &self.unknown);
    }
}

/// `excel/convert-to-csv`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ToCsv {
    #[serde(flatten)]
    unknown: Unknown,
}

impl Takes for ToCsv {
    fn tell(&self, told: &mut Told) {
        told.all("", &self.unknown);
    }
}

impl ToExcel {
    pub(crate) fn run(&self, run: &mut Run<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let sheet = self.sheet_name.as_deref().unwrap_or_default();
        let mut writer = run.writer("converted", sheet, table.columns())?;
        run.rows(&mut table, |row, _| writer.row(row))?;
        Ok(Outcome::of(writer.finish()?, Value::Null))
    }
}

impl ToCsv {
    #[expect(clippy::unused_self, reason = "as the other operations")]
    pub(crate) fn run(&self, run: &mut Run<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let output = run.output("converted", Format::Csv.extension())?;
        let mut writer = Writer::begin(Format::Csv, output, table.columns(), Look::Plain)?;
        run.rows(&mut table, |row, _| writer.row(row))?;
        Ok(Outcome::of(writer.finish()?, Value::Null))
    }
}
