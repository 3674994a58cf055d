//! How much a file may ask for before it is refused.

/// What is the most of everything that a file decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Columns of a table. Spreadsheet programs stop at 16,384.
    pub max_columns: usize,
    /// Cells that a sheet declares or spans, empty ones included.
    pub max_cells: u64,
    /// Bytes of the parts of a workbook when unzipped.
    pub max_unzipped: u64,
    /// Different rows, keys or values that are remembered at once, at about 40 bytes each.
    pub max_distinct: usize,
    /// Bytes of values that are held at once: the columns of an answer, the columns that are bound,
    /// the texts that the cells of a workbook share, the numbers of a column whose median is asked.
    pub max_held: usize,
    /// Bytes of one row that is read.
    pub max_row: usize,
    /// Bytes of one row of a result, and of what its cells are on their way to it.
    pub max_made: usize,
    /// Bytes of a result.
    pub max_result: u64,
    /// Bytes of what an operation says besides its file, as JSON: values, statements, statistics,
    /// a report. It goes into answers and databases.
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
    /// Bytes of memory that one operation takes at most, its input and its result on disk aside.
    pub const fn memory(&self) -> usize {
        /// Of a key or a value that is remembered.
        const DISTINCT: usize = 40;
        /// Buffers of readers, writers and compression, and the states of patterns.
        const BUFFERS: usize = 64 << 20;
        // A row is read as text, taken apart, and made anew.
        let rows = 2 * self.max_row + 2 * self.max_made;
        self.max_held + self.max_distinct * DISTINCT + rows + self.max_inline + BUFFERS
    }
}
