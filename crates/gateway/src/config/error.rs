//! Errors of the configuration, in one line: source, key, expectation.
use std::{fmt, io};

use figment::{
    error::{Actual, Kind},
    value::Value,
};

/// `SOURCE: KEY: expected …, found …`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Error(String);

impl Error {
    pub(super) fn new(source: &str, key: &str, expected: impl Into<String>) -> Self {
        Self::of(&format!("{source}: {key}: {}", expected.into()))
    }

    /// Error of a command line option.
    pub(crate) fn of_option(name: &str, expected: &str) -> Self {
        Self::new("command line", name, expected)
    }

    /// The configuration could not be read at all.
    pub(crate) fn of_reading(err: &str) -> Self {
        Self::of(&format!("cannot read the configuration: {err}"))
    }

    pub(super) fn unreadable(file: &str, err: &io::Error) -> Self {
        Self::of(&format!("{file}: expected a readable configuration file: {err}"))
    }

    pub(super) fn syntax(file: &str, text: &str, err: &toml::de::Error) -> Self {
        let before = text.get(..err.span().unwrap_or_default().start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self::of(&format!("{file}:{line}:{column}: {}", err.message()))
    }

    pub(super) fn yaml(file: &str, err: &yaml_serde::Error) -> Self {
        let said = err.to_string();
        let Some(at) = err.location() else { return Self::top(file, &said) };
        let (line, column) = (at.line(), at.column());
        // The position is shown first, as for TOML.
        let said = said.replacen(&format!(" at line {line} column {column}"), "", 1);
        Self::of(&format!("{file}:{line}:{column}: {said}"))
    }

    /// Error of the file as a whole.
    pub(super) fn top(file: &str, what: &str) -> Self {
        Self::of(&format!("{file}:1:1: {what}"))
    }

    /// Error of a value of another kind.
    pub(super) fn found(source: &str, key: &str, wanted: &str, found: &Value) -> Self {
        let found = found.to_actual();
        Self::new(source, key, format!("expected {wanted}, found {}", ActualValue(&found)))
    }

    /// Joins the lines of `text`, for the error has one.
    fn of(text: &str) -> Self {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        Self(lines.collect::<Vec<_>>().join("; "))
    }
}

impl From<figment::Error> for Error {
    fn from(err: figment::Error) -> Self {
        // The value may be a secret in place of a table.
        let secret = |section: &String| ["auth", "files", "store"].contains(&&**section);
        let hidden = err.path.first().is_some_and(secret);
        let source = err.metadata.map_or("configuration".into(), |metadata| metadata.name);
        Self::new(&source, &err.path.join("."), expected(&err.kind, hidden))
    }
}

fn expected(kind: &Kind, hidden: bool) -> String {
    match kind {
        Kind::InvalidType(Actual::Str(_), wanted) if hidden => {
            format!("expected {}, found a text", plain(wanted))
        }
        Kind::InvalidType(found, wanted) | Kind::InvalidValue(found, wanted) => {
            format!("expected {}, found {}", plain(wanted), ActualValue(found))
        }
        Kind::UnknownVariant(found, known) => {
            format!("expected one of {}, found {found:?}", known.join(", "))
        }
        Kind::UnknownField(_, known) => {
            format!("unknown key, expected one of {}", known.join(", "))
        }
        other => other.to_string(),
    }
}

/// Translates the names of Rust types for operators.
fn plain(wanted: &str) -> &str {
    match wanted {
        "usize" | "u64" | "u32" | "u16" => "a whole number from 0 up",
        "f64" => "a number such as 0.25",
        "a duration" => r#"a duration such as "10s" or "300ms""#,
        "a boolean" => "true or false",
        "a sequence" => r#"a list such as ["…", "…"]"#,
        "a map" => "a table",
        other if other.starts_with("struct ") => "a table",
        other if other.starts_with("enum ") => "a string",
        other => other,
    }
}

struct ActualValue<'a>(&'a Actual);

impl fmt::Display for ActualValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Actual::Bool(value) => value.fmt(f),
            Actual::Unsigned(value) => value.fmt(f),
            Actual::Signed(value) => value.fmt(f),
            Actual::Float(value) => value.fmt(f),
            Actual::Str(value) => write!(f, "{value:?}"),
            Actual::Seq => f.write_str("a list"),
            Actual::Map => f.write_str("a table"),
            other => other.fmt(f),
        }
    }
}
