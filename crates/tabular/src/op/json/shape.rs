//! Rows in the shape of a template.
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::json;

use super::{
    array::{Array, Wrap},
    layout, mapped,
};
use crate::{
    arguments::{self, Takes, Told, Unknown, or_default},
    cell::{Cell, Row, float_text},
    error::{BadArguments, Error, TooMuch},
    json::{Json, Layout},
    name,
    operation::Outcome,
    run::{Room, Run},
    template::{self, Hole, Piece, Value},
};

/// `json/generate-with-template`.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pattern: Json,
    /// Columns by placeholder.
    mapping: IndexMap<String, String>,
    wrap: Wrap,
    layout: Layout,
}

#[derive(Deserialize)]
struct Arguments {
    template: Option<Json>,
    #[serde(default, deserialize_with = "or_default")]
    column_mapping: IndexMap<String, String>,
    aggregation_mode: Option<String>,
    pretty_print: Option<bool>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Takes for Arguments {
    fn tell(&self, told: &mut Told) {
        told.all("", &self.unknown);
    }
}

/// A template whose placeholders are resolved.
#[derive(Debug)]
enum Shape {
    Fixed(Json),
    /// Exactly one placeholder: its value keeps its type.
    Value(Filler),
    /// Text with placeholders.
    Text(Vec<Part>),
    Array(Vec<Shape>),
    Object(Vec<(String, Shape)>),
}

#[derive(Debug)]
enum Part {
    Text(String),
    Filler(Filler),
}

/// A placeholder and its column, if it has one.
#[derive(Debug)]
struct Filler {
    hole: Hole,
    at: Option<usize>,
}

// === impl Template ===

impl Template {
    pub(crate) fn parse(arguments: &str, told: &mut Told) -> Result<Self, BadArguments> {
        let read: Arguments = arguments::read(arguments, told)?;
        let refused = |what: &str| Err(BadArguments::Refused(what.to_owned()));
        let template = match read.template {
            Some(Json::Text(text)) if !text.is_empty() => match serde_json::from_str(&text) {
                Ok(template) => template,
                Err(error) => {
                    let what = format!("Invalid JSON template: {error}");
                    return Err(BadArguments::Refused(what));
                }
            },
            Some(template @ Json::Object(_)) => template,
            None | Some(Json::Null | Json::Text(_)) => Json::Null,
            Some(_) => return refused("Template must be a JSON string or dictionary"),
        };
        let empty = match &template {
            Json::Null | Json::Bool(false) | Json::Int(0) => true,
            Json::Text(text) => text.is_empty(),
            Json::Array(items) => items.is_empty(),
            Json::Object(members) => members.is_empty(),
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

    pub(crate) fn run(&self, run: &mut Run<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let mapping = self.mapping.iter().map(|(name, column)| (name.as_str(), column.as_str()));
        let columns = mapped(mapping, &table)?;
        let shape = Shape::new(&self.pattern, &columns);
        let output = run.output("json_template", "json")?;
        let mut array = Array::new(output, self.layout, self.wrap);
        let limits = run.task.limits;
        run.rows(&mut table, |row, _| array.push(&shape.fill(row, &mut Room::of(&limits))?))?;
        let (file, rows) = array.finish()?;
        let data = json!({ "total_records": rows });
        Ok(Outcome { file: Some(file), rows, data, warnings: Vec::new(), complete: true })
    }
}

// === impl Shape ===

impl Shape {
    fn new(template: &Json, columns: &[(String, usize)]) -> Self {
        match template {
            Json::Text(text) => Self::text(text, columns),
            Json::Array(items) => {
                Self::Array(items.iter().map(|item| Self::new(item, columns)).collect())
            }
            Json::Object(members) => {
                let members = members.iter();
                Self::Object(members.map(|(k, v)| (k.clone(), Self::new(v, columns))).collect())
            }
            other => Self::Fixed(other.clone()),
        }
    }

    fn text(text: &str, columns: &[(String, usize)]) -> Self {
        let filler = |hole: Hole| {
            let column = columns.iter().find(|(name, _)| name::same(name, &hole.name));
            Filler { at: column.map(|(_, at)| *at), hole }
        };
        let mut pieces = template::pieces(text);
        if let [Piece::Hole(_)] = pieces[..]
            && let Some(Piece::Hole(hole)) = pieces.pop()
        {
            return Self::Value(filler(hole));
        }
        let parts = pieces.into_iter().map(|piece| match piece {
            Piece::Text(text) => Part::Text(text.to_owned()),
            Piece::Hole(hole) => Part::Filler(filler(hole)),
        });
        Self::Text(parts.collect())
    }

    fn fill(&self, row: &Row, room: &mut Room) -> Result<Json, TooMuch> {
        Ok(match self {
            Self::Fixed(json) => json.clone(),
            Self::Value(filler) => filler.fill(row, room)?,
            Self::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Text(fixed) => text.push_str(fixed),
                        Part::Filler(filler) => text.push_str(&joined(&filler.fill(row, room)?)),
                    }
                }
                Json::Text(text)
            }
            Self::Array(items) => {
                let items = items.iter().map(|item| item.fill(row, room));
                Json::Array(items.collect::<Result<_, _>>()?)
            }
            Self::Object(members) => {
                let members = members.iter();
                let members = members.map(|(key, value)| Ok((key.clone(), value.fill(row, room)?)));
                Json::Object(members.collect::<Result<_, _>>()?)
            }
        })
    }
}

// === impl Filler ===

impl Filler {
    fn fill(&self, row: &Row, room: &mut Room) -> Result<Json, TooMuch> {
        let cell = self.at.and_then(|at| row.get(at));
        room.take(cell.map_or(0, Cell::size))?;
        let cell = cell.and_then(Cell::text);
        let Some(text) = self.hole.fill(cell.as_deref()) else { return Ok(Json::Null) };
        Ok(match self.hole.kind.convert(text) {
            // The empty text is no number, but as good as `false`.
            None if text.is_empty() => Json::Null,
            Some(Value::Text(text)) => Json::Text(text),
            Some(Value::Int(number)) => Json::Int(number),
            Some(Value::Float(number)) if number.is_finite() => Json::Float(number),
            Some(Value::Float(_)) => Json::Null,
            Some(Value::Bool(it)) => Json::Bool(it),
            // `inf` is a number, but not one that JSON has.
            None if text.trim().parse::<f64>().is_ok() => Json::Null,
            None => Json::Text(text.to_owned()),
        })
    }
}

/// A value within longer text.
fn joined(value: &Json) -> String {
    match value {
        Json::Text(text) => text.clone(),
        Json::Int(number) => number.to_string(),
        Json::Float(number) => float_text(*number),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Null | Json::Array(_) | Json::Object(_) => String::new(),
    }
}
