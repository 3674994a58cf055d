//! Rows as SQL.
use std::num::NonZeroU64;

use indexmap::IndexMap;
use serde::Deserialize;

use crate::{
    arguments::{self, Notes, ReportUnknown, UnknownMembers, or_default},
    error::{BadArguments, Error},
    run::Execution,
    task::Outcome,
};

mod auto;
mod context;
mod custom;
mod dialect;
mod insert;
mod line;
mod reserved;
mod scan;
mod script;

use auto::{AutoIncrement, AutoIncrementArguments};
use custom::Custom;
pub use dialect::DATABASES;
use dialect::Database;
use insert::Insert;

/// `sql/generate`, `sql/generate-to-text` and `sql/generate-custom-to-text`.
#[derive(Clone, Debug)]
pub(crate) enum Sql {
    Insert(Insert),
    Custom(Custom),
}

#[derive(Deserialize)]
struct SqlArguments {
    table_name: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    column_mapping: IndexMap<String, String>,
    database_type: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    auto_increment: AutoIncrementArguments,
    template: Option<String>,
    batch_size: Option<NonZeroU64>,
    include_transaction: Option<bool>,
    #[serde(flatten)]
    unknown: UnknownMembers,
}

impl ReportUnknown for SqlArguments {
    fn report_unknown(&self, notes: &mut Notes) {
        notes.unknown_members("", &self.unknown);
        self.auto_increment.report_unknown(notes);
    }
}

#[derive(Deserialize)]
struct SqlTextArguments {
    table_name: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    columns: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    column_mapping: IndexMap<String, String>,
    database_type: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    auto_increment: AutoIncrementArguments,
    #[serde(default, deserialize_with = "or_default")]
    remove_duplicates: bool,
    #[serde(flatten)]
    unknown: UnknownMembers,
}

impl ReportUnknown for SqlTextArguments {
    fn report_unknown(&self, notes: &mut Notes) {
        notes.unknown_members("", &self.unknown);
        self.auto_increment.report_unknown(notes);
    }
}

#[derive(Deserialize)]
struct SqlCustomArguments {
    #[serde(default, deserialize_with = "or_default")]
    columns: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    template: String,
    #[serde(default, deserialize_with = "or_default")]
    column_mapping: IndexMap<String, String>,
    #[serde(default, deserialize_with = "or_default")]
    auto_increment: AutoIncrementArguments,
    #[serde(default, deserialize_with = "or_default")]
    remove_duplicates: bool,
    database_type: Option<String>,
    #[serde(flatten)]
    unknown: UnknownMembers,
}

impl ReportUnknown for SqlCustomArguments {
    fn report_unknown(&self, notes: &mut Notes) {
        notes.unknown_members("", &self.unknown);
        self.auto_increment.report_unknown(notes);
    }
}

const DEFAULT_TABLE: &str = "data";

// === impl Sql ===

impl Sql {
    pub(crate) fn generate(arguments: &str, notes: &mut Notes) -> Result<Self, BadArguments> {
        let read: SqlArguments = arguments::read(arguments, notes)?;
        let database = Database::parse(read.database_type.as_deref())?;
        Ok(Self::Insert(Insert {
            table: database.table(read.table_name.as_deref().unwrap_or(DEFAULT_TABLE))?,
            database,
            columns: Vec::new(),
            mapping: read.column_mapping,
            auto: read.auto_increment.resolve(database)?,
            template: read.template.filter(|text| !text.is_empty()),
            batch: read.batch_size,
            transaction: read.include_transaction.unwrap_or(true),
            remove_duplicates: false,
            kind: "sql",
            listed: false,
        }))
    }

    /// Parses as [`Self::generate`] does; the lines become data instead of a file.
    pub(crate) fn statements(arguments: &str, notes: &mut Notes) -> Result<Self, BadArguments> {
        Ok(match Self::generate(arguments, notes)? {
            Self::Insert(insert) => Self::Insert(Insert { listed: true, ..insert }),
            custom @ Self::Custom(_) => custom,
        })
    }

    pub(crate) fn to_text(arguments: &str, notes: &mut Notes) -> Result<Self, BadArguments> {
        let read: SqlTextArguments = arguments::read(arguments, notes)?;
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

    /// Parses a template. Without one, makes insertions into a table of the default name.
    pub(crate) fn custom(arguments: &str, notes: &mut Notes) -> Result<Self, BadArguments> {
        let read: SqlCustomArguments = arguments::read(arguments, notes)?;
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

    pub(crate) fn run(&self, run: &mut Execution<'_>) -> Result<Outcome, Error> {
        match self {
            Self::Insert(insert) => insert.run(run),
            Self::Custom(custom) => custom.run(run),
        }
    }
}
