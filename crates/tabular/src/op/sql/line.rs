//! Generates a line for each row, from a template or a list of values.
use indexmap::IndexMap;

use super::{
    auto::AutoIncrement,
    context::{SqlContext, separate},
    dialect::Database,
    scan::Scanner,
};
use crate::{
    budget::ResultBudget,
    cell::{Cell, Row},
    error::Error,
    name,
    read::Table,
    run::find_columns,
};

/// Columns of the statement, with their indexes in the table; `None` for one that was not chosen.
pub(super) type SqlColumns = Vec<(String, Option<usize>)>;

/// Returns the columns of a mapping. Without one, the `chosen` columns under their own names, or
/// all.
pub(super) fn columns(
    table: &Table,
    chosen: &[String],
    mapping: &IndexMap<String, String>,
) -> Result<SqlColumns, Error> {
    let own =
        find_columns(table, chosen, |absent| format!("Columns not found: {}", absent.join(", ")))?;
    if mapping.is_empty() && chosen.is_empty() {
        return Ok(table.columns().iter().cloned().zip((0..).map(Some)).collect());
    }
    if mapping.is_empty() {
        return Ok(chosen.iter().cloned().zip(own.into_iter().map(Some)).collect());
    }
    let names: Vec<_> = mapping.values().collect();
    let mapped =
        find_columns(table, &names, |absent| format!("Column '{}' not found in data", absent[0]))?;
    let open = |at: usize| Some(at).filter(|at| chosen.is_empty() || own.contains(at));
    Ok(mapping.keys().cloned().zip(mapped.into_iter().map(open)).collect())
}

/// Returns the cells that decide whether a row is a duplicate: those at `chosen`, or all.
pub(super) fn compared<'a>(chosen: &[usize], row: &'a Row) -> Vec<&'a Cell> {
    if chosen.is_empty() {
        return row.iter().collect();
    }
    chosen.iter().map(|at| &row[*at]).collect()
}

/// A template whose placeholders are exactly names of columns.
#[derive(Debug)]
pub(super) struct SimpleTemplate {
    parts: Vec<TemplatePart>,
    /// Whether it ends within a text or a comment.
    pub(super) open: bool,
}

#[derive(Debug)]
enum TemplatePart {
    Text(String),
    Cell(Option<usize>, SqlContext),
    Key(SqlContext),
}

impl TemplatePart {
    /// Returns whether the part is a value in code.
    fn is_value(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Cell(_, context) | Self::Key(context) => context.is_code(),
        }
    }
}

// === impl SimpleTemplate ===

impl SimpleTemplate {
    /// Parses a template. `{name}` becomes a value, with quotes unless it stands within quotes;
    /// unknown names stay as they are.
    pub(super) fn new(
        template: &str,
        columns: &SqlColumns,
        auto: Option<&AutoIncrement>,
        database: Database,
    ) -> Self {
        let known = |name: &str| match name {
            "auto_id" if auto.is_some() => Some(TemplatePart::Key(SqlContext::Line)),
            _ => match columns.iter().find(|(column, _)| name::same(column, name)) {
                Some((_, at)) => Some(TemplatePart::Cell(*at, SqlContext::Line)),
                None if name == "current_timestamp" => {
                    Some(TemplatePart::Text(database.timestamp().to_owned()))
                }
                None if name == "current_date" => {
                    Some(TemplatePart::Text(database.date().to_owned()))
                }
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
                parts.push(TemplatePart::Text(std::mem::take(&mut text)));
                if let TemplatePart::Cell(_, context) | TemplatePart::Key(context) = &mut part {
                    *context = scanner.context();
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
        parts.push(TemplatePart::Text(text));
        Self { parts, open: scanner.is_open() }
    }

    pub(super) fn fill(
        &self,
        row: &Row,
        index: u64,
        auto: Option<&AutoIncrement>,
        database: Database,
        mut budget: ResultBudget,
    ) -> Result<String, Error> {
        let mut line = String::new();
        let mut value = false;
        for part in &self.parts {
            let after_value = std::mem::replace(&mut value, part.is_value());
            match part {
                TemplatePart::Text(text) => {
                    if after_value && let Some(first) = text.chars().next() {
                        separate(&mut line, first);
                    }
                    line.push_str(text);
                }
                TemplatePart::Cell(at, context) => {
                    let cell = at.map_or(&Cell::Missing, |at| &row[at]);
                    budget.take(cell.size())?;
                    put(context, database, cell, &mut line)?;
                }
                TemplatePart::Key(context) => {
                    let key = auto.map(|auto| {
                        auto.value(database, index).unwrap_or_else(|| auto.running(index))
                    });
                    plain(context, database, &key.unwrap_or_default(), &mut line)?;
                }
            }
        }
        Ok(line)
    }
}

/// Appends `cell` in its context.
fn put(
    context: &SqlContext,
    database: Database,
    cell: &Cell,
    line: &mut String,
) -> Result<(), Error> {
    match cell {
        Cell::Text(text) => write(context, database, text, line),
        cell if context.is_code() => plain(context, database, &database.literal(cell), line),
        // Within quotes, a missing value is empty.
        cell => write(context, database, &cell.text().unwrap_or_default(), line),
    }
}

/// Appends a value that has no quotes in code.
pub(super) fn plain(
    context: &SqlContext,
    database: Database,
    value: &str,
    line: &mut String,
) -> Result<(), Error> {
    if !context.is_code() {
        return write(context, database, value, line);
    }
    separate(line, value.chars().next().unwrap_or_default());
    line.push_str(value);
    Ok(())
}

pub(super) fn write(
    context: &SqlContext,
    database: Database,
    text: &str,
    line: &mut String,
) -> Result<(), Error> {
    context.write(database, text, line).map_err(|err| {
        let shown: String = text.chars().take(50).collect();
        Error::Refused(format!(
            "the value {shown:?} cannot be used at this place of the template: {err}"
        ))
    })
}

/// Warning about a template that ends within a text or a comment.
pub(super) const UNCLOSED_TEMPLATE: &str = "the template ends within a quoted text or a comment, so that each \
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
        let columns: SqlColumns = names.into_iter().zip((0..).map(Some)).collect();
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
                let simple = SimpleTemplate::new(template, &columns, None, *database);
                let budget = ResultBudget::new(&Limits::default());
                let line = simple.fill(&row, 0, None, *database, budget).unwrap();
                assert_eq!(line, right, "{database:?}: {template}");
            }
        }
    }
}
