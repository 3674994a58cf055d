//! What no file and no arguments may do. Each function is a target of `cargo xtask fuzz`; the tests
//! replay its seeds.
use std::{fmt::Write as _, fs, ops::ControlFlow, path::Path, time::SystemTime};

use tempfile::TempDir;

use crate::{
    Error, Limits, NAMES, Operation, Row, Task,
    error::Unreadable,
    output::Output,
    progress::Meter,
    read::{Table, delimiter, header},
    template::{Hole, Kind, Piece, Value, pieces},
    write::{Format, Look, Writer, formula::defuse},
};

/// Small, so that a file gets there.
const LIMITS: Limits = Limits {
    max_columns: 64,
    max_cells: 1000,
    max_unzipped: 1 << 16,
    max_distinct: 1000,
    max_held: 1 << 16,
    max_row: 1 << 10,
    max_made: 1 << 14,
    max_result: 1 << 20,
    max_inline: 1 << 20,
};

/// All of a file.
struct Read {
    columns: Vec<String>,
    rows: Vec<Row>,
}

/// A text file is refused, or is a table within its bounds: every column has a name of its own,
/// every row as many cells, and nothing is in it that the file does not pay for. What was read,
/// written and read again is the same.
pub fn csv(data: &[u8]) {
    if data.starts_with(b"PK\x03\x04") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let Ok(table) = read(&folder.path().join("a"), data, &LIMITS) else { return };
    table.check();
    let cells = table.rows.iter().flatten().map(|it| it.text().unwrap_or_default().len());
    // A byte of another encoding takes up to three; a name that is missing gets one.
    let most = 3 * data.len();
    assert!(cells.sum::<usize>() <= most, "more than is in the file");
    assert!(table.rows.len() <= data.len());
    again(&table, folder.path());
}

fn again(table: &Read, folder: &Path) {
    let output = Output::create(folder, "b".to_owned(), "csv", LIMITS.max_result).expect("a file");
    let writer = Writer::begin(Format::Csv, output, &table.columns, Look::Plain);
    let written = writer.and_then(|mut writer| {
        table.rows.iter().try_for_each(|row| writer.row(row))?;
        writer.finish()
    });
    let written = fs::read(written.expect("it can be written").path).expect("it is there");
    let columns = table.columns.iter().map(|it| defuse(it).into_owned()).collect();
    let columns = header::names(columns);
    let cells = |it: &[Row], change: fn(&str) -> String| -> Vec<Vec<String>> {
        let row = |row: &Row| row.iter().map(|it| change(&it.text().unwrap_or_default())).collect();
        it.iter().map(row).collect()
    };
    let rows = cells(&table.rows, |it| defuse(it).into_owned());
    let again = match read(&folder.join("c"), &written, &Limits::default()) {
        Ok(again) if (&again.columns, cells(&again.rows, str::to_owned)) == (&columns, rows) => {
            return;
        }
        // Without its quotes it may look like a picture.
        Err(Error::Unreadable(Unreadable::NotASpreadsheet(_))) => return,
        again => again.map(|it| (it.columns, it.rows)),
    };
    // What is a table of one column to us may look like one of several.
    let is_ours = delimiter::detect(&written, true) == b',';
    assert!(!is_ours, "{again:?} of {}", written.escape_ascii());
}

/// A workbook is refused, or is a table within its limits, whatever it declares.
pub fn xlsx(data: &[u8]) {
    if !data.starts_with(b"PK\x03\x04") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    match read(&folder.path().join("a"), data, &LIMITS) {
        Err(why) => assert!(!why.to_string().is_empty()),
        Ok(table) => {
            table.check();
            let cells = table.rows.len() * table.columns.len();
            assert!(cells as u64 <= LIMITS.max_cells, "{cells} cells");
        }
    }
}

/// A template is cut into texts and placeholders, and none of it is lost: in its plainest form it
/// reads the same. What is read as a number is that number.
pub fn template(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let cut = pieces(text);
    let mut plain = String::new();
    let mut before = None;
    for piece in &cut {
        let is_text = matches!(piece, Piece::Text(_));
        assert!(!(is_text && before == Some(true)), "two texts in a row: {cut:?}");
        before = Some(is_text);
        match piece {
            Piece::Text(text) => {
                assert!(!text.is_empty());
                plain.push_str(text);
            }
            Piece::Hole(Hole { name, kind, default }) => {
                let kind = match kind {
                    Kind::Text => "str",
                    Kind::Int => "int",
                    Kind::Float => "float",
                    Kind::Bool => "bool",
                };
                let default = default.as_ref().map_or_else(String::new, |it| format!("|{it}"));
                write!(plain, "{{{name}:{kind}{default}}}").expect("a text takes all");
            }
        }
    }
    assert_eq!(pieces(&plain), cut, "{plain:?}");
    let holes = cut.iter().filter(|it| matches!(it, Piece::Hole(_))).count();
    assert!(holes <= text.matches('{').count() && holes <= text.matches('}').count());
    if let Ok(number) = text.parse::<i64>() {
        assert_eq!(Kind::Int.convert(text), Some(Value::Int(number.into())));
    }
    for kind in [Kind::Text, Kind::Float, Kind::Bool] {
        kind.convert(text);
    }
}

/// Arguments are refused in one line that says what is wrong, or are an operation that leaves a file
/// or nothing. The first line is the operation's name.
pub fn operation(data: &[u8]) {
    const TABLE: &str = "id,name,n\n1,Ann,007\n2,,-1.5\n2,=Bob,x\n";
    let Ok(text) = str::from_utf8(data) else { return };
    let (name, arguments) = text.split_once('\n').unwrap_or((text, ""));
    let operation = match Operation::parse(name, arguments) {
        Err(why) => {
            let why = why.to_string();
            assert!(!why.is_empty());
            let known = NAMES.contains(&name);
            assert_eq!(why.starts_with("No handler found"), !known, "{name}: {why}");
            return;
        }
        Ok(operation) => operation,
    };
    let folder: TempDir = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("a.csv");
    fs::write(&input, TABLE).expect("a file");
    let results = folder.path().join("results");
    fs::create_dir(&results).expect("a folder");
    let task = Task {
        input: &input,
        name: "a.csv",
        folder: &results,
        bind_file: operation.bind_file().map(|_| input.as_path()),
        now: SystemTime::UNIX_EPOCH,
        backup_original: true,
        limits: LIMITS,
        sheet: None,
        output: None,
    };
    let done = operation.run(&task, &mut |_| ControlFlow::Continue(()));
    let left = fs::read_dir(&results).expect("a folder").count();
    match done {
        Ok(outcome) => {
            assert_eq!(left, usize::from(outcome.file.is_some()), "{outcome:?}");
            assert!(outcome.file.is_none_or(|it| it.starts_with(&results) && it.is_file()));
        }
        Err(why) => assert!(left == 0 && !why.to_string().is_empty(), "{left} left: {why}"),
    }
}

fn read(path: &Path, data: &[u8], limits: &Limits) -> Result<Read, Error> {
    fs::write(path, data).expect("a file");
    let mut watch = |_| ControlFlow::Continue(());
    let mut meter = Meter::new(&mut watch, 1);
    let mut table = Table::open(path, None, limits, &mut meter)?;
    let columns = table.columns().to_vec();
    let (mut row, mut rows) = (Row::new(), Vec::new());
    while table.read(&mut row, &mut meter)? {
        rows.push(row.clone());
    }
    Ok(Read { columns, rows })
}

impl Read {
    fn check(&self) {
        let Self { columns, rows } = self;
        assert!(columns.len() <= LIMITS.max_columns);
        let names: std::collections::HashSet<_> = columns.iter().collect();
        assert_eq!(names.len(), columns.len(), "{columns:?}");
        assert!(!names.iter().any(|it| it.is_empty()));
        assert!(rows.iter().all(|row| row.len() == columns.len()));
    }
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_file_is_read_as_what_it_is_not() {
        replay::replay("csv", csv);
    }

    #[test]
    fn no_workbook_is_larger_than_its_limits() {
        replay::replay("xlsx", xlsx);
    }

    /// Otherwise the target would only see files that are refused at their first bytes.
    #[test]
    fn the_seeds_of_workbooks_are_tables_or_too_much() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/xlsx");
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str| {
            let seed = fs::read(seeds.join(name)).unwrap();
            read(&folder.path().join("a"), &seed, &LIMITS).map(|it| it.rows.len())
        };
        assert_eq!(read("stored").unwrap(), 3);
        assert_eq!(read("deflated").unwrap(), 3);
        assert_eq!(read("no_references").unwrap(), 1);
        // What a sheet declares is only a hint.
        assert_eq!(read("declares_much").unwrap(), 3);
        for name in ["bomb", "far_cell", "many_rows"] {
            let read = read(name);
            assert!(matches!(read, Err(Error::TooMuch(_))), "{name}: {read:?}");
        }
    }

    #[test]
    fn no_template_loses_text() {
        replay::replay("template", template);
    }

    #[test]
    fn no_arguments_leave_half_a_file() {
        replay::replay("operation", operation);
    }
}
