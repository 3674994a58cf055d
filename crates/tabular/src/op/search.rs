//! The rows that fulfil conditions.
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    arguments::{self, Takes, Told, Unknown, or_default},
    cell::Cell,
    date::{Evidence, Reading},
    error::{BadArguments, Error},
    operation::Outcome,
    patterns::Patterns,
    run::{Run, places},
    write::{Format, Look, Writer},
};

mod condition;

use condition::Test;
pub use condition::{OPERATORS, TEXT_OPERATORS};

/// `excel/search` and `csv/search`.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    conditions: Vec<Condition>,
    /// All conditions must be true, not only one.
    all: bool,
    format: Format,
}

#[derive(Clone, Debug)]
struct Condition {
    column: String,
    test: Test,
}

#[derive(Deserialize)]
struct Arguments {
    #[serde(default, deserialize_with = "or_default")]
    conditions: Vec<Wanted>,
    logic: Option<String>,
    output_format: Option<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Takes for Arguments {
    fn tell(&self, told: &mut Told) {
        told.all("", &self.unknown);
        for (at, condition) in self.conditions.iter().enumerate() {
            told.all(&format!("conditions[{at}]"), &condition.unknown);
        }
    }
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default, deserialize_with = "or_default")]
    column: String,
    #[serde(default, deserialize_with = "or_default")]
    operator: String,
    #[serde(default)]
    value: Value,
    #[serde(flatten)]
    unknown: Unknown,
}

/// Each is looked at for each row.
const MAX_CONDITIONS: usize = 1000;

// === impl Search ===

impl Search {
    pub(crate) fn parse(
        arguments: &str,
        format: &str,
        told: &mut Told,
    ) -> Result<Self, BadArguments> {
        let Arguments { conditions, logic, output_format, .. } = arguments::read(arguments, told)?;
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
            "xlsx" | "excel" => Format::Xlsx,
            "csv" => Format::Csv,
            "json" => Format::Json,
            other => {
                return Err(BadArguments::Refused(format!(
                    "Failed to save search results: Unsupported output format: {other}. \
                     Supported formats: xlsx, csv, json"
                )));
            }
        };
        if conditions.len() > MAX_CONDITIONS {
            let (argument, found) = ("conditions".to_owned(), conditions.len());
            let why = format!("{found} are too many, {MAX_CONDITIONS} is the most");
            return Err(BadArguments::Wrong { argument, why });
        }
        let mut patterns = Patterns::default();
        let conditions = conditions.into_iter().enumerate().map(|(at, wanted)| {
            let test = Test::parse(at, &wanted.operator, wanted.value, &mut patterns)?;
            Ok(Condition { column: wanted.column, test })
        });
        Ok(Self { conditions: conditions.collect::<Result<_, _>>()?, all, format })
    }

    pub(crate) fn run(&self, run: &mut Run<'_>) -> Result<Outcome, Error> {
        let readings = self.readings(run)?;
        let mut table = run.open()?;
        let places = self.places(&table)?;
        let output = run.output("search", self.format.extension())?;
        let mut writer = Writer::begin(self.format, output, table.columns(), Look::Plain)?;
        let tests: Vec<_> = self
            .conditions
            .iter()
            .zip(&readings)
            .zip(&places)
            .map(|((condition, reading), at)| (condition.test.prepare(*reading), *reading, *at))
            .collect();
        let total = run.rows(&mut table, |row, meter| {
            // The first that decides is the last that is looked at.
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
        let written = writer.finish()?;
        let data = json!({ "total_rows": total, "filtered_rows": written.rows });
        Ok(Outcome::of(written, data))
    }

    fn places(&self, table: &crate::read::Table) -> Result<Vec<usize>, Error> {
        let names: Vec<_> = self.conditions.iter().map(|it| it.column.as_str()).collect();
        places(table, &names, |absent| format!("Column '{}' not found in data", absent[0]))
    }

    /// How the dates of each condition's column are read, for which the columns are read once.
    fn readings(&self, run: &mut Run<'_>) -> Result<Vec<Reading>, Error> {
        let now = run.now();
        let mut evidence = vec![Evidence::default(); self.conditions.len()];
        if self.conditions.iter().any(|it| it.test.reads_dates()) {
            run.meter.expect(2);
            let mut table = run.open()?;
            let places = self.places(&table)?;
            run.rows(&mut table, |row, _| {
                for ((condition, at), evidence) in
                    self.conditions.iter().zip(&places).zip(&mut evidence)
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
