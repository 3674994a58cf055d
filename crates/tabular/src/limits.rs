//! Limits on what a file may demand.

/// Limits on everything that the content of a file decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Columns of a table. Spreadsheet programs stop at 16,384.
    pub max_columns: usize,
    /// Cells that a sheet declares or spans, empty ones included.
    pub max_cells: u64,
    /// Bytes of the parts of a workbook when unzipped.
    pub max_unzipped: u64,
    /// Distinct rows, keys or values in memory at once, at about 40 bytes each.
    pub max_distinct: usize,
    /// Bytes of values in memory at once: extracted columns, bound columns, shared texts of a
    /// workbook, the numbers of a column for its median.
    pub max_held: usize,
    /// Bytes of one input row.
    pub max_row: usize,
    /// Bytes of one row of the result, with the intermediate values of its cells.
    pub max_made: usize,
    /// Bytes of a result file.
    pub max_result: u64,
    /// Bytes of the data that an operation returns besides its file, as JSON: values, statements,
    /// statistics, a report. It goes into responses and the database.
    pub max_inline: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_columns: 4096,
            max_cells: 200_000_000,
            max_unzipped: 2 << 30,
            max_distinct: 5_000_000,
            max_held: 256 << 20,
            max_row: 16 << 20,
            max_made: 64 << 20,
            max_result: 2 << 30,
            max_inline: 2 << 20,
        }
    }
}

impl Limits {
    /// Returns the most memory that one operation takes, without its files on disk.
    pub const fn memory(&self) -> usize {
        /// Bytes of one distinct key or value.
        const DISTINCT: usize = 40;
        /// Bytes of the buffers of readers, writers and compression, and of the states of patterns.
        const BUFFERS: usize = 64 << 20;
        // A row is read as text, split into cells, and built anew.
        let rows = 2 * self.max_row + 2 * self.max_made;
        self.max_held + self.max_distinct * DISTINCT + rows + self.max_inline + BUFFERS
    }
}
