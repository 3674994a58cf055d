//! Memory does not grow with the file. A process of its own, as it looks at all of its memory.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::SystemTime,
};

use quadrille_tabular::{Limits, Operation, Task};

/// The most memory that this process had so far, in KiB. `None` where the system does not say.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

fn table(folder: &Path, rows: u32) -> PathBuf {
    let path = folder.join(format!("{rows}.csv"));
    let mut file = BufWriter::new(File::create(&path).unwrap());
    writeln!(file, "id,name,amount,note").unwrap();
    for row in 0..rows {
        writeln!(file, "{row:09},Person {row},{}.25,some text that is the same", row % 977)
            .unwrap();
    }
    path
}

fn run(input: &Path, name: &str, arguments: &str) -> PathBuf {
    let operation = Operation::parse(name, arguments).unwrap();
    let task = Task {
        input,
        name: "big",
        sheet: None,
        output: None,
        folder: input.parent().unwrap(),
        bind_file: None,
        now: SystemTime::UNIX_EPOCH,
        backup_original: true,
        limits: Limits::default(),
    };
    let outcome = operation.run(&task, &mut |_| ControlFlow::Continue(())).unwrap();
    outcome.file.unwrap()
}

fn operations(input: &Path) {
    let search = r#"{"conditions":[{"column":"amount","operator":"greater_than","value":1}]}"#;
    run(input, "csv/search", search);
    run(input, "excel/map-columns", r#"{"mapping":{"n":"name","one":{"default":1}}}"#);
    let normalize = r#"{"return_report":false,"normalizations":[
        {"column_name":"name","normalization_type":"uppercase"},
        {"column_name":"amount","normalization_type":"z_score"}]}"#;
    run(input, "normalization/apply", normalize);
    run(input, "sql/generate", "{}");
    run(input, "json/generate", "{}");
}

#[test]
fn memory_does_not_grow_with_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let book = |rows: u32| {
        let csv = table(folder.path(), rows);
        operations(&csv);
        run(&csv, "csv/convert-to-excel", "{}")
    };
    let small = book(2_000);
    run(&small, "excel/convert-to-csv", "{}");
    let Some(before) = peak() else { return };
    let large = book(40_000);
    run(&large, "excel/convert-to-csv", "{}");
    let after = peak().unwrap();
    // The rows alone are more than this, as text and without what holds it.
    assert!(after - before < 2 << 10, "{before} KiB grew to {after} KiB");
}
