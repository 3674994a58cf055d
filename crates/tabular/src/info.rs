//! What a file is, without what is in its rows.
use std::path::Path;

use crate::{
    cell::Row,
    error::Error,
    inline,
    limits::Limits,
    progress::{Meter, Watch},
    read::Table,
    run::hold,
};

const HELD: &str = "the names of the columns and sheets";
const INSTEAD: &str = "shorten them";

/// A file as a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The names of the sheets of a workbook; none of a text file.
    pub sheets: Vec<String>,
    /// The names of the columns, of the first sheet.
    pub columns: Vec<String>,
    /// Without the header.
    pub rows: u64,
}

impl Info {
    /// Read all of the file; `watch` can end it.
    pub fn read(path: &Path, limits: &Limits, watch: &mut Watch<'_>) -> Result<Self, Error> {
        let mut meter = Meter::new(watch, 1);
        let mut table = Table::open(path, None, limits, &mut meter)?;
        let mut row = Row::new();
        let mut rows = 0;
        while table.read(&mut row, &mut meter)? {
            rows += 1;
        }
        let (sheets, columns) = (table.sheets().to_vec(), table.columns().to_vec());
        // They are told several times.
        let most = limits.max_inline / 4;
        let mut held = 0;
        for name in sheets.iter().chain(&columns) {
            hold(&mut held, inline::text(name), most, HELD, INSTEAD)?;
        }
        Ok(Self { sheets, columns, rows })
    }
}
