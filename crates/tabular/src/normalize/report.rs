//! What a normalisation did, for who asked for it.
use serde_json::{Value, json};

use crate::{cell::Cell, distinct::Distinct};

/// What happened, as it happened.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) started: String,
    errors: Vec<Value>,
    warnings: Vec<Value>,
    /// The same, for who does not read the report.
    pub(crate) told: Vec<String>,
}

/// What the cells of a column are at one point of its way.
#[derive(Debug)]
pub(super) struct Stats {
    missing: u64,
    total: u64,
    /// `None` if there are more different values than are remembered.
    distinct: Option<Distinct>,
    texts: bool,
    booleans: bool,
    fractions: bool,
    whole: bool,
    large: bool,
}

// === impl Report ===

impl Report {
    pub(crate) fn new(started: String) -> Self {
        Self { started, errors: Vec::new(), warnings: Vec::new(), told: Vec::new() }
    }

    pub(super) fn error(&mut self, message: String, stamp: &str) {
        self.errors.push(json!({ "message": message, "timestamp": stamp }));
        self.told.push(message);
    }

    pub(super) fn warning(&mut self, message: String, stamp: &str) {
        self.warnings.push(json!({ "message": message, "timestamp": stamp }));
        self.told.push(message);
    }

    pub(crate) fn describe(
        &self,
        completed: &str,
        rows: u64,
        requested: Vec<Value>,
        processed: Vec<Value>,
    ) -> Value {
        json!({
            "started_at": self.started,
            "completed_at": completed,
            "success": self.errors.is_empty(),
            "total_rows": rows,
            "requested_normalizations": requested,
            "columns_processed": processed,
            "errors": self.errors,
            "warnings": self.warnings,
        })
    }
}

// === impl Stats ===

impl Stats {
    pub(super) fn new(most: usize) -> Self {
        Self {
            missing: 0,
            total: 0,
            distinct: Some(Distinct::new(most)),
            texts: false,
            booleans: false,
            fractions: false,
            whole: false,
            large: false,
        }
    }

    pub(super) fn add(&mut self, cell: &Cell) {
        self.total += 1;
        match cell {
            Cell::Missing => {
                self.missing += 1;
                return;
            }
            Cell::Text(_) => self.texts = true,
            Cell::Bool(_) => self.booleans = true,
            Cell::Float(_) => self.fractions = true,
            Cell::Int(number) => {
                self.whole = true;
                self.large |= *number > i128::from(i64::MAX);
            }
        }
        if self.distinct.as_mut().is_some_and(|it| it.insert(cell).is_err()) {
            self.distinct = None;
        }
    }

    pub(super) fn describe(&self, read: bool) -> Value {
        json!({
            "total_values": self.total,
            "null_count": self.missing,
            "unique_count": self.distinct.as_ref().map(Distinct::len),
            "data_type": self.data_type(read),
        })
    }

    /// The name of the type that clients know. Columns as `read` are text.
    fn data_type(&self, read: bool) -> &'static str {
        let numbers = self.whole || self.fractions;
        match (self.texts, self.booleans, numbers) {
            (false, false, false) if read => "str",
            (true, false, false) => "str",
            (false, true, false) if self.missing == 0 => "bool",
            (true, ..) | (_, true, _) => "object",
            _ if self.fractions || self.missing > 0 || !self.whole => "float64",
            _ if self.large => "uint64",
            _ => "int64",
        }
    }
}
