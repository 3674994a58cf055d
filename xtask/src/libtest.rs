//! Runs `cargo test`, shows its output, and sums up its results.
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Shows the output while it comes. A run that ends badly without a failed test, such as a crash or
/// a test that does not compile, counts as one failure, and so does one without any test.
pub(crate) fn run(mut command: Command) -> Result<Tally> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("cargo can be started")?;
    let mut tally = Tally::default();
    let stdout = child.stdout.take().context("it is piped")?;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        tally.add(result(&line).unwrap_or_default());
    }
    let status = child.wait()?;
    if tally == Tally::default() || !status.success() && tally.failed == 0 {
        println!("{tally:?} and {status}; counted as one failure");
        tally.failed = 1;
    }
    Ok(tally)
}

/// `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in …`
fn result(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |suffix: &str| {
        let part = counts.split("; ").find_map(|part| part.strip_suffix(suffix))?;
        part.trim().parse::<usize>().ok()
    };
    Some(Tally { passed: count("passed")?, failed: count("failed")?, skipped: count("ignored")? })
}

/// How many tests `cargo test -- --list` names.
pub(crate) fn count(list: &str) -> usize {
    list.lines().filter(|line| line.ends_with(": test")).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_read_and_others_are_not() {
        let line = "test result: FAILED. 5 passed; 2 failed; 1 ignored; 0 measured; 9 filtered out; \
                    finished in 0.05s";
        assert_eq!(result(line), Some(Tally { passed: 5, failed: 2, skipped: 1 }));
        let others = ["test a::b ... ok", "test result: ok.", "running 3 tests", ""];
        assert_eq!(others.map(result), [None; 4]);
    }

    #[test]
    fn listed_tests_are_counted() {
        assert_eq!(count("a::b: test\nc: test\nd: bench\n\n2 tests, 1 benchmark\n"), 2);
    }

    #[test]
    fn a_crash_counts_as_a_failure_and_so_does_nothing() {
        let good = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured'";
        let tally = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            let Tally { passed, failed, .. } = run(command).unwrap();
            (passed, failed)
        };
        let crash = format!("{good}; exit 101");
        assert_eq!([good, &crash, "true"].map(tally), [(2, 0), (2, 1), (0, 1)]);
    }
}
