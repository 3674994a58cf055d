//! A statement of the client's own for each row, by a template with types and defaults.
use indexmap::IndexMap;

use super::{
    AutoIncrement, Database,
    line::{Columns, OPEN, columns, compared, plain, write},
    place::{self, apart},
    scan::Scanner,
    script::Script,
};
use crate::{
    cell::{Cell, Row, float_text},
    distinct::Distinct,
    error::Error,
    name,
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
    pub(super) database: Database,
}

#[derive(Debug)]
enum Part {
    Text(String),
    Key(place::Place),
    Cell(Place),
}

/// A placeholder in the statement.
#[derive(Debug)]
struct Place {
    hole: Hole,
    at: Option<usize>,
    /// What surrounds it.
    around_it: place::Place,
    /// Wildcards that are put around the value.
    around: [String; 2],
}

// === impl Custom ===

impl Custom {
    pub(super) fn run(&self, run: &mut Run<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let columns = columns(&table, &self.columns, &self.mapping)?;
        let (parts, open) = self.parts(&columns);
        if open {
            run.told.push(OPEN.to_owned());
        }
        let (folder, limits) = (run.task.folder, run.task.limits);
        let mut script = Script::begin(folder, &limits)?;
        let mut seen = Distinct::new(limits.max_distinct);
        let places: Vec<_> = self.columns.iter().filter_map(|it| table.column(it)).collect();
        run.rows(&mut table, |row, _| {
            if self.remove_duplicates && !seen.insert(&compared(&places, row))? {
                return Ok(());
            }
            let (mut line, mut room) = (String::new(), Room::of(&limits));
            let mut value = false;
            for part in &parts {
                let after_value = std::mem::replace(&mut value, part.is_value());
                match part {
                    Part::Text(text) => {
                        if after_value && let Some(first) = text.chars().next() {
                            apart(&mut line, first);
                        }
                        line.push_str(text);
                    }
                    Part::Key(around) => {
                        let key = self.auto.as_ref().map(|it| it.running(script.rows()));
                        plain(around, self.database, &key.unwrap_or_default(), &mut line)?;
                    }
                    Part::Cell(place) => place.write(self.database, row, &mut room, &mut line)?,
                }
            }
            script.row(&line, folder)
        })?;
        script.finish(run, "sql_custom", |_| Vec::new())
    }

    /// The template as it is cut, and whether it ends within a text or a comment.
    fn parts(&self, columns: &Columns) -> (Vec<Part>, bool) {
        let key = self.auto.as_ref().map(|it| it.column.as_str());
        let mut scanner = Scanner::new(self.database);
        let parts = template::pieces(&self.template).into_iter().map(|piece| match piece {
            Piece::Text(text) => {
                scanner.text(text);
                Part::Text(text.to_owned())
            }
            Piece::Hole(hole)
                if key.is_some_and(|key| hole.name == "auto_id" || name::same(&hole.name, key)) =>
            {
                let around = scanner.place();
                scanner.value();
                Part::Key(around)
            }
            Piece::Hole(hole) => {
                let place = Place::new(hole, columns, scanner.place());
                scanner.value();
                if place.at.is_none() && place.hole.name == "current_timestamp" {
                    return Part::Text("CURRENT_TIMESTAMP".to_owned());
                }
                Part::Cell(place)
            }
        });
        let parts = parts.collect();
        (parts, scanner.is_open())
    }
}

impl Part {
    /// Whether it is a value of its own.
    fn is_value(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Cell(place) => place.around_it.is_code(),
            Self::Key(around) => around.is_code(),
        }
    }
}

// === impl Place ===

impl Place {
    fn new(mut hole: Hole, columns: &Columns, around_it: place::Place) -> Self {
        let find = |name: &str| columns.iter().find(|(it, _)| name::same(it, name));
        let mut around = [String::new(), String::new()];
        // A name may begin or end like a wildcard.
        if find(&hole.name).is_none() {
            let wild = |it: char| it == '%' || it == '_';
            let name = hole.name.trim_matches(wild);
            let (before, after) = hole.name.split_once(name).unwrap_or_default();
            around = [before.to_owned(), after.to_owned()];
            hole.name = name.to_owned();
        }
        Self { at: find(&hole.name).and_then(|(_, at)| *at), hole, around_it, around }
    }

    fn write(
        &self,
        database: Database,
        row: &Row,
        room: &mut Room,
        line: &mut String,
    ) -> Result<(), Error> {
        let cell = self.at.map(|at| &row[at]);
        room.take(cell.map_or(0, Cell::size))?;
        let cell = cell.and_then(Cell::text);
        let text = self.hole.fill(cell.as_deref());
        let value = text.and_then(|text| self.hole.kind.convert(text));
        let [before, after] = &self.around;
        let code = self.around_it.is_code();
        let value = match value {
            Some(Value::Text(text)) if code => {
                let text = format!("{before}{text}{after}");
                return write(&self.around_it, database, &text, line);
            }
            Some(Value::Text(text)) => text,
            Some(Value::Int(number)) => number.to_string(),
            Some(Value::Float(number)) if number.is_finite() => float_text(number),
            Some(Value::Bool(it)) => (if it { "TRUE" } else { "FALSE" }).to_owned(),
            // Within quotes, no value is nothing.
            None | Some(Value::Float(_)) => (if code { "NULL" } else { "" }).to_owned(),
        };
        plain(&self.around_it, database, &value, line)
    }
}
