//! Which columns there are in the end, and what is done to each on its way.
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    fit::{Fit, Gather},
    kind::Kind,
    report::{Report, Stats},
};
use crate::{
    arguments::or_default,
    cell::Row,
    date::Reading,
    error::{Error, TooMuch},
    limits::Limits,
    patterns::Patterns,
    run::Room,
};

/// One normalisation that is asked for.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Item {
    #[serde(default, deserialize_with = "or_default")]
    column_name: String,
    #[serde(default, deserialize_with = "or_default")]
    normalization_type: String,
    #[serde(default)]
    parameters: Value,
    backup_original: Option<bool>,
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
    /// Cells that had something and have nothing any more.
    failed: u64,
}

// === impl Item ===

impl Item {
    pub(crate) fn describe(&self) -> Value {
        json!({
            "column": self.column_name,
            "type": self.normalization_type,
            "parameters": self.parameters(),
        })
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
        let mut plan = Self { items, columns, reading, limits, counting, most };
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
        self.columns.iter().position(|it| it.name == name)
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

    pub(crate) fn look(&self, gathers: &mut [Option<Gather>], row: &Row) -> Result<(), Error> {
        for (column, gather) in self.columns.iter().zip(gathers) {
            let Some(gather) = gather else { continue };
            let mut room = Room::of(&self.limits);
            let mut cell = row[column.source].clone();
            for step in &column.steps {
                let Some(fit) = &step.fit else {
                    gather.add(&step.kind, &cell)?;
                    break;
                };
                cell = step.kind.apply(fit, cell, self.reading, &mut room)?;
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
    pub(crate) fn apply(&mut self, row: &Row, changed: &mut Row) -> Result<(), TooMuch> {
        changed.clear();
        let mut room = Room::of(&self.limits);
        for column in &mut self.columns {
            let mut cell = row[column.source].clone();
            if self.counting && !column.steps.is_empty() {
                column.stats.add(&cell);
            }
            for step in &mut column.steps {
                let had = !cell.is_empty();
                let fit = step.fit.as_ref().unwrap_or(&Fit::Any);
                cell = step.kind.apply(fit, cell, self.reading, &mut room)?;
                step.failed += u64::from(had && cell.is_missing());
                if self.counting {
                    step.stats.add(&cell);
                }
            }
            changed.push(cell);
        }
        Ok(())
    }

    /// What was done, in the order in which it was asked for.
    pub(crate) fn processed(&self) -> Vec<Value> {
        let mut done = Vec::new();
        for column in &self.columns {
            let mut before = column.stats.describe(true);
            for step in &column.steps {
                let item = &self.items[step.item];
                let after = step.stats.describe(false);
                let described = json!({
                    "column_name": item.column_name,
                    "normalization_type": item.normalization_type,
                    "parameters": item.parameters(),
                    "before_stats": before,
                    "after_stats": after,
                    "failed_values": step.failed,
                    "success": true,
                });
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
        Self { item, kind, fit, stats: Stats::new(most), failed: 0 }
    }
}
