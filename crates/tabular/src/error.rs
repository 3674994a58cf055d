//! Errors of operations.
//!
//! Texts that clients of this protocol know are printed as they are; [`Error::advice`] says what to
//! do. Other errors include the advice in their text.
use std::{fmt::Write as _, io, path::PathBuf};

/// Invalid arguments of an operation.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadArguments {
    #[error("No handler found for operation: {name}")]
    Unknown { name: String },
    #[error("the arguments are not a JSON object: {reason}")]
    NotAnObject { reason: String },
    /// `argument` is the path of the argument, such as `conditions[0].column`.
    #[error("argument `{argument}`: {reason}")]
    Wrong { argument: String, reason: String },
    #[error("argument `{argument}` is missing; {hint}")]
    Missing { argument: &'static str, hint: &'static str },
    /// Uses a text that clients know.
    #[error("{0}")]
    Refused(String),
}

/// Failure of an operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cancelled after {rows} rows")]
    Cancelled { rows: u64 },
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    /// Columns of the arguments that the file does not have; `columns` are those it has.
    #[error("{what}")]
    Columns { what: String, columns: Vec<String> },
    /// The operation cannot be done with this file.
    #[error("{0}")]
    Refused(String),
    #[error("{prefix}{source}")]
    Within { prefix: &'static str, source: Box<Error> },
    #[error("Failed to write Excel file: {0}")]
    Workbook(String),
    #[error("cannot write {path}: {source}", path = path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// The file is not a table, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("Failed to read Excel file: [Errno 2] No such file or directory: '{0}'")]
    Absent(String),
    #[error("cannot read {path}: {source}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("not a spreadsheet: the file {0}; save it as .xlsx or .csv")]
    NotASpreadsheet(&'static str),
    #[error("the workbook is encrypted; remove its password and upload it again")]
    Encrypted,
    #[error("the workbook has the old .xls format; save it as .xlsx")]
    OldFormat,
    #[error("the workbook has the binary .xlsb format; save it as .xlsx")]
    Binary,
    #[error("the file is an OpenDocument spreadsheet (.ods); save it as .xlsx")]
    OpenDocument,
    #[error("Failed to read Excel file: {0}")]
    Workbook(String),
    #[error("Failed to read Excel file: Worksheet named '{name}' not found")]
    NoSheet { name: String, sheets: Vec<String> },
    #[error("Failed to read CSV file: {0}")]
    Csv(String),
    #[error(
        "mixed encodings: line {utf8} is UTF-8 and line {other} is not; save the file as UTF-8"
    )]
    MixedEncodings { utf8: u64, other: u64 },
    #[error(
        "line {line} has the byte {byte:#04x}, which Windows-1252 does not define, \
         and the file is not UTF-8; save the file as UTF-8"
    )]
    NoCharacter { line: u64, byte: u8 },
    #[error("line {line} has an incomplete UTF-16 character; save the file again, as UTF-8")]
    HalfCharacter { line: u64 },
    #[error(
        "mixed delimiters: the header is separated by {header:?} and row {row} by {other:?}; \
         use one of them"
    )]
    MixedDelimiters { header: char, row: u64, other: char },
}

/// A limit was exceeded.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum TooMuch {
    #[error(
        "the table has {found} columns or more, {most} is the most; remove those that are not needed"
    )]
    Columns { found: usize, most: usize },
    #[error(
        "the sheet spans {rows} rows and {columns} columns, {most} cells is the most; \
         delete the unused rows and columns at its end, or split it"
    )]
    Cells { rows: u64, columns: u64, most: u64 },
    #[error("the workbook unzips to more than {most} bytes; split it")]
    Unzipped { most: u64 },
    #[error("there are more than {most} different rows, keys or values; split the file")]
    Distinct { most: usize },
    #[error("{what} take more than {most} bytes; {instead}")]
    Held { what: &'static str, most: usize, instead: &'static str },
    #[error(
        "row {row} has more than {most} bytes; shorten its texts, or look for a quote that is not \
         closed"
    )]
    Row { row: u64, most: usize },
    #[error(
        "a row of the result takes more than {most} bytes to make; ask for less of each row, or \
         replace less in it"
    )]
    Made { most: usize },
    #[error("the result has more than {most} bytes; ask for less, or split the file")]
    Result { most: u64 },
    #[error(
        "the cell in row {row}, column {column:?} has {found} characters, a spreadsheet cell holds \
         32767; shorten it, or export as csv or json"
    )]
    Cell { row: u64, column: ColumnName, found: usize },
    #[error("a sheet holds 1048576 rows with the header; split the file, or export as csv or json")]
    SheetRows,
    #[error("a sheet holds 16384 columns; choose fewer")]
    SheetColumns,
}

/// Values of [`TooMuch::Held::what`] with advice of their own.
pub(crate) const VALUES_HELD: &str = "the values of the columns";
pub(crate) const STATEMENTS_HELD: &str = "the statements";

/// Index of a column, 0 for the first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ColumnName(pub usize);

impl std::fmt::Debug for ColumnName {
    /// Prints the letters that spreadsheet programs use: `A`, `Z`, `AA`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut letters = Vec::new();
        let mut rest = self.0 + 1;
        while rest > 0 {
            rest -= 1;
            letters.push(char::from(b'A' + u8::try_from(rest % 26).unwrap_or_default()));
            rest /= 26;
        }
        letters.iter().rev().try_for_each(|letter| f.write_char(*letter))
    }
}

// === impl Error ===

impl Error {
    /// Returns advice, if the error itself contains none.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Columns { columns, .. } if columns.is_empty() => {
                Some("the file has no columns".to_owned())
            }
            Self::Columns { columns, .. } => {
                let shown: Vec<_> = columns.iter().take(50).map(String::as_str).collect();
                let more = columns.len() - shown.len();
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                Some(format!("the columns of the file are: {}{more}", shown.join(", ")))
            }
            Self::Unreadable(Unreadable::Absent(_)) => {
                Some("upload the file to this chat first, and use the name it has there".to_owned())
            }
            Self::Unreadable(Unreadable::Workbook(_)) => {
                Some("open the file in a spreadsheet program and save it as .xlsx again".to_owned())
            }
            Self::Unreadable(Unreadable::Csv(_)) => {
                Some("correct the row, or save the table as .csv again".to_owned())
            }
            Self::Unreadable(Unreadable::NoSheet { sheets, .. }) => {
                Some(format!("the sheets of the workbook are: {}", sheets.join(", ")))
            }
            Self::TooMuch(TooMuch::Held { what: VALUES_HELD, .. }) => {
                Some("the operation for that is excel/extract-columns-to-file".to_owned())
            }
            Self::TooMuch(TooMuch::Held { what: STATEMENTS_HELD, .. }) => {
                Some("set return_file to true, or use the operation sql/generate".to_owned())
            }
            Self::Within { source, .. } => source.advice(),
            _ => None,
        }
    }

    pub(crate) fn within(prefix: &'static str) -> impl FnOnce(Self) -> Self {
        move |error| match error {
            Self::Cancelled { .. }
            | Self::Write { .. }
            | Self::Unreadable(Unreadable::Io { .. }) => error,
            error => Self::Within { prefix, source: Box::new(error) },
        }
    }
}

/// Makes an error about a workbook that does not follow its format.
pub(crate) fn broken(err: impl std::fmt::Display) -> Error {
    Unreadable::Workbook(err.to_string()).into()
}

/// Formats a list in the way that clients know: `['q', 'w']`.
pub(crate) fn list<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<_> = names.iter().map(|name| quoted(name.as_ref())).collect();
    format!("[{}]", names.join(", "))
}

fn quoted(name: &str) -> String {
    let name = name.replace('\\', "\\\\");
    match (name.contains('\''), name.contains('"')) {
        (true, false) => format!("\"{name}\""),
        (true, true) => format!("'{}'", name.replace('\'', "\\'")),
        _ => format!("'{name}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_quoted_as_clients_know_them() {
        assert_eq!(list(&["q", "w"]), "['q', 'w']");
        assert_eq!(list(&["x's", "a\"'b", "é"]), r#"["x's", 'a"\'b', 'é']"#);
    }

    #[test]
    fn columns_have_letters() {
        let names = [0, 25, 26, 701, 702, 16_383].map(|at| format!("{:?}", ColumnName(at)));
        assert_eq!(names, ["A", "Z", "AA", "ZZ", "AAA", "XFD"]);
    }
}
