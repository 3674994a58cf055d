//! Keys that the file does not have.
use serde::Deserialize;

use super::dialect::{Database, refused};
use crate::{
    arguments::{Takes, Told, Unknown, or_default},
    error::BadArguments,
};

/// What is asked for. Names are written in both ways; with underscores wins.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Wanted {
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
    unknown: Unknown,
}

impl Takes for Wanted {
    fn tell(&self, told: &mut Told) {
        told.all("auto_increment", &self.unknown);
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
    /// The database makes it.
    Database,
    Sequence,
    Uuid,
}

// === impl Wanted ===

impl Wanted {
    /// `database` is the one that the statements are for.
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
        // It is a name within a text.
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
    /// The key of the row at `place`, from 0, if it is not the database that makes it.
    pub(super) fn value(&self, database: Database, place: u64) -> Option<String> {
        match (self.kind, database) {
            (Kind::Database, _) => None,
            (Kind::Sequence, Database::Postgresql) => {
                Some(format!("nextval({})", database.text(&self.sequence)))
            }
            (Kind::Sequence, _) => Some(self.running(place)),
            (Kind::Uuid, _) => Some(database.uuid().to_owned()),
        }
    }

    /// The number of the row at `place`, from 0.
    pub(super) fn running(&self, place: u64) -> String {
        (i128::from(self.start) + i128::from(place)).to_string()
    }
}
