//! Generates a statement for each row from a template with types and defaults.
use indexmap::IndexMap;

use super::{
    auto::AutoIncrement,
    context::{SqlContext, separate},
    dialect::Database,
    line::{SqlColumns, UNCLOSED_TEMPLATE, columns, compared, plain, write},
    scan::Scanner,
    script::Script,
};
use crate::{
    budget::ResultBudget,
    cell::{Cell, Row, float_text},
    distinct::Distinct,
    error::Error,
    name,
    run::Execution,
    task::Outcome,
    template::{self, Piece, Placeholder, Value},
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
enum CustomPart {
    Text(String),
    Key(SqlContext),
    Cell(CellPart),
}

/// A placeholder in the statement.
#[derive(Debug)]
struct CellPart {
    placeholder: Placeholder,
    at: Option<usize>,
    /// Context of the placeholder.
    context: SqlContext,
    /// Wildcards before and after the value.
    wildcards: [String; 2],
}

// === impl Custom ===

impl Custom {
    pub(super) fn run(&self, run: &mut Execution<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let columns = columns(&table, &self.columns, &self.mapping)?;
        let (parts, open) = self.parts(&columns);
        if open {
            run.notes.push(UNCLOSED_TEMPLATE.to_owned());
        }
        let (folder, limits) = (run.task.folder, run.task.limits);
        let mut script = Script::begin(folder, &limits)?;
        let mut seen = Distinct::new(limits.max_distinct);
        let indexes: Vec<_> = self.columns.iter().filter_map(|name| table.column(name)).collect();
        run.rows(&mut table, |row, _| {
            if self.remove_duplicates && !seen.insert(&compared(&indexes, row))? {
                return Ok(());
            }
            let (mut line, mut budget) = (String::new(), ResultBudget::new(&limits));
            let mut value = false;
            for part in &parts {
                let after_value = std::mem::replace(&mut value, part.is_value());
                match part {
                    CustomPart::Text(text) => {
                        if after_value && let Some(first) = text.chars().next() {
                            separate(&mut line, first);
                        }
                        line.push_str(text);
                    }
                    CustomPart::Key(context) => {
                        let key = self.auto.as_ref().map(|auto| auto.running(script.rows()));
                        plain(context, self.database, &key.unwrap_or_default(), &mut line)?;
                    }
                    CustomPart::Cell(cell) => {
                        cell.write(self.database, row, &mut budget, &mut line)?;
                    }
                }
            }
            script.row(&line, folder)
        })?;
        script.finish(run, "sql_custom", |_| Vec::new())
    }

    /// Parses the template, and returns whether it ends within a text or a comment.
    fn parts(&self, columns: &SqlColumns) -> (Vec<CustomPart>, bool) {
        let key = self.auto.as_ref().map(|auto| auto.column.as_str());
        let mut scanner = Scanner::new(self.database);
        let parts = template::pieces(&self.template).into_iter().map(|piece| match piece {
            Piece::Text(text) => {
                scanner.text(text);
                CustomPart::Text(text.to_owned())
            }
            Piece::Placeholder(placeholder)
                if key.is_some_and(|key| {
                    placeholder.name == "auto_id" || name::same(&placeholder.name, key)
                }) =>
            {
                let context = scanner.context();
                scanner.value();
                CustomPart::Key(context)
            }
            Piece::Placeholder(placeholder) => {
                let cell = CellPart::new(placeholder, columns, scanner.context());
                scanner.value();
                if cell.at.is_none() && cell.placeholder.name == "current_timestamp" {
                    return CustomPart::Text("CURRENT_TIMESTAMP".to_owned());
                }
                CustomPart::Cell(cell)
            }
        });
        let parts = parts.collect();
        (parts, scanner.is_open())
    }
}

impl CustomPart {
    /// Returns whether the part is a value in code.
    fn is_value(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Cell(cell) => cell.context.is_code(),
            Self::Key(context) => context.is_code(),
        }
    }
}

// === impl CellPart ===

impl CellPart {
    fn new(mut placeholder: Placeholder, columns: &SqlColumns, context: SqlContext) -> Self {
        let find = |name: &str| columns.iter().find(|(column, _)| name::same(column, name));
        let mut wildcards = [String::new(), String::new()];
        // The name may have wildcards at its ends.
        if find(&placeholder.name).is_none() {
            let wild = |c: char| c == '%' || c == '_';
            let name = placeholder.name.trim_matches(wild);
            let (before, after) = placeholder.name.split_once(name).unwrap_or_default();
            wildcards = [before.to_owned(), after.to_owned()];
            placeholder.name = name.to_owned();
        }
        Self {
            at: find(&placeholder.name).and_then(|(_, at)| *at),
            placeholder,
            context,
            wildcards,
        }
    }

    fn write(
        &self,
        database: Database,
        row: &Row,
        budget: &mut ResultBudget,
        line: &mut String,
    ) -> Result<(), Error> {
        let cell = self.at.map(|at| &row[at]);
        budget.take(cell.map_or(0, Cell::size))?;
        let cell = cell.and_then(Cell::text);
        let text = self.placeholder.fill(cell.as_deref());
        let value = text.and_then(|text| self.placeholder.kind.convert(text));
        let [before, after] = &self.wildcards;
        let code = self.context.is_code();
        let value = match value {
            Some(Value::Text(text)) if code => {
                let text = format!("{before}{text}{after}");
                return write(&self.context, database, &text, line);
            }
            Some(Value::Text(text)) => text,
            Some(Value::Int(number)) => number.to_string(),
            Some(Value::Float(number)) if number.is_finite() => float_text(number),
            Some(Value::Bool(value)) => (if value { "TRUE" } else { "FALSE" }).to_owned(),
            // Within quotes, a missing value is empty.
            None | Some(Value::Float(_)) => (if code { "NULL" } else { "" }).to_owned(),
        };
        plain(&self.context, database, &value, line)
    }
}
