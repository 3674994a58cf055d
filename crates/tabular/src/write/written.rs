//! Options and result of writing a table.
use std::path::PathBuf;

/// A complete file.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) path: PathBuf,
    pub(crate) rows: u64,
    pub(crate) warnings: Vec<String>,
    /// Number of cells that begin like a formula, and were kept as they are.
    pub(crate) formulas: u64,
}

/// Treatment of cells that a spreadsheet program would run as formulas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CellMode {
    /// With an apostrophe before them, for people.
    Defused,
    /// As they are, for programs.
    Values,
}
