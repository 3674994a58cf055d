//! Progress, and cancelling between rows.
use std::{fs, ops::ControlFlow, path::Path, time::SystemTime};

use quadrille_tabular::{Error, Limits, Operation, Outcome, Progress, ROWS_PER_CALLBACK, Task};

use crate::desk::{Desk, NOW};

fn run(
    desk: &Desk,
    input: &Path,
    watch: &mut quadrille_tabular::OnProgress<'_>,
) -> Result<Outcome, Error> {
    let operation = Operation::parse("csv/convert-to-excel", "{}").unwrap();
    let task = Task {
        input,
        name: "in.csv",
        sheet: None,
        output: None,
        folder: desk.folder.path(),
        bind_file: None,
        now: SystemTime::UNIX_EPOCH + NOW,
        backup_original: false,
        limits: Limits::default(),
    };
    operation.run(&task, watch)
}

fn rows(count: u64) -> String {
    (0..count).fold("a,b\n".to_owned(), |text, row| text + &format!("{row},some text\n"))
}

#[test]
fn progress_grows_to_the_whole() {
    let desk = Desk::new();
    let csv = desk.file("in.csv", rows(50_000));
    let mut seen = Vec::new();
    let mut watch = |progress| {
        seen.push(progress);
        ControlFlow::Continue(())
    };
    let book = run(&desk, &csv, &mut watch).unwrap().file.unwrap();
    assert!(seen.len() as u64 > 50_000 / ROWS_PER_CALLBACK, "{}", seen.len());
    assert!(seen.is_sorted_by(|a, b| a.done <= b.done && a.rows <= b.rows));
    assert!(seen.iter().filter(|progress| (10..90).contains(&progress.percent())).count() > 5);
    assert_eq!(
        seen.last().map(|progress| (progress.rows, progress.percent())),
        Some((50_000, 100))
    );

    let mut percents = Vec::new();
    let mut watch = |progress: Progress| {
        percents.push(progress.percent());
        ControlFlow::Continue(())
    };
    run(&desk, &book, &mut watch).unwrap();
    assert!(percents.is_sorted());
    assert!(
        percents.iter().filter(|percent| (10..90).contains(*percent)).count() > 5,
        "{percents:?}"
    );
    assert_eq!(percents.last(), Some(&100));
}

#[test]
fn a_cancelled_operation_ends_within_some_rows_and_leaves_no_file() {
    let desk = Desk::new();
    let input = desk.file("in.csv", rows(20_000));
    let mut watch = |progress: Progress| match progress.rows {
        0..5000 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    };
    let error = run(&desk, &input, &mut watch).unwrap_err();
    assert!(
        matches!(error, Error::Cancelled { rows } if (5000..5000 + ROWS_PER_CALLBACK).contains(&rows))
    );
    assert_eq!(fs::read_dir(desk.folder.path()).unwrap().count(), 1);
}
