//! `cargo xtask ci`: the checks before a change is merged.
use std::{process::ExitCode, time::Instant};

use anyhow::{Result, ensure};
use xshell::cmd;

use crate::{deny, fuzz, libtest::Tally, project::Project, ring::Ring, test, tidy};

const GATEWAY: &str = "quadrille";
const STORE: &str = "quadrille-store";

/// Stops at the first check that fails; the tests, which come last, run whole.
pub(crate) fn run(project: &Project) -> Result<ExitCode> {
    let sh = &project.sh;
    step("format", || Ok(cmd!(sh, "cargo fmt --all --check").run()?))?;
    step("clippy, default features", || clippy(project, &["--workspace"]))?;
    step("clippy, no features", || clippy(project, &["-p", GATEWAY, "--no-default-features"]))?;
    for feature in project.features(GATEWAY) {
        let select = ["-p", GATEWAY, "--no-default-features", "--features", &feature];
        step(&format!("clippy, {feature} only"), || clippy(project, &select))?;
    }
    step("clippy, all features", || clippy(project, &["-p", GATEWAY, "--all-features"]))?;
    step("clippy, the store with all features", || {
        clippy(project, &["-p", STORE, "--all-features"])
    })?;
    step("fuzz targets", || fuzz::check(project))?;
    step("tidy", || tidy::check(project))?;
    step("dependencies", || deny::check(project))?;
    let Tally { failed, skipped, .. } = test::sum(project, &Ring::ALL)?;
    ensure!(failed == 0, "{failed} tests failed");
    ensure!(skipped == 0, "{skipped} tests were not run; install their prerequisites");
    Ok(ExitCode::SUCCESS)
}

fn clippy(project: &Project, select: &[&str]) -> Result<()> {
    let sh = &project.sh;
    cmd!(sh, "cargo clippy {select...} --all-targets -- -D warnings").run()?;
    Ok(())
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\n== {name}");
    let begin = Instant::now();
    let done = work();
    let verdict = if done.is_ok() { "ok" } else { "FAILED" };
    println!("-- {name}: {verdict} after {:.1} s", begin.elapsed().as_secs_f64());
    done
}
