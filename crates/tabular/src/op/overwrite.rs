//! Columns of a second table in the place of columns of the first one, row by row.
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    arguments::{Takes, Told, Unknown, or_default},
    cell::{Cell, Row},
    error::{Error, Unreadable},
    operation::Outcome,
    run::{Room, Run, places},
};

/// Rows beyond the end of the second table have no values there.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Overwrite {
    /// Columns of the second table, by the columns that they replace.
    #[serde(default, deserialize_with = "or_default")]
    column_mapping: IndexMap<String, String>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Takes for Overwrite {
    fn tell(&self, told: &mut Told) {
        told.all("", &self.unknown);
    }
}

impl Overwrite {
    pub(crate) fn run(&self, run: &mut Run<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let path = run.task.bind_file.ok_or_else(|| Unreadable::Absent("the source".to_owned()))?;
        let mut other = run.open_other(path)?;
        let targets: Vec<_> = self.column_mapping.keys().collect();
        let sources: Vec<_> = self.column_mapping.values().collect();
        let to = places(&table, &targets, |absent| missing("Target", absent))?;
        let from = places(&other, &sources, |absent| missing("Source", absent))?;
        let mut writer = run.writer("bound", "", table.columns())?;
        let mut row = Row::new();
        let mut bound = Row::new();
        let mut left = true;
        let mut used: u64 = 0;
        let mut rows: u64 = 0;
        while table.read(&mut row, &mut run.meter)? {
            left = left && other.read(&mut bound, &mut run.meter)?;
            used += u64::from(left);
            let mut room = Room::of(&run.task.limits);
            for (to, from) in to.iter().zip(&from) {
                let cell = if left { &bound[*from] } else { &Cell::Missing };
                room.take(cell.size())?;
                row[*to] = cell.clone();
            }
            writer.row(&row)?;
            rows += 1;
        }
        let mut outcome = Outcome::of(writer.finish()?, Value::Null);
        outcome.data = json!({ "target_rows": rows, "bound_rows": used });
        if left && other.read(&mut bound, &mut run.meter)? {
            let warning =
                format!("the source file has more than {rows} rows; the rest is not used");
            outcome.warnings.push(warning);
        }
        Ok(outcome)
    }
}

fn missing(file: &str, absent: &[&str]) -> String {
    let issues: Vec<_> =
        absent.iter().map(|name| format!("{file} column '{name}' not found")).collect();
    let issues = issues.join(", ");
    format!("Data binding failed: Column mapping validation failed: {issues}")
}
