//! Rows as JSON.
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::json;

use crate::{
    arguments::{self, Takes, Told, Unknown, or_default},
    cell::{Cell, Row},
    error::{BadArguments, Error, TooMuch},
    json::{Json, Layout},
    name,
    operation::Outcome,
    read::Table,
    run::{Room, Run, places},
};

mod array;
mod shape;

use array::{Array, Wrap};
pub(crate) use shape::Template;

/// `json/generate`: an object for each row.
#[derive(Clone, Debug)]
pub(crate) struct Generate {
    columns: Vec<String>,
    /// Keys by column.
    mapping: IndexMap<String, String>,
    layout: Layout,
    nulls: Nulls,
    wrap: Wrap,
}

/// What becomes of a cell without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nulls {
    Include,
    Exclude,
    Empty,
}

#[derive(Deserialize)]
struct Arguments {
    #[serde(default, deserialize_with = "or_default")]
    columns: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    column_mapping: IndexMap<String, String>,
    pretty_print: Option<bool>,
    null_handling: Option<String>,
    array_wrapper: Option<bool>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Takes for Arguments {
    fn tell(&self, told: &mut Told) {
        told.all("", &self.unknown);
    }
}

fn layout(pretty: Option<bool>) -> Layout {
    if pretty.unwrap_or(true) { Layout::Pretty } else { Layout::Compact }
}

/// Where the columns of a mapping are, or all columns under their own names if it is empty.
fn mapped<'a>(
    mapping: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
    table: &Table,
) -> Result<Vec<(String, usize)>, Error> {
    if mapping.len() == 0 {
        return Ok(table.columns().iter().cloned().zip(0..).collect());
    }
    let (names, columns): (Vec<_>, Vec<_>) = mapping.unzip();
    let places = places(table, &columns, |absent| {
        format!("Columns not found in data: {}", absent.join(", "))
    })?;
    Ok(names.into_iter().map(str::to_owned).zip(places).collect())
}

// === impl Generate ===

impl Generate {
    pub(crate) fn parse(arguments: &str, told: &mut Told) -> Result<Self, BadArguments> {
        let read: Arguments = arguments::read(arguments, told)?;
        let nulls = match read.null_handling.as_deref() {
            None | Some("include") => Nulls::Include,
            Some("exclude") => Nulls::Exclude,
            Some("default") => Nulls::Empty,
            Some(other) => {
                return Err(BadArguments::Refused(format!(
                    "Invalid null_handling: {other}. Must be 'include', 'exclude', or 'default'"
                )));
            }
        };
        let wrap = if read.array_wrapper.unwrap_or(true) { Wrap::Array } else { Wrap::None };
        let (columns, mapping) = (read.columns, read.column_mapping);
        Ok(Self { columns, mapping, layout: layout(read.pretty_print), nulls, wrap })
    }

    pub(crate) fn run(&self, run: &mut Run<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let keys = self.keys(&table)?;
        let mut array = Array::new(run.output("json", "json")?, self.layout, self.wrap);
        let limits = run.task.limits;
        run.rows(&mut table, |row, _| array.push(&self.object(&keys, row, Room::of(&limits))?))?;
        let (file, rows) = array.finish()?;
        let data = json!({ "total_records": rows });
        Ok(Outcome { file: Some(file), rows, data, warnings: Vec::new(), complete: true })
    }

    fn keys(&self, table: &Table) -> Result<Vec<(String, usize)>, Error> {
        let own = places(table, &self.columns, |absent| {
            format!("Columns not found: {}", absent.join(", "))
        })?;
        if self.mapping.is_empty() && !self.columns.is_empty() {
            return Ok(self.columns.iter().cloned().zip(own).collect());
        }
        // A mapping names only columns that were chosen, if any were.
        let outside =
            |name: &&String| !self.columns.is_empty() && name::find(&self.columns, name).is_none();
        let outside: Vec<_> = self.mapping.keys().filter(outside).map(String::as_str).collect();
        if !outside.is_empty() {
            let what = format!("Columns not found in data: {}", outside.join(", "));
            return Err(Error::Columns { what, columns: self.columns.clone() });
        }
        mapped(self.mapping.iter().map(|(column, key)| (key.as_str(), column.as_str())), table)
    }

    fn object(&self, keys: &[(String, usize)], row: &Row, mut room: Room) -> Result<Json, TooMuch> {
        let mut object = IndexMap::new();
        for (key, at) in keys {
            room.take(row[*at].size())?;
            let value = match (&row[*at], self.nulls) {
                (Cell::Missing, Nulls::Exclude) => continue,
                (Cell::Missing, Nulls::Include) => Json::Null,
                (cell, _) => Json::Text(cell.text().unwrap_or_default().into_owned()),
            };
            object.insert(key.clone(), value);
        }
        Ok(Json::Object(object))
    }
}
