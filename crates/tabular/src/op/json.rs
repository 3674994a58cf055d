//! Rows as JSON.
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::json;

use crate::{
    arguments::{self, Notes, ReportUnknown, UnknownMembers, or_default},
    budget::ResultBudget,
    cell::{Cell, Row},
    error::{BadArguments, Error, TooMuch},
    json::{Layout, OrderedJson},
    name,
    read::Table,
    run::{Execution, find_columns},
    task::Outcome,
};

mod array;
mod shape;

use array::{Array, Wrap};
pub(crate) use shape::Template;

/// `json/generate`: makes an object for each row.
#[derive(Clone, Debug)]
pub(crate) struct GenerateJson {
    columns: Vec<String>,
    /// Keys by column.
    mapping: IndexMap<String, String>,
    layout: Layout,
    nulls: Nulls,
    wrap: Wrap,
}

/// Treatment of missing cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nulls {
    Include,
    Exclude,
    Empty,
}

#[derive(Deserialize)]
struct GenerateArguments {
    #[serde(default, deserialize_with = "or_default")]
    columns: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    column_mapping: IndexMap<String, String>,
    pretty_print: Option<bool>,
    null_handling: Option<String>,
    array_wrapper: Option<bool>,
    #[serde(flatten)]
    unknown: UnknownMembers,
}

impl ReportUnknown for GenerateArguments {
    fn report_unknown(&self, notes: &mut Notes) {
        notes.unknown_members("", &self.unknown);
    }
}

fn layout(pretty: Option<bool>) -> Layout {
    if pretty.unwrap_or(true) { Layout::Pretty } else { Layout::Compact }
}

/// Returns the columns of a mapping; without one, all columns under their own names.
fn mapped<'a>(
    mapping: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
    table: &Table,
) -> Result<Vec<(String, usize)>, Error> {
    if mapping.len() == 0 {
        return Ok(table.columns().iter().cloned().zip(0..).collect());
    }
    let (names, columns): (Vec<_>, Vec<_>) = mapping.unzip();
    let indexes = find_columns(table, &columns, |absent| {
        format!("Columns not found in data: {}", absent.join(", "))
    })?;
    Ok(names.into_iter().map(str::to_owned).zip(indexes).collect())
}

// === impl GenerateJson ===

impl GenerateJson {
    pub(crate) fn parse(arguments: &str, notes: &mut Notes) -> Result<Self, BadArguments> {
        let read: GenerateArguments = arguments::read(arguments, notes)?;
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

    pub(crate) fn run(&self, run: &mut Execution<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let keys = self.keys(&table)?;
        let mut array = Array::new(run.output("json", "json")?, self.layout, self.wrap);
        let limits = run.task.limits;
        run.rows(&mut table, |row, _| {
            array.push(&self.object(&keys, row, ResultBudget::new(&limits))?)
        })?;
        let (file, rows) = array.finish()?;
        let data = json!({ "total_records": rows });
        Ok(Outcome { file: Some(file), ..Outcome::new(rows, data, Vec::new()) })
    }

    fn keys(&self, table: &Table) -> Result<Vec<(String, usize)>, Error> {
        let own = find_columns(table, &self.columns, |absent| {
            format!("Columns not found: {}", absent.join(", "))
        })?;
        if self.mapping.is_empty() && !self.columns.is_empty() {
            return Ok(self.columns.iter().cloned().zip(own).collect());
        }
        // A mapping may only name chosen columns, if any were chosen.
        let outside =
            |name: &&String| !self.columns.is_empty() && name::find(&self.columns, name).is_none();
        let outside: Vec<_> = self.mapping.keys().filter(outside).map(String::as_str).collect();
        if !outside.is_empty() {
            let what = format!("Columns not found in data: {}", outside.join(", "));
            return Err(Error::Columns { what, columns: self.columns.clone() });
        }
        mapped(self.mapping.iter().map(|(column, key)| (key.as_str(), column.as_str())), table)
    }

    fn object(
        &self,
        keys: &[(String, usize)],
        row: &Row,
        mut budget: ResultBudget,
    ) -> Result<OrderedJson, TooMuch> {
        let mut object = IndexMap::new();
        for (key, at) in keys {
            budget.take(row[*at].size())?;
            let value = match (&row[*at], self.nulls) {
                (Cell::Missing, Nulls::Exclude) => continue,
                (Cell::Missing, Nulls::Include) => OrderedJson::Null,
                (cell, _) => OrderedJson::Text(cell.text().unwrap_or_default().into_owned()),
            };
            object.insert(key.clone(), value);
        }
        Ok(OrderedJson::Object(object))
    }
}
