//! A line for each row, as a template or a list of values makes it.
use indexmap::IndexMap;

use super::{AutoIncrement, Database};
use crate::{
    cell::{Cell, Row},
    error::{Error, TooMuch},
    read::Table,
    run::{Room, places},
};

/// Columns of the statement, with those of the table: `None` for one that was not chosen.
pub(super) type Columns = Vec<(String, Option<usize>)>;

/// Which columns are meant by a mapping of names to columns. Without one, those of `chosen` under
/// their own names, or all.
pub(super) fn columns(
    table: &Table,
    chosen: &[String],
    mapping: &IndexMap<String, String>,
) -> Result<Columns, Error> {
    let own = places(table, chosen, |absent| format!("Columns not found: {}", absent.join(", ")))?;
    if mapping.is_empty() && chosen.is_empty() {
        return Ok(table.columns().iter().cloned().zip((0..).map(Some)).collect());
    }
    if mapping.is_empty() {
        return Ok(chosen.iter().cloned().zip(own.into_iter().map(Some)).collect());
    }
    let names: Vec<_> = mapping.values().collect();
    let mapped =
        places(table, &names, |absent| format!("Column '{}' not found in data", absent[0]))?;
    let open = |at: usize| Some(at).filter(|at| chosen.is_empty() || own.contains(at));
    Ok(mapping.keys().cloned().zip(mapped.into_iter().map(open)).collect())
}

/// The cells of a row that decide whether it was there before: those at `chosen`, or all.
pub(super) fn compared<'a>(chosen: &[usize], row: &'a Row) -> Vec<&'a Cell> {
    if chosen.is_empty() {
        return row.iter().collect();
    }
    chosen.iter().map(|at| &row[*at]).collect()
}

/// A template whose placeholders are exactly names of columns.
#[derive(Debug)]
pub(super) struct Simple(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Cell(Option<usize>),
    Key,
}

// === impl Simple ===

impl Simple {
    /// `{name}` stands for a value with its quotes; what is no name stays as it is written.
    pub(super) fn new(
        template: &str,
        columns: &Columns,
        auto: Option<&AutoIncrement>,
        database: Database,
    ) -> Self {
        let known = |name: &str| match name {
            "auto_id" if auto.is_some() => Some(Part::Key),
            _ => match columns.iter().find(|(it, _)| it == name) {
                Some((_, at)) => Some(Part::Cell(*at)),
                None if name == "current_timestamp" => {
                    Some(Part::Text(database.timestamp().to_owned()))
                }
                None if name == "current_date" => Some(Part::Text(database.date().to_owned())),
                None => None,
            },
        };
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let named = after.split_once('}');
            if let Some((part, end)) = named.and_then(|(name, end)| Some((known(name)?, end))) {
                parts.push(Part::Text(std::mem::take(&mut text)));
                parts.push(part);
                rest = end;
            } else {
                text.push('{');
                rest = after;
            }
        }
        text.push_str(rest);
        parts.push(Part::Text(text));
        Self(parts)
    }

    pub(super) fn fill(
        &self,
        row: &Row,
        place: u64,
        auto: Option<&AutoIncrement>,
        database: Database,
        mut room: Room,
    ) -> Result<String, TooMuch> {
        let mut line = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Cell(at) => {
                    let cell = at.map_or(&Cell::Missing, |at| &row[at]);
                    room.take(cell.size())?;
                    line.push_str(&database.literal(cell));
                }
                Part::Key => {
                    let key = auto
                        .map(|it| it.value(database, place).unwrap_or_else(|| it.running(place)));
                    line.push_str(&key.unwrap_or_default());
                }
            }
        }
        Ok(line)
    }
}
