//! A task of an operation, and its outcome.
use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde_json::Value;

use crate::{limits::Limits, write::Written};

/// Input and output of an operation.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The input, a workbook or a text file; detected by its content.
    pub input: &'a Path,
    /// Name of the input, whatever its path. Names of results begin with it.
    pub name: &'a str,
    /// Sheet of the workbook; the first one by default.
    pub sheet: Option<&'a str>,
    /// Folder of the result. Nothing is left there if the operation fails.
    pub folder: &'a Path,
    /// Name of the result; by default it is made of the input, the operation and the time.
    pub output: Option<&'a str>,
    /// Path of the file that [`Operation::bind_file`](crate::Operation::bind_file) names, if it
    /// exists.
    pub bind_file: Option<&'a Path>,
    /// Current time. Results contain it in UTC.
    pub now: SystemTime,
    /// Whether normalisation keeps a copy of the original column, if the request does not say.
    pub backup_original: bool,
    pub limits: Limits,
}

/// Outcome of an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The result, if it is a file.
    pub file: Option<PathBuf>,
    /// Rows of the result, without its header.
    pub rows: u64,
    /// Data of the operation: the columns of an extraction, statistics of a search, a binding or a
    /// generation, the report of a normalisation. `null` if there is none.
    pub data: Value,
    /// Unexpected findings.
    pub warnings: Vec<String>,
    /// Whether everything was done; if not, the warnings say what is missing.
    pub complete: bool,
    /// Number of cells that begin like a formula, if they were kept as they are.
    pub formulas: u64,
}

// === impl Outcome ===

impl Outcome {
    /// Makes an outcome without a file.
    pub(crate) fn new(rows: u64, data: serde_json::Value, warnings: Vec<String>) -> Self {
        Self { file: None, rows, data, warnings, complete: true, formulas: 0 }
    }

    pub(crate) fn of(written: Written, data: serde_json::Value) -> Self {
        let Written { path, rows, warnings, formulas } = written;
        Self { file: Some(path), formulas, ..Self::new(rows, data, warnings) }
    }
}
