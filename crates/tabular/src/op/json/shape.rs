//! Fills a JSON template from each row.
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::json;

use super::{
    array::{Array, Wrap},
    layout, mapped,
};
use crate::{
    arguments::{self, Notes, ReportUnknown, UnknownMembers, or_default},
    budget::ResultBudget,
    cell::{Cell, Row, float_text},
    error::{BadArguments, Error, TooMuch},
    json::{Layout, OrderedJson},
    name,
    run::Execution,
    task::Outcome,
    template::{self, Piece, Placeholder, Value},
};

/// `json/generate-with-template`.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pattern: OrderedJson,
    /// Columns by placeholder.
    mapping: IndexMap<String, String>,
    wrap: Wrap,
    layout: Layout,
}

#[derive(Deserialize)]
struct TemplateArguments {
    template: Option<OrderedJson>,
    #[serde(default, deserialize_with = "or_default")]
    column_mapping: IndexMap<String, String>,
    aggregation_mode: Option<String>,
    pretty_print: Option<bool>,
    #[serde(flatten)]
    unknown: UnknownMembers,
}

impl ReportUnknown for TemplateArguments {
    fn report_unknown(&self, notes: &mut Notes) {
        notes.unknown_members("", &self.unknown);
    }
}

/// A template with resolved placeholders.
#[derive(Debug)]
enum Shape {
    Fixed(OrderedJson),
    /// Exactly one placeholder: its value keeps its type.
    Value(Filler),
    /// Text with placeholders.
    Text(Vec<TextPart>),
    Array(Vec<Shape>),
    Object(Vec<(String, Shape)>),
}

#[derive(Debug)]
enum TextPart {
    Text(String),
    Filler(Filler),
}

/// A placeholder and the index of its column, if it has one.
#[derive(Debug)]
struct Filler {
    placeholder: Placeholder,
    at: Option<usize>,
}

// === impl Template ===

impl Template {
    pub(crate) fn parse(arguments: &str, notes: &mut Notes) -> Result<Self, BadArguments> {
        let read: TemplateArguments = arguments::read(arguments, notes)?;
        let refused = |what: &str| Err(BadArguments::Refused(what.to_owned()));
        let template = match read.template {
            Some(OrderedJson::Text(text)) if !text.is_empty() => {
                match serde_json::from_str(&text) {
                    Ok(template) => template,
                    Err(error) => {
                        let what = format!("Invalid JSON template: {error}");
                        return Err(BadArguments::Refused(what));
                    }
                }
            }
            Some(template @ OrderedJson::Object(_)) => template,
            None | Some(OrderedJson::Null | OrderedJson::Text(_)) => OrderedJson::Null,
            Some(_) => return refused("Template must be a JSON string or dictionary"),
        };
        let empty = match &template {
            OrderedJson::Null | OrderedJson::Bool(false) | OrderedJson::Int(0) => true,
            OrderedJson::Text(text) => text.is_empty(),
            OrderedJson::Array(items) => items.is_empty(),
            OrderedJson::Object(members) => members.is_empty(),
            _ => false,
        };
        if empty {
            return refused("Template cannot be empty");
        }
        let wrap = match read.aggregation_mode.as_deref() {
            None | Some("array") => Wrap::Array,
            Some("single") => Wrap::Single,
            Some("nested") => Wrap::Nested,
            Some(other) => {
                return Err(BadArguments::Refused(format!(
                    "Invalid aggregation_mode: {other}. Must be 'array', 'single', or 'nested'"
                )));
            }
        };
        Ok(Self {
            pattern: template,
            mapping: read.column_mapping,
            wrap,
            layout: layout(read.pretty_print),
        })
    }

    pub(crate) fn run(&self, run: &mut Execution<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let mapping = self.mapping.iter().map(|(name, column)| (name.as_str(), column.as_str()));
        let columns = mapped(mapping, &table)?;
        let shape = Shape::new(&self.pattern, &columns);
        let output = run.output("json_template", "json")?;
        let mut array = Array::new(output, self.layout, self.wrap);
        let limits = run.task.limits;
        run.rows(&mut table, |row, _| {
            array.push(&shape.fill(row, &mut ResultBudget::new(&limits))?)
        })?;
        let (file, rows) = array.finish()?;
        let data = json!({ "total_records": rows });
        Ok(Outcome { file: Some(file), ..Outcome::new(rows, data, Vec::new()) })
    }
}

// === impl Shape ===

impl Shape {
    fn new(template: &OrderedJson, columns: &[(String, usize)]) -> Self {
        match template {
            OrderedJson::Text(text) => Self::text(text, columns),
            OrderedJson::Array(items) => {
                Self::Array(items.iter().map(|item| Self::new(item, columns)).collect())
            }
            OrderedJson::Object(members) => {
                let members = members.iter();
                Self::Object(members.map(|(k, v)| (k.clone(), Self::new(v, columns))).collect())
            }
            other => Self::Fixed(other.clone()),
        }
    }

    fn text(text: &str, columns: &[(String, usize)]) -> Self {
        let filler = |placeholder: Placeholder| {
            let column = columns.iter().find(|(name, _)| name::same(name, &placeholder.name));
            Filler { at: column.map(|(_, at)| *at), placeholder }
        };
        let mut pieces = template::pieces(text);
        if let [Piece::Placeholder(_)] = pieces[..]
            && let Some(Piece::Placeholder(placeholder)) = pieces.pop()
        {
            return Self::Value(filler(placeholder));
        }
        let parts = pieces.into_iter().map(|piece| match piece {
            Piece::Text(text) => TextPart::Text(text.to_owned()),
            Piece::Placeholder(placeholder) => TextPart::Filler(filler(placeholder)),
        });
        Self::Text(parts.collect())
    }

    fn fill(&self, row: &Row, budget: &mut ResultBudget) -> Result<OrderedJson, TooMuch> {
        Ok(match self {
            Self::Fixed(json) => json.clone(),
            Self::Value(filler) => filler.fill(row, budget)?,
            Self::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        TextPart::Text(fixed) => text.push_str(fixed),
                        TextPart::Filler(filler) => {
                            text.push_str(&joined(&filler.fill(row, budget)?));
                        }
                    }
                }
                OrderedJson::Text(text)
            }
            Self::Array(items) => {
                let items = items.iter().map(|item| item.fill(row, budget));
                OrderedJson::Array(items.collect::<Result<_, _>>()?)
            }
            Self::Object(members) => {
                let members = members.iter();
                let members =
                    members.map(|(key, value)| Ok((key.clone(), value.fill(row, budget)?)));
                OrderedJson::Object(members.collect::<Result<_, _>>()?)
            }
        })
    }
}

// === impl Filler ===

impl Filler {
    fn fill(&self, row: &Row, budget: &mut ResultBudget) -> Result<OrderedJson, TooMuch> {
        let cell = self.at.and_then(|at| row.get(at));
        budget.take(cell.map_or(0, Cell::size))?;
        let cell = cell.and_then(Cell::text);
        let Some(text) = self.placeholder.fill(cell.as_deref()) else {
            return Ok(OrderedJson::Null);
        };
        Ok(match self.placeholder.kind.convert(text) {
            // The empty text is no number, but it is false as a boolean.
            None if text.is_empty() => OrderedJson::Null,
            Some(Value::Text(text)) => OrderedJson::Text(text),
            Some(Value::Int(number)) => OrderedJson::Int(number),
            Some(Value::Float(number)) if number.is_finite() => OrderedJson::Float(number),
            Some(Value::Float(_)) => OrderedJson::Null,
            Some(Value::Bool(value)) => OrderedJson::Bool(value),
            // `inf` is a number that JSON lacks.
            None if text.trim().parse::<f64>().is_ok() => OrderedJson::Null,
            None => OrderedJson::Text(text.to_owned()),
        })
    }
}

/// Formats a value within a longer text.
fn joined(value: &OrderedJson) -> String {
    match value {
        OrderedJson::Text(text) => text.clone(),
        OrderedJson::Int(number) => number.to_string(),
        OrderedJson::Float(number) => float_text(*number),
        OrderedJson::Bool(true) => "True".to_owned(),
        OrderedJson::Bool(false) => "False".to_owned(),
        OrderedJson::Null | OrderedJson::Array(_) | OrderedJson::Object(_) => String::new(),
    }
}
