//! Plan of a normalisation: the columns of the result, and the steps of each.
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    fit::{Collector, Fit},
    kind::{Kind, unknown},
    report::{Report, Stats},
};
use crate::{
    arguments::{Notes, UnknownMembers},
    budget::ResultBudget,
    cell::{Cell, Row},
    date::Reading,
    error::Error,
    limits::Limits,
    name,
    patterns::Patterns,
    progress::Meter,
};

/// A requested normalisation.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "RawItem")]
pub(crate) struct Item {
    column_name: String,
    normalization_type: String,
    parameters: Value,
    backup_original: Option<bool>,
    unknown: UnknownMembers,
}

/// A request in both spellings; the longer names win.
#[derive(Deserialize)]
struct RawItem {
    column_name: Option<String>,
    column: Option<String>,
    normalization_type: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    parameters: Value,
    backup_original: Option<bool>,
    #[serde(flatten)]
    unknown: UnknownMembers,
}

impl From<RawItem> for Item {
    fn from(raw: RawItem) -> Self {
        let either = |one: Option<String>, other| one.filter(|text| !text.is_empty()).or(other);
        Self {
            column_name: either(raw.column_name, raw.column).unwrap_or_default(),
            normalization_type: either(raw.normalization_type, raw.kind).unwrap_or_default(),
            parameters: raw.parameters,
            backup_original: raw.backup_original,
            unknown: raw.unknown,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Plan<'a> {
    items: &'a [Item],
    columns: Vec<PlannedColumn>,
    reading: Reading,
    limits: Limits,
    /// Whether values are counted for the report.
    counting: bool,
    /// Most distinct values that are counted at one point.
    most: usize,
    /// The last changed row; the header is row 1.
    row: u64,
}

/// A column of the result.
#[derive(Debug)]
struct PlannedColumn {
    name: String,
    source: usize,
    steps: Vec<PlannedStep>,
    /// Statistics of its cells as read, if it has steps.
    stats: Stats,
}

#[derive(Debug)]
struct PlannedStep {
    item: usize,
    kind: Kind,
    /// `None` until the properties of the column are known.
    fit: Option<Fit>,
    stats: Stats,
    /// Whether it converts texts to numbers or dates, which may fail.
    converts: bool,
    /// Cells that could not be converted, and the first of them with their rows.
    failed: u64,
    examples: Vec<(u64, String)>,
}

/// Most failed cells that are listed, and most characters of each.
const MAX_EXAMPLES: usize = 20;
const MAX_EXAMPLE_CHARS: usize = 100;

// === impl Item ===

impl Item {
    pub(crate) fn describe(&self) -> Value {
        json!({
            "column": self.column_name,
            "type": self.normalization_type,
            "parameters": self.parameters(),
        })
    }

    /// Notes unknown members and parameters; `at` is the index in the list.
    pub(crate) fn report_unknown(&self, at: usize, notes: &mut Notes) {
        notes.unknown_members(&format!("normalizations[{at}]"), &self.unknown);
        for name in unknown(&self.normalization_type, &self.parameters) {
            notes.unknown(&format!("normalizations[{at}].parameters.{name}"));
        }
    }

    fn parameters(&self) -> Value {
        if self.parameters.is_null() { json!({}) } else { self.parameters.clone() }
    }
}

// === impl Plan ===

impl<'a> Plan<'a> {
    /// Plans the changes of a table with these `columns`. Items that cannot be applied are
    /// reported.
    pub(crate) fn new(
        items: &'a [Item],
        columns: &[String],
        backup: bool,
        reading: Reading,
        limits: Limits,
        counting: bool,
        report: &mut Report,
    ) -> Self {
        // Values are counted before and after each item.
        let most = limits.max_distinct / (2 * items.len()).max(1);
        let read =
            |(source, name): (usize, &String)| PlannedColumn::new(name.clone(), source, most);
        let columns = columns.iter().enumerate().map(read).collect();
        let mut plan = Self { items, columns, reading, limits, counting, most, row: 1 };
        let started = report.started.clone();
        let mut patterns = Patterns::default();
        for (at, item) in items.iter().enumerate() {
            let name = &item.column_name;
            let Some(column) = plan.find(name) else {
                report.warning(format!("Column '{name}' not found"), &started);
                continue;
            };
            if item.backup_original.unwrap_or(backup) {
                plan.add_backup(format!("{name}_original"), plan.columns[column].source);
            }
            match Kind::parse(&item.normalization_type, &item.parameters, &mut patterns) {
                Ok(kind) => {
                    plan.columns[column].steps.push(PlannedStep::new(at, kind, &limits, most));
                }
                Err(err) => report.error(format!("Error normalizing '{name}': {err}"), &started),
            }
        }
        plan
    }

    fn find(&self, name: &str) -> Option<usize> {
        let exact = self.columns.iter().position(|column| column.name == name);
        exact.or_else(|| self.columns.iter().position(|column| name::same(&column.name, name)))
    }

    /// Adds a column `name` with the cells of `source` as read. Replaces a column of that name.
    fn add_backup(&mut self, name: String, source: usize) {
        let at = self.find(&name);
        let column = PlannedColumn::new(name, source, self.most);
        match at {
            Some(at) => self.columns[at] = column,
            None => self.columns.push(column),
        }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// Returns how often the table has to be read before it can be changed.
    pub(crate) fn passes(&self) -> u32 {
        let unknown =
            |column: &PlannedColumn| column.steps.iter().filter(|step| step.fit.is_none()).count();
        let most = self.columns.iter().map(unknown).max().unwrap_or(0);
        u32::try_from(most).unwrap_or(u32::MAX)
    }

    /// Returns the collectors for the next pass over all rows, by column. `None` if all properties
    /// are known.
    pub(crate) fn collectors(&self) -> Option<Vec<Option<Collector>>> {
        if self.passes() == 0 {
            return None;
        }
        let collectors = self.columns.iter().map(|column| {
            let step = column.steps.iter().find(|step| step.fit.is_none())?;
            Collector::for_kind(&step.kind, &self.limits)
        });
        Some(collectors.collect())
    }

    pub(crate) fn collect(
        &self,
        collectors: &mut [Option<Collector>],
        row: &Row,
        meter: &mut Meter<'_>,
    ) -> Result<(), Error> {
        for (column, collectors) in self.columns.iter().zip(collectors) {
            let Some(collectors) = collectors else { continue };
            let mut budget = ResultBudget::new(&self.limits);
            let mut cell = row[column.source].clone();
            for step in &column.steps {
                let Some(fit) = &step.fit else {
                    collectors.add(&step.kind, &cell)?;
                    break;
                };
                cell = step.kind.apply(fit, cell, self.reading, &mut budget, meter)?;
            }
        }
        Ok(())
    }

    /// Stores the collected properties. A step that cannot be applied is removed and reported.
    pub(crate) fn set_fits(
        &mut self,
        collectors: Vec<Option<Collector>>,
        stamp: &str,
        report: &mut Report,
    ) {
        for (column, collectors) in self.columns.iter_mut().zip(collectors) {
            let next = column.steps.iter().position(|step| step.fit.is_none());
            let (Some(at), Some(collectors)) = (next, collectors) else { continue };
            match collectors.fit(&column.steps[at].kind) {
                Ok(fit) => column.steps[at].fit = Some(fit),
                Err(err) => {
                    let name = &self.items[column.steps[at].item].column_name;
                    report.error(format!("Error normalizing '{name}': {err}"), stamp);
                    column.steps.remove(at);
                }
            }
        }
    }

    /// Makes the changed row.
    pub(crate) fn apply(
        &mut self,
        row: &Row,
        changed: &mut Row,
        meter: &mut Meter<'_>,
    ) -> Result<(), Error> {
        changed.clear();
        self.row += 1;
        let mut budget = ResultBudget::new(&self.limits);
        for column in &mut self.columns {
            let mut cell = row[column.source].clone();
            if self.counting && !column.steps.is_empty() {
                column.stats.add(&cell);
            }
            for step in &mut column.steps {
                let fit = step.fit.as_ref().unwrap_or(&Fit::Any);
                // Long texts are not copied for an example of a few characters.
                let before = if step.converts { brief(&cell) } else { Cell::Missing };
                cell = step.kind.apply(fit, cell, self.reading, &mut budget, meter)?;
                if step.converts && step.kind.failed(&before, &cell) {
                    step.fail(self.row, &before);
                }
                if self.counting {
                    step.stats.add(&cell);
                }
            }
            changed.push(cell);
        }
        Ok(())
    }

    /// Describes the values that could not be converted.
    pub(crate) fn failures(&self) -> Vec<String> {
        let steps =
            self.columns.iter().flat_map(|column| &column.steps).filter(|step| step.failed > 0);
        let notes = steps.map(|step| {
            let Item { column_name, normalization_type, .. } = &self.items[step.item];
            let rows: Vec<_> = step.examples.iter().map(|(row, _)| row.to_string()).collect();
            let more = step.failed - rows.len() as u64;
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let (count, rows) = (step.failed, rows.join(", "));
            format!(
                "{normalization_type} could not convert {count} values of '{column_name}': those in \
                 the rows {rows}{more}, where the header is row 1"
            )
        });
        notes.collect()
    }

    /// Describes the applied steps, in the order of the request.
    pub(crate) fn processed(&self) -> Vec<Value> {
        let mut done = Vec::new();
        for column in &self.columns {
            let mut before = column.stats.describe(true);
            for step in &column.steps {
                let item = &self.items[step.item];
                let after = step.stats.describe(false);
                let mut described = json!({
                    "column_name": item.column_name,
                    "normalization_type": item.normalization_type,
                    "parameters": item.parameters(),
                    "before_stats": before,
                    "after_stats": after,
                    "failed_values": step.failed,
                    "success": true,
                });
                if !step.examples.is_empty() {
                    let row = |(row, value): &(u64, String)| json!({"row": row, "value": value});
                    described["failed_rows"] = step.examples.iter().map(row).collect();
                }
                done.push((step.item, described));
                before = after;
            }
        }
        done.sort_by_key(|(item, _)| *item);
        done.into_iter().map(|(_, described)| described).collect()
    }
}

// === impl PlannedColumn ===

impl PlannedColumn {
    fn new(name: String, source: usize, most: usize) -> Self {
        Self { name, source, steps: Vec::new(), stats: Stats::new(most) }
    }
}

// === impl PlannedStep ===

impl PlannedStep {
    fn new(item: usize, kind: Kind, limits: &Limits, most: usize) -> Self {
        let fit = Collector::for_kind(&kind, limits).is_none().then_some(Fit::Any);
        let converts = kind.converts();
        let (stats, examples) = (Stats::new(most), Vec::new());
        Self { item, kind, fit, stats, converts, failed: 0, examples }
    }

    fn fail(&mut self, row: u64, cell: &Cell) {
        self.failed += 1;
        if self.examples.len() < MAX_EXAMPLES {
            let text = cell.text().unwrap_or_default();
            self.examples.push((row, text.chars().take(MAX_EXAMPLE_CHARS).collect()));
        }
    }
}

/// Returns the cell, or the beginning of one that is too long for a number or a date.
fn brief(cell: &Cell) -> Cell {
    match cell {
        Cell::Text(text) if text.len() > MAX_EXAMPLE_BYTES => {
            Cell::from(text.get(..text.floor_char_boundary(MAX_EXAMPLE_BYTES)).unwrap_or_default())
        }
        cell => cell.clone(),
    }
}

/// Most bytes of a number or a date with white space around it.
const MAX_EXAMPLE_BYTES: usize = 4096;
