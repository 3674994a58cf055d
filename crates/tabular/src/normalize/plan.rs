//! Which columns there are in the end, and what is done to each on its way.
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    fit::{Fit, Gather},
    kind::{Kind, unknown},
    report::{Report, Stats},
};
use crate::{
    arguments::{Told, Unknown},
    cell::{Cell, Row},
    date::Reading,
    error::Error,
    limits::Limits,
    name,
    patterns::Patterns,
    progress::Meter,
    run::Room,
};

/// One normalisation that is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Wanted")]
pub(crate) struct Item {
    column_name: String,
    normalization_type: String,
    parameters: Value,
    backup_original: Option<bool>,
    unknown: Unknown,
}

/// The same as clients spell it: the longer names win.
#[derive(Deserialize)]
struct Wanted {
    column_name: Option<String>,
    column: Option<String>,
    normalization_type: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    parameters: Value,
    backup_original: Option<bool>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl From<Wanted> for Item {
    fn from(it: Wanted) -> Self {
        let either = |one: Option<String>, other| one.filter(|it| !it.is_empty()).or(other);
        Self {
            column_name: either(it.column_name, it.column).unwrap_or_default(),
            normalization_type: either(it.normalization_type, it.kind).unwrap_or_default(),
            parameters: it.parameters,
            backup_original: it.backup_original,
            unknown: it.unknown,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Plan<'a> {
    items: &'a [Item],
    columns: Vec<Column>,
    reading: Reading,
    limits: Limits,
    /// Count values, as somebody wants to know.
    counting: bool,
    /// Different values that are counted at one point.
    most: usize,
    /// The row that was changed last; the header is the first.
    row: u64,
}

/// A column of the result.
#[derive(Debug)]
struct Column {
    name: String,
    source: usize,
    steps: Vec<Step>,
    /// What its cells are as read, if there are steps.
    stats: Stats,
}

#[derive(Debug)]
struct Step {
    item: usize,
    kind: Kind,
    /// `None` until what it has to know is known.
    fit: Option<Fit>,
    stats: Stats,
    /// It makes numbers or dates of texts, which may not be some.
    converts: bool,
    /// Cells that could not be converted, and the first of them with their rows.
    failed: u64,
    examples: Vec<(u64, String)>,
}

/// Cells that are told one by one, and characters of each.
const EXAMPLES: usize = 20;
const SHOWN: usize = 100;

// === impl Item ===

impl Item {
    pub(crate) fn describe(&self) -> Value {
        json!({
            "column": self.column_name,
            "type": self.normalization_type,
            "parameters": self.parameters(),
        })
    }

    /// Tell of what is not known; `at` is its place in the list.
    pub(crate) fn tell(&self, at: usize, told: &mut Told) {
        told.all(&format!("normalizations[{at}]"), &self.unknown);
        for name in unknown(&self.normalization_type, &self.parameters) {
            told.unknown(&format!("normalizations[{at}].parameters.{name}"));
        }
    }

    fn parameters(&self) -> Value {
        if self.parameters.is_null() { json!({}) } else { self.parameters.clone() }
    }
}

// === impl Plan ===

impl<'a> Plan<'a> {
    /// What is to be done to a table with these `columns`. What cannot be done is reported.
    pub(crate) fn new(
        items: &'a [Item],
        columns: &[String],
        backup: bool,
        reading: Reading,
        limits: Limits,
        counting: bool,
        report: &mut Report,
    ) -> Self {
        // Values are counted before and after each item, at most.
        let most = limits.max_distinct / (2 * items.len()).max(1);
        let read = |(source, name): (usize, &String)| Column::new(name.clone(), source, most);
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
                plan.keep(format!("{name}_original"), plan.columns[column].source);
            }
            match Kind::parse(&item.normalization_type, &item.parameters, &mut patterns) {
                Ok(kind) => plan.columns[column].steps.push(Step::new(at, kind, &limits, most)),
                Err(why) => report.error(format!("Error normalizing '{name}': {why}"), &started),
            }
        }
        plan
    }

    fn find(&self, name: &str) -> Option<usize> {
        let exact = self.columns.iter().position(|it| it.name == name);
        exact.or_else(|| self.columns.iter().position(|it| name::same(&it.name, name)))
    }

    /// Have a column `name` with the cells of `source` as they are read, in the place of another one
    /// of that name if there is one.
    fn keep(&mut self, name: String, source: usize) {
        let at = self.find(&name);
        let column = Column::new(name, source, self.most);
        match at {
            Some(at) => self.columns[at] = column,
            None => self.columns.push(column),
        }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|it| it.name.clone()).collect()
    }

    /// How often the table must be read, at most, before it can be changed.
    pub(crate) fn passes(&self) -> u32 {
        let unknown = |column: &Column| column.steps.iter().filter(|it| it.fit.is_none()).count();
        let most = self.columns.iter().map(unknown).max().unwrap_or(0);
        u32::try_from(most).unwrap_or(u32::MAX)
    }

    /// What collects for each column, from all rows. `None` if everything is known.
    pub(crate) fn gather(&self) -> Option<Vec<Option<Gather>>> {
        if self.passes() == 0 {
            return None;
        }
        let gathers = self.columns.iter().map(|column| {
            let step = column.steps.iter().find(|it| it.fit.is_none())?;
            Gather::for_kind(&step.kind, &self.limits)
        });
        Some(gathers.collect())
    }

    pub(crate) fn look(
        &self,
        gathers: &mut [Option<Gather>],
        row: &Row,
        meter: &mut Meter<'_>,
    ) -> Result<(), Error> {
        for (column, gather) in self.columns.iter().zip(gathers) {
            let Some(gather) = gather else { continue };
            let mut room = Room::of(&self.limits);
            let mut cell = row[column.source].clone();
            for step in &column.steps {
                let Some(fit) = &step.fit else {
                    gather.add(&step.kind, &cell)?;
                    break;
                };
                cell = step.kind.apply(fit, cell, self.reading, &mut room, meter)?;
            }
        }
        Ok(())
    }

    /// Use what was collected. A step that cannot be done is left out, and reported.
    pub(crate) fn learn(&mut self, gathers: Vec<Option<Gather>>, stamp: &str, report: &mut Report) {
        for (column, gather) in self.columns.iter_mut().zip(gathers) {
            let next = column.steps.iter().position(|it| it.fit.is_none());
            let (Some(at), Some(gather)) = (next, gather) else { continue };
            match gather.fit(&column.steps[at].kind) {
                Ok(fit) => column.steps[at].fit = Some(fit),
                Err(why) => {
                    let name = &self.items[column.steps[at].item].column_name;
                    report.error(format!("Error normalizing '{name}': {why}"), stamp);
                    column.steps.remove(at);
                }
            }
        }
    }

    /// The changed row.
    pub(crate) fn apply(
        &mut self,
        row: &Row,
        changed: &mut Row,
        meter: &mut Meter<'_>,
    ) -> Result<(), Error> {
        changed.clear();
        self.row += 1;
        let mut room = Room::of(&self.limits);
        for column in &mut self.columns {
            let mut cell = row[column.source].clone();
            if self.counting && !column.steps.is_empty() {
                column.stats.add(&cell);
            }
            for step in &mut column.steps {
                let fit = step.fit.as_ref().unwrap_or(&Fit::Any);
                // Long texts are not copied for what might be told of them.
                let before = if step.converts { brief(&cell) } else { Cell::Missing };
                cell = step.kind.apply(fit, cell, self.reading, &mut room, meter)?;
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

    /// What could not be converted, in words.
    pub(crate) fn failures(&self) -> Vec<String> {
        let steps = self.columns.iter().flat_map(|it| &it.steps).filter(|it| it.failed > 0);
        let told = steps.map(|step| {
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
        told.collect()
    }

    /// What was done, in the order in which it was asked for.
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

// === impl Column ===

impl Column {
    fn new(name: String, source: usize, most: usize) -> Self {
        Self { name, source, steps: Vec::new(), stats: Stats::new(most) }
    }
}

// === impl Step ===

impl Step {
    fn new(item: usize, kind: Kind, limits: &Limits, most: usize) -> Self {
        let fit = Gather::for_kind(&kind, limits).is_none().then_some(Fit::Any);
        let converts = kind.converts();
        let (stats, examples) = (Stats::new(most), Vec::new());
        Self { item, kind, fit, stats, converts, failed: 0, examples }
    }

    fn fail(&mut self, row: u64, cell: &Cell) {
        self.failed += 1;
        if self.examples.len() < EXAMPLES {
            let text = cell.text().unwrap_or_default();
            self.examples.push((row, text.chars().take(SHOWN).collect()));
        }
    }
}

/// The cell, or the beginning of one that is too long for a number or a date.
fn brief(cell: &Cell) -> Cell {
    match cell {
        Cell::Text(text) if text.len() > LONG => {
            Cell::from(text.get(..text.floor_char_boundary(LONG)).unwrap_or_default())
        }
        cell => cell.clone(),
    }
}

/// Bytes that a number may have with everything around it.
const LONG: usize = 4096;
