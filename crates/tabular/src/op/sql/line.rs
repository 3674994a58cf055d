//! A line for each row, as a template or a list of values makes it.
use indexmap::IndexMap;

use super::{
    AutoIncrement, Database,
    place::{Place, apart},
    scan::Scanner,
};
use crate::{
    cell::{Cell, Row},
    error::Error,
    name,
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
pub(super) struct Simple {
    parts: Vec<Part>,
    /// It ends within a text or a comment.
    pub(super) open: bool,
}

#[derive(Debug)]
enum Part {
    Text(String),
    Cell(Option<usize>, Place),
    Key(Place),
}

impl Part {
    /// Whether it is a value of its own.
    fn is_value(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Cell(_, place) | Self::Key(place) => place.is_code(),
        }
    }
}

// === impl Simple ===

impl Simple {
    /// `{name}` stands for a value with its quotes, or without them where it stands within some; what
    /// is no name stays as it is written.
    pub(super) fn new(
        template: &str,
        columns: &Columns,
        auto: Option<&AutoIncrement>,
        database: Database,
    ) -> Self {
        let known = |name: &str| match name {
            "auto_id" if auto.is_some() => Some(Part::Key(Place::Line)),
            _ => match columns.iter().find(|(it, _)| name::same(it, name)) {
                Some((_, at)) => Some(Part::Cell(*at, Place::Line)),
                None if name == "current_timestamp" => {
                    Some(Part::Text(database.timestamp().to_owned()))
                }
                None if name == "current_date" => Some(Part::Text(database.date().to_owned())),
                None => None,
            },
        };
        let mut scanner = Scanner::new(database);
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let named = after.split_once('}');
            if let Some((mut part, end)) = named.and_then(|(name, end)| Some((known(name)?, end))) {
                scanner.text(&text);
                parts.push(Part::Text(std::mem::take(&mut text)));
                if let Part::Cell(_, place) | Part::Key(place) = &mut part {
                    *place = scanner.place();
                }
                scanner.value();
                parts.push(part);
                rest = end;
            } else {
                text.push('{');
                rest = after;
            }
        }
        text.push_str(rest);
        scanner.text(&text);
        parts.push(Part::Text(text));
        Self { parts, open: scanner.is_open() }
    }

    pub(super) fn fill(
        &self,
        row: &Row,
        place: u64,
        auto: Option<&AutoIncrement>,
        database: Database,
        mut room: Room,
    ) -> Result<String, Error> {
        let mut line = String::new();
        let mut value = false;
        for part in &self.parts {
            let after_value = std::mem::replace(&mut value, part.is_value());
            match part {
                Part::Text(text) => {
                    if after_value && let Some(first) = text.chars().next() {
                        apart(&mut line, first);
                    }
                    line.push_str(text);
                }
                Part::Cell(at, place) => {
                    let cell = at.map_or(&Cell::Missing, |at| &row[at]);
                    room.take(cell.size())?;
                    put(place, database, cell, &mut line)?;
                }
                Part::Key(around) => {
                    let key = auto
                        .map(|it| it.value(database, place).unwrap_or_else(|| it.running(place)));
                    plain(around, database, &key.unwrap_or_default(), &mut line)?;
                }
            }
        }
        Ok(line)
    }
}

/// Write `cell` where it stands.
fn put(place: &Place, database: Database, cell: &Cell, line: &mut String) -> Result<(), Error> {
    match cell {
        Cell::Text(text) => write(place, database, text, line),
        cell if place.is_code() => plain(place, database, &database.literal(cell), line),
        // Within quotes, no value is nothing.
        cell => write(place, database, &cell.text().unwrap_or_default(), line),
    }
}

/// Write `value`, which code has without quotes, where it stands.
pub(super) fn plain(
    place: &Place,
    database: Database,
    value: &str,
    line: &mut String,
) -> Result<(), Error> {
    if !place.is_code() {
        return write(place, database, value, line);
    }
    apart(line, value.chars().next().unwrap_or_default());
    line.push_str(value);
    Ok(())
}

pub(super) fn write(
    place: &Place,
    database: Database,
    text: &str,
    line: &mut String,
) -> Result<(), Error> {
    place.write(database, text, line).map_err(|why| {
        let shown: String = text.chars().take(50).collect();
        Error::Refused(format!("the value {shown:?} cannot stand where the template has it: {why}"))
    })
}

/// What is said of a template that ends within a text or a comment.
pub(super) const OPEN: &str = "the template ends within a quoted text or a comment, so that each \
                               statement goes on in the next one; close it";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn numbers_are_kept_from_signs() {
        use Database::{Mysql, Postgresql, Sqlite};
        let row = vec![Cell::Int(-5), Cell::Float(-0.5), Cell::Int(5), Cell::Missing];
        let names = ["n", "f", "p", "m"].map(str::to_owned);
        let columns: Columns = names.into_iter().zip((0..).map(Some)).collect();
        let every = &[Postgresql, Mysql, Sqlite][..];
        let cases = [
            (every, "SET v = v -{n} WHERE id={n};", "SET v = v - -5 WHERE id=-5;"),
            (every, "-{f} -{n}-{p} -{m}", "- -0.5 - -5-5 -NULL"),
            (every, "%{n} <{n} |{f} @>{n}", "% -5 <-5 | -0.5 @> -5"),
            (every, "'-{n}' /*{n}*/ -- {n}", "'--5' /*-5*/ -- -5"),
            (&[Mysql], "1 --{n}", "1 ---5"),
        ];
        for (databases, template, right) in cases {
            for database in databases {
                let simple = Simple::new(template, &columns, None, *database);
                let room = Room::of(&Limits::default());
                let line = simple.fill(&row, 0, None, *database, room).unwrap();
                assert_eq!(line, right, "{database:?}: {template}");
            }
        }
    }
}
