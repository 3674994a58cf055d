//! Literals and names for each database.
use std::borrow::Cow;

use super::reserved;
use crate::{
    cell::Cell,
    error::{BadArguments, list},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Database {
    Postgresql,
    Mysql,
    Sqlite,
}

/// The databases, by the names that clients use.
pub const DATABASES: [&str; 3] = ["postgresql", "mysql", "sqlite"];

pub(super) fn refused(what: &str) -> BadArguments {
    BadArguments::Refused(format!("Failed to generate SQL: {what}"))
}

// === impl Database ===

impl Database {
    pub(super) fn parse(name: Option<&str>) -> Result<Self, BadArguments> {
        let name = name.unwrap_or("postgresql");
        Ok(match name.to_ascii_lowercase().as_str() {
            "postgresql" => Self::Postgresql,
            "mysql" => Self::Mysql,
            "sqlite" => Self::Sqlite,
            _ => {
                let valid = list(&DATABASES);
                let what = format!("Invalid database type: '{name}'. Valid types are: {valid}");
                return Err(refused(&what));
            }
        })
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Postgresql => DATABASES[0],
            Self::Mysql => DATABASES[1],
            Self::Sqlite => DATABASES[2],
        }
    }

    pub(super) const fn begin(self) -> &'static str {
        match self {
            Self::Postgresql => "BEGIN;",
            Self::Mysql => "START TRANSACTION;",
            Self::Sqlite => "BEGIN TRANSACTION;",
        }
    }

    pub(super) const fn timestamp(self) -> &'static str {
        match self {
            Self::Postgresql | Self::Mysql => "NOW()",
            Self::Sqlite => "datetime('now')",
        }
    }

    pub(super) const fn date(self) -> &'static str {
        match self {
            Self::Postgresql => "CURRENT_DATE",
            Self::Mysql => "CURDATE()",
            Self::Sqlite => "date('now')",
        }
    }

    pub(super) const fn uuid(self) -> &'static str {
        match self {
            Self::Postgresql => "uuid_generate_v4()",
            Self::Mysql => "UUID()",
            Self::Sqlite => "lower(hex(randomblob(16)))",
        }
    }

    /// Returns whether `c` ends a comment up to the end of the line.
    pub(super) fn ends_comment(self, c: char) -> bool {
        c == '\n' || c == '\r' && self == Self::Postgresql
    }

    /// Returns a plain name as it is; quotes other names and reserved words.
    pub(super) fn identifier(self, name: &str) -> Result<String, BadArguments> {
        if name.is_empty() || name.chars().any(char::is_control) {
            let what = format!("{name:?} cannot be the name of a column or table");
            return Err(refused(&what));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let digit = name.starts_with(|c: char| c.is_ascii_digit());
        if name.chars().all(plain) && !digit && !reserved::is_reserved(self, name) {
            return Ok(name.to_owned());
        }
        let quote = if self == Self::Mysql { "`" } else { "\"" };
        Ok(format!("{quote}{}{quote}", name.replace(quote, &quote.repeat(2))))
    }

    /// Returns the name of a table, with an optional schema before a point.
    pub(super) fn table(self, name: &str) -> Result<String, BadArguments> {
        let parts: Vec<_> =
            name.split('.').map(|part| self.identifier(part)).collect::<Result<_, _>>()?;
        Ok(parts.join("."))
    }

    pub(super) fn literal(self, cell: &Cell) -> String {
        match cell {
            Cell::Missing => "NULL".to_owned(),
            Cell::Text(text) => self.text(text),
            Cell::Bool(value) => match (self, value) {
                (Self::Postgresql, true) => "TRUE".to_owned(),
                (Self::Postgresql, false) => "FALSE".to_owned(),
                (_, value) => u8::from(*value).to_string(),
            },
            Cell::Float(number) if !number.is_finite() => "NULL".to_owned(),
            number => number.text().unwrap_or_default().into_owned(),
        }
    }

    /// Returns a quoted text. Writes a zero character where the database has a notation for it, and
    /// drops it elsewhere.
    pub(super) fn text(self, text: &str) -> String {
        let text = &*match (text.contains('\0'), self) {
            (true, Self::Postgresql | Self::Sqlite) => Cow::Owned(text.replace('\0', "")),
            _ => Cow::Borrowed(text),
        };
        let escaped: Cow<'_, str> = match self {
            Self::Postgresql | Self::Sqlite => Cow::Owned(text.replace('\'', "''")),
            Self::Mysql => {
                // The backslash comes first: those added below stay single.
                let escaped = text.replace('\\', "\\\\").replace('\'', "\\'");
                let escaped = escaped.replace('"', "\\\"").replace('\0', "\\0");
                // Some clients take this character for the end of the file.
                Cow::Owned(escaped.replace('\x1a', "\\Z"))
            }
        };
        format!("'{escaped}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ends_where_it_should() {
        let text = "O'Brien \"q\" \\";
        assert_eq!(Database::Postgresql.text(text), "'O''Brien \"q\" \\'");
        assert_eq!(Database::Sqlite.text(text), "'O''Brien \"q\" \\'");
        assert_eq!(Database::Mysql.text(text), r#"'O\'Brien \"q\" \\'"#);
        assert_eq!(Database::Mysql.text("a\0b\x1a"), r"'a\0b\Z'");
        assert_eq!(Database::Sqlite.text("a\0'b"), "'a''b'");
    }

    #[test]
    fn names_that_are_not_plain_are_quoted() {
        let cases = [
            (Database::Postgresql, "a b", "\"a b\""),
            (Database::Sqlite, "a\"; DROP", "\"a\"\"; DROP\""),
            (Database::Mysql, "a`b", "`a``b`"),
            (Database::Mysql, "1a", "`1a`"),
            (Database::Postgresql, "größe", "\"größe\""),
            (Database::Postgresql, "a_1", "a_1"),
            (Database::Postgresql, "user", "\"user\""),
            (Database::Postgresql, "Order", "\"Order\""),
            (Database::Postgresql, "key", "key"),
            (Database::Postgresql, "CustomerId", "CustomerId"),
            (Database::Mysql, "key", "`key`"),
            (Database::Mysql, "RANK", "`RANK`"),
            (Database::Mysql, "user", "user"),
            (Database::Sqlite, "index", "\"index\""),
            (Database::Sqlite, "values", "\"values\""),
            (Database::Sqlite, "name", "name"),
        ];
        for (database, name, written) in cases {
            assert_eq!(database.identifier(name).unwrap(), written);
        }
        assert_eq!(Database::Postgresql.table("public.my table").unwrap(), "public.\"my table\"");
        assert_eq!(Database::Mysql.table("from.t").unwrap(), "`from`.t");
        assert!(Database::Postgresql.table("a.").is_err());
        assert!(Database::Postgresql.identifier("a\nb").is_err());
    }
}
