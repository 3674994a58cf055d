//! Generates an insertion for each row, in transactions.
use std::num::NonZeroU64;

use indexmap::IndexMap;

use super::{
    auto::AutoIncrement,
    dialect::Database,
    line::{SimpleTemplate, SqlColumns, UNCLOSED_TEMPLATE, columns, compared},
    script::Script,
};
use crate::{
    budget::ResultBudget,
    cell::{Cell, Row},
    distinct::Distinct,
    error::{BadArguments, Error},
    run::Execution,
    task::Outcome,
};

#[derive(Clone, Debug)]
pub(crate) struct Insert {
    /// Quoted if needed.
    pub(super) table: String,
    pub(super) database: Database,
    pub(super) columns: Vec<String>,
    pub(super) mapping: IndexMap<String, String>,
    pub(super) auto: Option<AutoIncrement>,
    pub(super) template: Option<String>,
    /// Rows of a transaction; `None` for all.
    pub(super) batch: Option<NonZeroU64>,
    pub(super) transaction: bool,
    pub(super) remove_duplicates: bool,
    /// Part of the file name.
    pub(super) kind: &'static str,
    /// Whether the lines become data instead of a file.
    pub(super) listed: bool,
}

/// Source of the line of a row.
#[derive(Debug)]
enum Lines {
    Template(SimpleTemplate),
    /// The text before the values, and the columns.
    Values(String, SqlColumns),
}

// === impl Insert ===

impl Insert {
    pub(super) fn run(&self, run: &mut Execution<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let columns = columns(&table, &self.columns, &self.mapping)?;
        let lines = self.lines(columns)?;
        if let Lines::Template(SimpleTemplate { open: true, .. }) = &lines {
            run.notes.push(UNCLOSED_TEMPLATE.to_owned());
        }
        let (folder, limits) = (run.task.folder, run.task.limits);
        let mut script =
            if self.listed { Script::list(&limits) } else { Script::begin(folder, &limits)? };
        if self.transaction {
            script.line(self.database.begin(), folder)?;
        }
        let mut seen = Distinct::new(limits.max_distinct);
        let indexes: Vec<_> = self.columns.iter().filter_map(|name| table.column(name)).collect();
        run.rows(&mut table, |row, _| {
            if self.remove_duplicates && !seen.insert(&compared(&indexes, row))? {
                return Ok(());
            }
            let rows = script.rows();
            if self.transaction && self.batch.is_some_and(|batch| rows > 0 && rows % batch == 0) {
                script.line("COMMIT;", folder)?;
                script.line(self.database.begin(), folder)?;
            }
            script.row(&self.line(&lines, row, rows, ResultBudget::new(&limits))?, folder)
        })?;
        if self.transaction {
            script.line("COMMIT;", folder)?;
        }
        let stamp = run.stamp();
        script.finish(run, self.kind, |rows| {
            vec![
                "-- Generated SQL statements".to_owned(),
                format!("-- Database: {}", self.database.name()),
                format!("-- Table: {}", self.table),
                format!("-- Generated at: {stamp}"),
                format!("-- Total rows: {rows}"),
                String::new(),
            ]
        })
    }

    fn lines(&self, columns: SqlColumns) -> Result<Lines, Error> {
        if let Some(template) = &self.template {
            let auto = self.auto.as_ref();
            return Ok(Lines::Template(SimpleTemplate::new(
                template,
                &columns,
                auto,
                self.database,
            )));
        }
        let refused = |error: BadArguments| Error::Refused(error.to_string());
        let key = self.auto.as_ref().filter(|auto| auto.value(self.database, 0).is_some());
        let names =
            key.map(|auto| &auto.column).into_iter().chain(columns.iter().map(|column| &column.0));
        let names: Result<Vec<_>, _> = names.map(|name| self.database.identifier(name)).collect();
        let names = names.map_err(refused)?.join(", ");
        Ok(Lines::Values(format!("INSERT INTO {} ({names}) VALUES (", self.table), columns))
    }

    fn line(
        &self,
        lines: &Lines,
        row: &Row,
        index: u64,
        mut budget: ResultBudget,
    ) -> Result<String, Error> {
        match lines {
            Lines::Template(template) => {
                template.fill(row, index, self.auto.as_ref(), self.database, budget)
            }
            Lines::Values(start, columns) => {
                let key = self.auto.as_ref().and_then(|auto| auto.value(self.database, index));
                let mut values: Vec<_> = key.into_iter().collect();
                for (_, at) in columns {
                    let cell = at.map_or(&Cell::Missing, |at| &row[at]);
                    budget.take(cell.size())?;
                    values.push(self.database.literal(cell));
                }
                Ok(format!("{start}{});", values.join(", ")))
            }
        }
    }
}
