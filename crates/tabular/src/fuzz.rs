//! Properties that hold for any file and any arguments. Each function is a target of `cargo xtask
//! fuzz`; the tests replay its seeds.
use std::{fmt::Write as _, fs, ops::ControlFlow, path::Path, time::SystemTime};

use tempfile::TempDir;

use crate::{
    Error, Limits, NAMES, Operation, Row, Task,
    error::Unreadable,
    output::Output,
    progress::Meter,
    read::{Table, delimiter, header},
    template::{Kind, Piece, Placeholder, Value, pieces},
    write::{
        CellMode, SheetStyle, TableFormat, Writer,
        formula::{Defuse, defuse},
    },
};

/// Small limits, so that inputs reach them.
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

/// A whole table in memory.
struct ReadFile {
    columns: Vec<String>,
    rows: Vec<Row>,
}

/// Checks that a text file is refused, or is a table within its limits: column names are unique,
/// every row has as many cells as there are columns, and the table is no larger than the file.
/// Writing the table and reading it again gives the same table.
pub fn csv(data: &[u8]) {
    if data.starts_with(b"PK\x03\x04") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let Ok(table) = read(&folder.path().join("a"), data, &LIMITS) else { return };
    table.check();
    let cells = table.rows.iter().flatten().map(|cell| cell.text().unwrap_or_default().len());
    // A byte of another encoding takes up to three bytes; a missing name is made up.
    let most = 3 * data.len();
    assert!(cells.sum::<usize>() <= most, "more than is in the file");
    assert!(table.rows.len() <= data.len());
    again(&table, folder.path());
}

fn again(table: &ReadFile, folder: &Path) {
    let write = |cells| {
        let name = "b".to_owned();
        let output = Output::create(folder, name, "csv", LIMITS.max_result).expect("a file");
        let writer =
            Writer::begin(TableFormat::Csv, output, &table.columns, SheetStyle::Plain, cells);
        let written = writer.and_then(|mut writer| {
            table.rows.iter().try_for_each(|row| writer.row(row))?;
            let mut watch = |_| ControlFlow::Continue(());
            writer.finish(&mut Meter::new(&mut watch, 1))
        });
        let written = written.expect("it can be written");
        (fs::read(written.path).expect("it is there"), written.formulas)
    };
    let (written, _) = write(CellMode::Defused);
    // Defusing values afterwards gives the same file.
    let (values, formulas) = write(CellMode::Values);
    let (mut on_its_way, mut download) = (Defuse::default(), Vec::new());
    on_its_way.push(&values, &mut download);
    assert_eq!(on_its_way.finish(&mut download), formulas);
    assert_eq!(download, written, "{}", values.escape_ascii());
    let columns = table.columns.iter().map(|name| defuse(name).into_owned()).collect();
    let columns = header::names(columns);
    let cells = |rows: &[Row], change: fn(&str) -> String| -> Vec<Vec<String>> {
        let row =
            |row: &Row| row.iter().map(|cell| change(&cell.text().unwrap_or_default())).collect();
        rows.iter().map(row).collect()
    };
    let rows = cells(&table.rows, |text| defuse(text).into_owned());
    let again = match read(&folder.join("c"), &written, &Limits::default()) {
        Ok(again) if (&again.columns, cells(&again.rows, str::to_owned)) == (&columns, rows) => {
            return;
        }
        // Without its quotes, a file may look like an image.
        Err(Error::Unreadable(Unreadable::NotASpreadsheet(_))) => return,
        again => again.map(|table| (table.columns, table.rows)),
    };
    // Another reader may split a table of one column.
    let is_ours = delimiter::detect(&written, true) == b',';
    assert!(!is_ours, "{again:?} of {}", written.escape_ascii());
}

/// Checks that a workbook is refused, or is a table within its limits, whatever it declares.
pub fn xlsx(data: &[u8]) {
    if !data.starts_with(b"PK\x03\x04") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    match read(&folder.path().join("a"), data, &LIMITS) {
        Err(err) => assert!(!err.to_string().is_empty()),
        Ok(table) => {
            table.check();
            let cells = table.rows.len() * table.columns.len();
            assert!(cells as u64 <= LIMITS.max_cells, "{cells} cells");
        }
    }
}

/// Checks that parsing a template loses no text: printed in its plainest form, it parses the same.
/// A text that parses as a number converts to that number.
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
            Piece::Placeholder(Placeholder { name, kind, default }) => {
                let kind = match kind {
                    Kind::Text => "str",
                    Kind::Int => "int",
                    Kind::Float => "float",
                    Kind::Bool => "bool",
                };
                let default =
                    default.as_ref().map_or_else(String::new, |default| format!("|{default}"));
                write!(plain, "{{{name}:{kind}{default}}}").expect("a text takes all");
            }
        }
    }
    assert_eq!(pieces(&plain), cut, "{plain:?}");
    let holes = cut.iter().filter(|piece| matches!(piece, Piece::Placeholder(_))).count();
    assert!(holes <= text.matches('{').count() && holes <= text.matches('}').count());
    if let Ok(number) = text.parse::<i64>() {
        assert_eq!(Kind::Int.convert(text), Some(Value::Int(number.into())));
    }
    for kind in [Kind::Text, Kind::Float, Kind::Bool] {
        kind.convert(text);
    }
}

/// Checks that arguments are refused with a message, or make an operation that leaves a file or
/// nothing. The first line is the name of the operation.
pub fn operation(data: &[u8]) {
    const TABLE: &str = "id,name,n\n1,Ann,007\n2,,-1.5\n2,=Bob,x\n";
    let Ok(text) = str::from_utf8(data) else { return };
    let (name, arguments) = text.split_once('\n').unwrap_or((text, ""));
    let operation = match Operation::parse(name, arguments) {
        Err(err) => {
            let err = err.to_string();
            assert!(!err.is_empty());
            let known = NAMES.contains(&name);
            assert_eq!(err.starts_with("No handler found"), !known, "{name}: {err}");
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
            assert!(outcome.file.is_none_or(|file| file.starts_with(&results) && file.is_file()));
        }
        Err(err) => assert!(left == 0 && !err.to_string().is_empty(), "{left} left: {err}"),
    }
}

fn read(path: &Path, data: &[u8], limits: &Limits) -> Result<ReadFile, Error> {
    fs::write(path, data).expect("a file");
    let mut watch = |_| ControlFlow::Continue(());
    let mut meter = Meter::new(&mut watch, 1);
    let mut table = Table::open(path, None, limits, &mut meter)?;
    let columns = table.columns().to_vec();
    let (mut row, mut rows) = (Row::new(), Vec::new());
    while table.read(&mut row, &mut meter)? {
        rows.push(row.clone());
    }
    Ok(ReadFile { columns, rows })
}

impl ReadFile {
    fn check(&self) {
        let Self { columns, rows } = self;
        assert!(columns.len() <= LIMITS.max_columns);
        let names: std::collections::HashSet<_> = columns.iter().collect();
        assert_eq!(names.len(), columns.len(), "{columns:?}");
        assert!(!names.iter().any(|name| name.is_empty()));
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

    /// Guards against seeds that are all refused at their first bytes.
    #[test]
    fn the_seeds_of_workbooks_are_tables_or_too_much() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/xlsx");
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str| {
            let seed = fs::read(seeds.join(name)).unwrap();
            read(&folder.path().join("a"), &seed, &LIMITS).map(|table| table.rows.len())
        };
        assert_eq!(read("stored").unwrap(), 3);
        assert_eq!(read("deflated").unwrap(), 3);
        assert_eq!(read("no_references").unwrap(), 1);
        // The declared size is only a hint.
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
