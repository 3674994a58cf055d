//! Overwrites columns of a table with columns of a second one, row by row.
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    arguments::{Notes, ReportUnknown, UnknownMembers, or_default},
    budget::ResultBudget,
    cell::{Cell, Row},
    error::{Error, Unreadable},
    run::{Execution, find_columns},
    task::Outcome,
};

/// Rows beyond the end of the second table get missing cells.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Overwrite {
    /// Columns of the second table, by the columns that they replace.
    #[serde(default, deserialize_with = "or_default")]
    column_mapping: IndexMap<String, String>,
    #[serde(flatten)]
    unknown: UnknownMembers,
}

impl ReportUnknown for Overwrite {
    fn report_unknown(&self, notes: &mut Notes) {
        notes.unknown_members("", &self.unknown);
    }
}

impl Overwrite {
    pub(crate) fn run(&self, run: &mut Execution<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let path = run.task.bind_file.ok_or_else(|| Unreadable::Absent("the source".to_owned()))?;
        let mut other = run.open_other(path)?;
        let targets: Vec<_> = self.column_mapping.keys().collect();
        let sources: Vec<_> = self.column_mapping.values().collect();
        let to = find_columns(&table, &targets, |absent| missing("Target", absent))?;
        let from = find_columns(&other, &sources, |absent| missing("Source", absent))?;
        let mut writer = run.writer("bound", "", table.columns())?;
        let mut row = Row::new();
        let mut bound = Row::new();
        let mut left = true;
        let mut used: u64 = 0;
        let mut rows: u64 = 0;
        while table.read(&mut row, &mut run.meter)? {
            left = left && other.read(&mut bound, &mut run.meter)?;
            used += u64::from(left);
            let mut budget = ResultBudget::new(&run.task.limits);
            for (to, from) in to.iter().zip(&from) {
                let cell = if left { &bound[*from] } else { &Cell::Missing };
                budget.take(cell.size())?;
                row[*to] = cell.clone();
            }
            writer.row(&row)?;
            rows += 1;
        }
        let mut outcome = Outcome::of(writer.finish(&mut run.meter)?, Value::Null);
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
