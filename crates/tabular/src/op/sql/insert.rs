//! A statement for each row, in a transaction.
use std::num::NonZeroU64;

use indexmap::IndexMap;

use super::{
    AutoIncrement, Database,
    line::{Columns, OPEN, Simple, columns, compared},
    script::Script,
};
use crate::{
    cell::{Cell, Row},
    distinct::Distinct,
    error::{BadArguments, Error},
    operation::Outcome,
    run::{Room, Run},
};

#[derive(Clone, Debug)]
pub(crate) struct Insert {
    /// Ready to be written.
    pub(super) table: String,
    pub(super) database: Database,
    pub(super) columns: Vec<String>,
    pub(super) mapping: IndexMap<String, String>,
    pub(super) auto: Option<AutoIncrement>,
    pub(super) template: Option<String>,
    /// Rows of a transaction; all if it is not said.
    pub(super) batch: Option<NonZeroU64>,
    pub(super) transaction: bool,
    pub(super) remove_duplicates: bool,
    /// What the file is called.
    pub(super) kind: &'static str,
    /// The lines are wanted as data, not as a file.
    pub(super) listed: bool,
}

/// What makes the line of a row.
#[derive(Debug)]
enum Lines {
    Template(Simple),
    /// With what comes before the values.
    Values(String, Columns),
}

// === impl Insert ===

impl Insert {
    pub(super) fn run(&self, run: &mut Run<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let columns = columns(&table, &self.columns, &self.mapping)?;
        let lines = self.lines(columns)?;
        if let Lines::Template(Simple { open: true, .. }) = &lines {
            run.told.push(OPEN.to_owned());
        }
        let (folder, limits) = (run.task.folder, run.task.limits);
        let mut script =
            if self.listed { Script::list(&limits) } else { Script::begin(folder, &limits)? };
        if self.transaction {
            script.line(self.database.begin(), folder)?;
        }
        let mut seen = Distinct::new(limits.max_distinct);
        let places: Vec<_> = self.columns.iter().filter_map(|it| table.column(it)).collect();
        run.rows(&mut table, |row, _| {
            if self.remove_duplicates && !seen.insert(&compared(&places, row))? {
                return Ok(());
            }
            let rows = script.rows();
            if self.transaction && self.batch.is_some_and(|it| rows > 0 && rows % it == 0) {
                script.line("COMMIT;", folder)?;
                script.line(self.database.begin(), folder)?;
            }
            script.row(&self.line(&lines, row, rows, Room::of(&limits))?, folder)
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

    fn lines(&self, columns: Columns) -> Result<Lines, Error> {
        if let Some(template) = &self.template {
            let auto = self.auto.as_ref();
            return Ok(Lines::Template(Simple::new(template, &columns, auto, self.database)));
        }
        let refused = |error: BadArguments| Error::Refused(error.to_string());
        let key = self.auto.as_ref().filter(|it| it.value(self.database, 0).is_some());
        let names = key.map(|it| &it.column).into_iter().chain(columns.iter().map(|it| &it.0));
        let names: Result<Vec<_>, _> = names.map(|name| self.database.identifier(name)).collect();
        let names = names.map_err(refused)?.join(", ");
        Ok(Lines::Values(format!("INSERT INTO {} ({names}) VALUES (", self.table), columns))
    }

    fn line(&self, lines: &Lines, row: &Row, place: u64, mut room: Room) -> Result<String, Error> {
        match lines {
            Lines::Template(template) => {
                template.fill(row, place, self.auto.as_ref(), self.database, room)
            }
            Lines::Values(start, columns) => {
                let key = self.auto.as_ref().and_then(|it| it.value(self.database, place));
                let mut values: Vec<_> = key.into_iter().collect();
                for (_, at) in columns {
                    let cell = at.map_or(&Cell::Missing, |at| &row[at]);
                    room.take(cell.size())?;
                    values.push(self.database.literal(cell));
                }
                Ok(format!("{start}{});", values.join(", ")))
            }
        }
    }
}
