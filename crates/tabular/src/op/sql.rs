//! Rows as SQL.
use std::num::NonZeroU64;

use indexmap::IndexMap;
use serde::Deserialize;

use crate::{
    arguments::{self, Takes, Told, Unknown, or_default},
    error::{BadArguments, Error},
    operation::Outcome,
    run::Run,
};

mod auto;
mod custom;
mod dialect;
mod insert;
mod line;
mod place;
mod scan;
mod script;
mod words;

use auto::{AutoIncrement, Wanted};
use custom::Custom;
pub use dialect::DATABASES;
use dialect::Database;
use insert::Insert;
pub(crate) use script::HELD;

/// `sql/generate`, `sql/generate-to-text` and `sql/generate-custom-to-text`.
#[derive(Clone, Debug)]
pub(crate) enum Sql {
    Insert(Insert),
    Custom(Custom),
}

#[derive(Deserialize)]
struct Generate {
    table_name: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    column_mapping: IndexMap<String, String>,
    database_type: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    auto_increment: Wanted,
    template: Option<String>,
    batch_size: Option<NonZeroU64>,
    include_transaction: Option<bool>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Takes for Generate {
    fn tell(&self, told: &mut Told) {
        told.all("", &self.unknown);
        self.auto_increment.tell(told);
    }
}

#[derive(Deserialize)]
struct ToText {
    table_name: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    columns: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    column_mapping: IndexMap<String, String>,
    database_type: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    auto_increment: Wanted,
    #[serde(default, deserialize_with = "or_default")]
    remove_duplicates: bool,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Takes for ToText {
    fn tell(&self, told: &mut Told) {
        told.all("", &self.unknown);
        self.auto_increment.tell(told);
    }
}

#[derive(Deserialize)]
struct CustomToText {
    #[serde(default, deserialize_with = "or_default")]
    columns: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    template: String,
    #[serde(default, deserialize_with = "or_default")]
    column_mapping: IndexMap<String, String>,
    #[serde(default, deserialize_with = "or_default")]
    auto_increment: Wanted,
    #[serde(default, deserialize_with = "or_default")]
    remove_duplicates: bool,
    database_type: Option<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Takes for CustomToText {
    fn tell(&self, told: &mut Told) {
        told.all("", &self.unknown);
        self.auto_increment.tell(told);
    }
}

const DEFAULT_TABLE: &str = "data";

// === impl Sql ===

impl Sql {
    pub(crate) fn generate(arguments: &str, told: &mut Told) -> Result<Self, BadArguments> {
        let read: Generate = arguments::read(arguments, told)?;
        let database = Database::parse(read.database_type.as_deref())?;
        Ok(Self::Insert(Insert {
            table: database.table(read.table_name.as_deref().unwrap_or(DEFAULT_TABLE))?,
            database,
            columns: Vec::new(),
            mapping: read.column_mapping,
            auto: read.auto_increment.resolve(database)?,
            template: read.template.filter(|it| !it.is_empty()),
            batch: read.batch_size,
            transaction: read.include_transaction.unwrap_or(true),
            remove_duplicates: false,
            kind: "sql",
            listed: false,
        }))
    }

    /// As [`Self::generate`], with the lines as data and no file.
    pub(crate) fn statements(arguments: &str, told: &mut Told) -> Result<Self, BadArguments> {
        Ok(match Self::generate(arguments, told)? {
            Self::Insert(it) => Self::Insert(Insert { listed: true, ..it }),
            custom @ Self::Custom(_) => custom,
        })
    }

    pub(crate) fn to_text(arguments: &str, told: &mut Told) -> Result<Self, BadArguments> {
        let read: ToText = arguments::read(arguments, told)?;
        let database = Database::parse(read.database_type.as_deref())?;
        Ok(Self::Insert(Insert {
            table: database.table(read.table_name.as_deref().unwrap_or(DEFAULT_TABLE))?,
            database,
            columns: read.columns,
            mapping: read.column_mapping,
            auto: read.auto_increment.resolve(database)?,
            template: None,
            batch: None,
            transaction: true,
            remove_duplicates: read.remove_duplicates,
            kind: "sql_text",
            listed: false,
        }))
    }

    /// Without a template these are insertions into a table of the default name.
    pub(crate) fn custom(arguments: &str, told: &mut Told) -> Result<Self, BadArguments> {
        let read: CustomToText = arguments::read(arguments, told)?;
        let database = Database::parse(read.database_type.as_deref())?;
        let auto: Option<AutoIncrement> = read.auto_increment.resolve(database)?;
        if read.template.is_empty() {
            return Ok(Self::Insert(Insert {
                table: DEFAULT_TABLE.to_owned(),
                database,
                columns: read.columns,
                mapping: read.column_mapping,
                auto,
                template: None,
                batch: None,
                transaction: true,
                remove_duplicates: read.remove_duplicates,
                kind: "sql_custom",
                listed: false,
            }));
        }
        Ok(Self::Custom(Custom {
            columns: read.columns,
            template: read.template,
            mapping: read.column_mapping,
            auto,
            remove_duplicates: read.remove_duplicates,
            database,
        }))
    }

    pub(crate) fn run(&self, run: &mut Run<'_>) -> Result<Outcome, Error> {
        match self {
            Self::Insert(it) => it.run(run),
            Self::Custom(it) => it.run(run),
        }
    }
}
