//! A statement of the client's own for each row, by a template with types and defaults.
use indexmap::IndexMap;

use super::{
    AutoIncrement, Database,
    line::{Columns, columns, compared},
    script::Script,
};
use crate::{
    cell::{Cell, Row, float_text},
    distinct::Distinct,
    error::{Error, TooMuch},
    operation::Outcome,
    run::{Room, Run},
    template::{self, Hole, Piece, Value},
};

#[derive(Clone, Debug)]
pub(crate) struct Custom {
    pub(super) columns: Vec<String>,
    pub(super) template: String,
    /// Columns by placeholder.
    pub(super) mapping: IndexMap<String, String>,
    pub(super) auto: Option<AutoIncrement>,
    pub(super) remove_duplicates: bool,
}

#[derive(Debug)]
enum Part {
    Text(String),
    Key,
    Cell(Place),
}

/// A placeholder in the statement.
#[derive(Debug)]
struct Place {
    hole: Hole,
    at: Option<usize>,
    /// It stands within quotes.
    quoted: bool,
    /// Wildcards that are put around the value.
    around: [String; 2],
}

// === impl Custom ===

impl Custom {
    pub(super) fn run(&self, run: &mut Run<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let columns = columns(&table, &self.columns, &self.mapping)?;
        let parts = self.parts(&columns);
        let (folder, limits) = (run.task.folder, run.task.limits);
        let mut script = Script::begin(folder, &limits)?;
        let mut seen = Distinct::new(limits.max_distinct);
        let places: Vec<_> = self.columns.iter().filter_map(|it| table.column(it)).collect();
        run.rows(&mut table, |row| {
            if self.remove_duplicates && !seen.insert(&compared(&places, row))? {
                return Ok(());
            }
            let (mut line, mut room) = (String::new(), Room::of(&limits));
            for part in &parts {
                match part {
                    Part::Text(text) => line.push_str(text),
                    Part::Key => {
                        let key = self.auto.as_ref().map(|it| it.running(script.rows()));
                        line.push_str(&key.unwrap_or_default());
                    }
                    Part::Cell(place) => place.write(row, &mut room, &mut line)?,
                }
            }
            script.row(&line, folder)
        })?;
        script.finish(run, "sql_custom", |_| Vec::new())
    }

    fn parts(&self, columns: &Columns) -> Vec<Part> {
        let key = self.auto.as_ref().map(|it| it.column.as_str());
        let mut quotes = 0;
        let parts = template::pieces(&self.template).into_iter().map(|piece| match piece {
            Piece::Text(text) => {
                quotes += text.matches('\'').count();
                Part::Text(text.to_owned())
            }
            Piece::Hole(hole)
                if key.is_some_and(|key| hole.name == "auto_id" || hole.name == key) =>
            {
                Part::Key
            }
            Piece::Hole(hole) => {
                let place = Place::new(hole, columns, quotes % 2 == 1);
                if place.at.is_none() && place.hole.name == "current_timestamp" {
                    return Part::Text("CURRENT_TIMESTAMP".to_owned());
                }
                Part::Cell(place)
            }
        });
        parts.collect()
    }
}

// === impl Place ===

impl Place {
    fn new(mut hole: Hole, columns: &Columns, quoted: bool) -> Self {
        let find = |name: &str| columns.iter().find(|(it, _)| it == name);
        let mut around = [String::new(), String::new()];
        // A name may begin or end like a wildcard.
        if find(&hole.name).is_none() {
            let wild = |it: char| it == '%' || it == '_';
            let name = hole.name.trim_matches(wild);
            let (before, after) = hole.name.split_once(name).unwrap_or_default();
            around = [before.to_owned(), after.to_owned()];
            hole.name = name.to_owned();
        }
        Self { at: find(&hole.name).and_then(|(_, at)| *at), hole, quoted, around }
    }

    fn write(&self, row: &Row, room: &mut Room, line: &mut String) -> Result<(), TooMuch> {
        let cell = self.at.map(|at| &row[at]);
        room.take(cell.map_or(0, Cell::size))?;
        let cell = cell.and_then(Cell::text);
        let text = self.hole.fill(cell.as_deref());
        let value = text.and_then(|text| self.hole.kind.convert(text));
        let [before, after] = &self.around;
        match value {
            Some(Value::Text(text)) if self.quoted => line.push_str(&text.replace('\'', "''")),
            Some(Value::Text(text)) => {
                line.push_str(&Database::Postgresql.text(&format!("{before}{text}{after}")));
            }
            Some(Value::Int(number)) => line.push_str(&number.to_string()),
            Some(Value::Float(number)) if number.is_finite() => {
                line.push_str(&float_text(number));
            }
            Some(Value::Bool(it)) => line.push_str(if it { "TRUE" } else { "FALSE" }),
            // Within quotes, no value is nothing.
            None | Some(Value::Float(_)) if self.quoted => {}
            None | Some(Value::Float(_)) => line.push_str("NULL"),
        }
        Ok(())
    }
}
