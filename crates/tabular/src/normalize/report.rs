//! Report on a normalisation.
use std::collections::HashSet;

use serde_json::{Value, json};

use crate::{cell::Cell, distinct::Distinct};

/// Errors and warnings, as they occur.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) started: String,
    errors: Vec<Value>,
    warnings: Vec<Value>,
    /// The same texts, for clients that do not read the report.
    pub(crate) notes: Vec<String>,
}

/// Statistics of the cells of a column before or after a step.
#[derive(Debug)]
pub(super) struct Stats {
    missing: u64,
    total: u64,
    /// `None` beyond the limit of distinct values.
    distinct: Option<Distinct>,
    seen: HashSet<Type>,
}

/// Type of a cell, for the type of its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Type {
    Text,
    Bool,
    Float,
    Int,
    /// A whole number that needs 64 bits without a sign.
    Large,
}

// === impl Report ===

impl Report {
    pub(crate) fn new(started: String) -> Self {
        Self { started, errors: Vec::new(), warnings: Vec::new(), notes: Vec::new() }
    }

    pub(super) fn error(&mut self, message: String, stamp: &str) {
        self.errors.push(json!({ "message": message, "timestamp": stamp }));
        self.notes.push(message);
    }

    pub(super) fn warning(&mut self, message: String, stamp: &str) {
        self.warnings.push(json!({ "message": message, "timestamp": stamp }));
        self.notes.push(message);
    }

    pub(crate) fn success(&self) -> bool {
        self.errors.is_empty()
    }

    pub(crate) fn describe(
        &self,
        completed: &str,
        rows: u64,
        requested: &[Value],
        processed: &[Value],
    ) -> Value {
        json!({
            "started_at": self.started,
            "completed_at": completed,
            "success": self.success(),
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
        Self { missing: 0, total: 0, distinct: Some(Distinct::new(most)), seen: HashSet::new() }
    }

    pub(super) fn add(&mut self, cell: &Cell) {
        self.total += 1;
        let seen = match cell {
            Cell::Missing => {
                self.missing += 1;
                return;
            }
            Cell::Text(_) => Type::Text,
            Cell::Bool(_) => Type::Bool,
            Cell::Float(_) => Type::Float,
            Cell::Int(number) if *number > i128::from(i64::MAX) => Type::Large,
            Cell::Int(_) => Type::Int,
        };
        self.seen.insert(seen);
        if self.distinct.as_mut().is_some_and(|seen| seen.insert(cell).is_err()) {
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

    /// Returns the name of the type that clients know. Columns as `read` are text.
    fn data_type(&self, read: bool) -> &'static str {
        let has = |kind: Type| self.seen.contains(&kind);
        let whole = has(Type::Int) || has(Type::Large);
        let numbers = whole || has(Type::Float);
        match (has(Type::Text), has(Type::Bool), numbers) {
            (false, false, false) if read => "str",
            (true, false, false) => "str",
            (false, true, false) if self.missing == 0 => "bool",
            (true, ..) | (_, true, _) => "object",
            _ if has(Type::Float) || self.missing > 0 || !whole => "float64",
            _ if has(Type::Large) => "uint64",
            _ => "int64",
        }
    }
}
