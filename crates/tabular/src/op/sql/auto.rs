//! Generated keys.
use serde::Deserialize;

use super::dialect::{Database, refused};
use crate::{
    arguments::{Notes, ReportUnknown, UnknownMembers, or_default},
    error::BadArguments,
};

/// Options of generated keys in both spellings; the names with underscores win.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct AutoIncrementArguments {
    #[serde(default, deserialize_with = "or_default")]
    enabled: bool,
    column_name: Option<String>,
    #[serde(rename = "columnName")]
    column: Option<String>,
    increment_type: Option<String>,
    #[serde(rename = "incrementType")]
    kind: Option<String>,
    start_value: Option<i64>,
    #[serde(rename = "startValue")]
    start: Option<i64>,
    sequence_name: Option<String>,
    #[serde(rename = "sequenceName")]
    sequence: Option<String>,
    #[serde(flatten)]
    unknown: UnknownMembers,
}

impl ReportUnknown for AutoIncrementArguments {
    fn report_unknown(&self, notes: &mut Notes) {
        notes.unknown_members("auto_increment", &self.unknown);
    }
}

/// A key that is added to each row.
#[derive(Clone, Debug)]
pub(super) struct AutoIncrement {
    pub(super) column: String,
    kind: Kind,
    start: i64,
    sequence: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Made by the database itself.
    Database,
    Sequence,
    Uuid,
}

// === impl AutoIncrementArguments ===

impl AutoIncrementArguments {
    /// Checks the options for `database`.
    pub(super) fn resolve(self, database: Database) -> Result<Option<AutoIncrement>, BadArguments> {
        if !self.enabled {
            return Ok(None);
        }
        let kind = self.increment_type.or(self.kind);
        let kind = match kind.as_deref().unwrap_or("postgresql_serial") {
            "none" | "postgresql_serial" | "mysql_auto_increment" | "sqlite_autoincrement" => {
                Kind::Database
            }
            "manual_sequence" => Kind::Sequence,
            "uuid_generate" => Kind::Uuid,
            other => {
                return Err(refused(&format!("'{other}' is not a valid SQLAutoIncrementType")));
            }
        };
        let column = self.column_name.or(self.column).unwrap_or_else(|| "id".to_owned());
        let sequence = self.sequence_name.or(self.sequence);
        let sequence = sequence.unwrap_or_else(|| format!("seq_{column}"));
        // The name stands within a quoted text.
        let sequence = match (kind, database) {
            (Kind::Sequence, Database::Postgresql) => database.table(&sequence)?,
            _ => sequence,
        };
        let start = self.start_value.or(self.start).unwrap_or(1);
        Ok(Some(AutoIncrement { column, kind, start, sequence }))
    }
}

// === impl AutoIncrement ===

impl AutoIncrement {
    /// Returns the key of the row at `index`, from 0; `None` if the database makes it.
    pub(super) fn value(&self, database: Database, index: u64) -> Option<String> {
        match (self.kind, database) {
            (Kind::Database, _) => None,
            (Kind::Sequence, Database::Postgresql) => {
                Some(format!("nextval({})", database.text(&self.sequence)))
            }
            (Kind::Sequence, _) => Some(self.running(index)),
            (Kind::Uuid, _) => Some(database.uuid().to_owned()),
        }
    }

    /// Returns the running number of the row at `index`, from 0.
    pub(super) fn running(&self, index: u64) -> String {
        (i128::from(self.start) + i128::from(index)).to_string()
    }
}
