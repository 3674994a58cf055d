//! `cargo xtask test`: every ring, and one summary that hides nothing.
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    libtest::{self, Tally},
    project::Project,
    ring::Ring,
};

/// Result of a ring.
#[derive(Debug, PartialEq)]
struct Report {
    ring: Ring,
    tally: Tally,
    took: Duration,
    /// Reason if none of its tests ran, for want of a program.
    not_run: Option<String>,
}

/// Fails if a test failed.
pub(crate) fn run(project: &Project, rings: &[Ring]) -> Result<ExitCode> {
    let tally = sum(project, rings)?;
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the rings, all of them whatever happens, and prints the summary.
pub(crate) fn sum(project: &Project, rings: &[Ring]) -> Result<Tally> {
    let reports: Result<Vec<_>> = rings.iter().map(|&ring| report(project, ring)).collect();
    let reports = reports?;
    print!("\n{}", summary(&reports));
    Ok(total(&reports))
}

fn report(project: &Project, ring: Ring) -> Result<Report> {
    println!("\n== {}", ring.name());
    let begin = Instant::now();
    let done = |tally, not_run| Report { ring, tally, took: begin.elapsed(), not_run };
    let failed = Tally { failed: 1, ..Tally::default() };
    if let Err(err) = ring.build(project).run() {
        println!("{err}; counted as one failure");
        return Ok(done(failed, None));
    }
    let prepared = match ring.prepare(project) {
        Ok(prepared) => prepared,
        Err(err) => {
            let list = ring.command(project).args(["--", "--list"]).read();
            let tally = list.map_or(failed, |list| Tally {
                skipped: libtest::count(&list),
                ..Tally::default()
            });
            return Ok(done(tally, Some(err)));
        }
    };
    let environment = prepared.environment.iter().map(|(name, value)| (name, value));
    let tally = libtest::run(ring.command(project).envs(environment).into())?;
    Ok(done(tally, None))
}

fn total(reports: &[Report]) -> Tally {
    let mut total = Tally::default();
    for report in reports {
        total.add(report.tally);
    }
    total
}

fn summary(reports: &[Report]) -> String {
    let mut lines = vec![format!("{:<10}{:>8}{:>8}{:>8}", "ring", "passed", "failed", "time")];
    for Report { ring, tally, took, .. } in reports.iter().filter(|report| report.not_run.is_none())
    {
        let Tally { passed, failed, .. } = tally;
        lines.push(format!("{:<10}{passed:>8}{failed:>8}{:>6} s", ring.name(), took.as_secs()));
        if tally.skipped > 0 {
            lines.push(format!("not run: {} of {} (ignored)", tally.skipped, ring.name()));
        }
    }
    for report in reports {
        if let Some(reason) = &report.not_run {
            let (name, tests) = (report.ring.name(), report.tally.skipped);
            lines.push(format!("not run: {name} ({tests} tests): {reason}"));
        }
    }
    let Tally { passed, failed, skipped } = total(reports);
    lines.push(format!("{passed} passed, {failed} failed, {skipped} skipped"));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_tells_what_was_not_run_and_ends_with_the_sum() {
        let report = |ring, passed, failed, skipped, not_run: Option<&str>| Report {
            ring,
            tally: Tally { passed, failed, skipped },
            took: Duration::from_secs(12),
            not_run: not_run.map(str::to_owned),
        };
        let reports = [
            report(Ring::Unit, 120, 1, 0, None),
            report(Ring::Node, 0, 0, 7, Some("node 20 or newer not found")),
        ];
        let expected = "\
ring        passed  failed    time
unit           120       1    12 s
not run: node (7 tests): node 20 or newer not found
120 passed, 1 failed, 7 skipped
";
        assert_eq!(summary(&reports), expected);
    }
}
