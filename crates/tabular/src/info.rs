//! Describes a file without reading its rows into memory.
use std::path::Path;

use crate::{
    budget::charge,
    cell::Row,
    error::Error,
    inline,
    limits::Limits,
    progress::{Meter, OnProgress},
    read::Table,
};

const NAMES_HELD: &str = "the names of the columns and sheets";
const NAMES_ADVICE: &str = "shorten them";

/// Description of a file as a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// Names of the sheets of a workbook; empty for a text file.
    pub sheets: Vec<String>,
    /// Names of the columns of the requested sheet, or of the first one.
    pub columns: Vec<String>,
    /// Number of rows, without the header.
    pub rows: u64,
}

impl TableInfo {
    /// Reads the whole file; `watch` may cancel it.
    pub fn read(
        path: &Path,
        sheet: Option<&str>,
        limits: &Limits,
        watch: &mut OnProgress<'_>,
    ) -> Result<Self, Error> {
        let mut meter = Meter::new(watch, 1);
        let mut table = Table::open(path, sheet, limits, &mut meter)?;
        let mut row = Row::new();
        let mut rows = 0;
        while table.read(&mut row, &mut meter)? {
            rows += 1;
        }
        let (sheets, columns) = (table.sheets().to_vec(), table.columns().to_vec());
        // Answers contain the names several times.
        let most = limits.max_inline / 4;
        let mut held = 0;
        for name in sheets.iter().chain(&columns) {
            charge(&mut held, inline::text(name), most, NAMES_HELD, NAMES_ADVICE)?;
        }
        Ok(Self { sheets, columns, rows })
    }
}
