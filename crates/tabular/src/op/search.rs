//! Filters rows by conditions.
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    arguments::{self, Notes, ReportUnknown, UnknownMembers, or_default},
    cell::Cell,
    date::{Evidence, Reading},
    error::{BadArguments, Error},
    patterns::Patterns,
    run::{Execution, find_columns},
    task::Outcome,
    write::{SheetStyle, TableFormat, Writer},
};

mod condition;

use condition::Test;
pub use condition::{OPERATORS, TEXT_OPERATORS};

/// `excel/search` and `csv/search`.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    conditions: Vec<Condition>,
    /// Whether all conditions must hold, or only one.
    all: bool,
    format: TableFormat,
}

#[derive(Clone, Debug)]
struct Condition {
    column: String,
    test: Test,
}

#[derive(Deserialize)]
struct SearchArguments {
    #[serde(default, deserialize_with = "or_default")]
    conditions: Vec<RawCondition>,
    logic: Option<String>,
    output_format: Option<String>,
    #[serde(flatten)]
    unknown: UnknownMembers,
}

impl ReportUnknown for SearchArguments {
    fn report_unknown(&self, notes: &mut Notes) {
        notes.unknown_members("", &self.unknown);
        for (at, condition) in self.conditions.iter().enumerate() {
            notes.unknown_members(&format!("conditions[{at}]"), &condition.unknown);
        }
    }
}

#[derive(Deserialize)]
struct RawCondition {
    #[serde(default, deserialize_with = "or_default")]
    column: String,
    #[serde(default, deserialize_with = "or_default")]
    operator: String,
    #[serde(default)]
    value: Value,
    #[serde(flatten)]
    unknown: UnknownMembers,
}

/// Each condition may be evaluated for each row.
const MAX_CONDITIONS: usize = 1000;

// === impl Search ===

impl Search {
    pub(crate) fn parse(
        arguments: &str,
        format: &str,
        notes: &mut Notes,
    ) -> Result<Self, BadArguments> {
        let SearchArguments { conditions, logic, output_format, .. } =
            arguments::read(arguments, notes)?;
        let refused = |what: &str| BadArguments::Refused(what.to_owned());
        if conditions.is_empty() {
            return Err(refused("At least one search condition is required"));
        }
        let all = match logic.unwrap_or_else(|| "and".to_owned()).to_ascii_lowercase().as_str() {
            "and" => true,
            "or" => false,
            _ => return Err(refused("Logic must be either 'AND' or 'OR'")),
        };
        let format = match output_format.as_deref().unwrap_or(format) {
            "xlsx" | "excel" => TableFormat::Xlsx,
            "csv" => TableFormat::Csv,
            "json" => TableFormat::Json,
            other => {
                return Err(BadArguments::Refused(format!(
                    "Failed to save search results: Unsupported output format: {other}. \
                     Supported formats: xlsx, csv, json"
                )));
            }
        };
        if conditions.len() > MAX_CONDITIONS {
            let (argument, found) = ("conditions".to_owned(), conditions.len());
            let reason = format!("{found} are too many, the limit is {MAX_CONDITIONS}");
            return Err(BadArguments::Wrong { argument, reason });
        }
        let mut patterns = Patterns::default();
        let conditions = conditions.into_iter().enumerate().map(|(at, raw)| {
            let test = Test::parse(at, &raw.operator, raw.value, &mut patterns)?;
            Ok(Condition { column: raw.column, test })
        });
        Ok(Self { conditions: conditions.collect::<Result<_, _>>()?, all, format })
    }

    pub(crate) fn run(&self, run: &mut Execution<'_>) -> Result<Outcome, Error> {
        let readings = self.readings(run)?;
        let mut table = run.open()?;
        let indexes = self.find_columns(&table)?;
        let output = run.output("search", self.format.extension())?;
        let mut writer =
            Writer::begin(self.format, output, table.columns(), SheetStyle::Plain, run.cells)?;
        let tests: Vec<_> = self
            .conditions
            .iter()
            .zip(&readings)
            .zip(&indexes)
            .map(|((condition, reading), at)| (condition.test.prepare(*reading), *reading, *at))
            .collect();
        let total = run.rows(&mut table, |row, meter| {
            // Stops at the condition that decides.
            let mut found = self.all;
            for (test, reading, at) in &tests {
                meter.pulse()?;
                if test.is_true(&row[*at], *reading, meter)? != self.all {
                    found = !self.all;
                    break;
                }
            }
            if found { writer.row(row) } else { Ok(()) }
        })?;
        let written = writer.finish(&mut run.meter)?;
        let data = json!({ "total_rows": total, "filtered_rows": written.rows });
        Ok(Outcome::of(written, data))
    }

    fn find_columns(&self, table: &crate::read::Table) -> Result<Vec<usize>, Error> {
        let names: Vec<_> =
            self.conditions.iter().map(|condition| condition.column.as_str()).collect();
        find_columns(table, &names, |absent| format!("Column '{}' not found in data", absent[0]))
    }

    /// Reads the columns with date conditions once, and returns how their dates are to be read.
    fn readings(&self, run: &mut Execution<'_>) -> Result<Vec<Reading>, Error> {
        let now = run.now();
        let mut evidence = vec![Evidence::default(); self.conditions.len()];
        if self.conditions.iter().any(|condition| condition.test.reads_dates()) {
            run.meter.expect(2);
            let mut table = run.open()?;
            let indexes = self.find_columns(&table)?;
            run.rows(&mut table, |row, _| {
                for ((condition, at), evidence) in
                    self.conditions.iter().zip(&indexes).zip(&mut evidence)
                {
                    let cell: &Cell = &row[*at];
                    if condition.test.reads_dates() {
                        evidence.add(cell);
                    }
                }
                Ok(())
            })?;
        }
        let reading = |evidence: &Evidence| Reading { day_first: evidence.day_first(), now };
        Ok(evidence.iter().map(reading).collect())
    }
}
