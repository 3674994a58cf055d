//! `cargo xtask fuzz`: random input for every parser, by cargo-fuzz, and the results in one table.
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail, ensure};
use xshell::cmd;

use crate::project::Project;

const VERSION: &str = "0.13.2";

/// One input may take so long, in seconds, and so much memory, in MiB.
const TIMEOUT: u32 = 10;
const MEMORY: u32 = 2048;

/// Result of a target.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    runs: u64,
    per_second: u64,
    /// Branches of the program that some input reached.
    coverage: u64,
}

/// Runs one target, or all of them one after the other, each for so many seconds. Fails if an input
/// was found that breaks one.
pub(crate) fn run(project: &Project, wanted: Option<&str>, seconds: u32) -> Result<ExitCode> {
    let targets = targets(project)?;
    if let Some(wanted) = wanted.filter(|wanted| !targets.iter().any(|target| target == wanted)) {
        bail!("no target is called {wanted}; there are {}", targets.join(", "));
    }
    let programs = build(project)?;
    let mut lines =
        vec![format!("{:<12}{:>12}{:>10}{:>10}  finding", "target", "runs", "per s", "coverage")];
    let mut broken = 0;
    for target in targets.iter().filter(|target| wanted.is_none_or(|wanted| wanted == *target)) {
        println!("\n== {target}");
        let home = project.target().join("fuzz");
        let (found, artifact) = fuzz(project, &programs.join(target), &home, target, seconds)?;
        let Found { runs, per_second, coverage } = found;
        broken += usize::from(artifact.is_some());
        let finding = artifact.map_or_else(|| "none".to_owned(), |path| path.display().to_string());
        lines.push(format!("{target:<12}{runs:>12}{per_second:>10}{coverage:>10}  {finding}"));
    }
    println!("\n{}", lines.join("\n"));
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks on the pinned toolchain that the targets compile.
pub(crate) fn check(project: &Project) -> Result<()> {
    let sh = &project.sh;
    cmd!(sh, "cargo fmt --manifest-path fuzz/Cargo.toml --check").run()?;
    let target = project.target().join("fuzz/check");
    let check =
        cmd!(sh, "cargo check --manifest-path fuzz/Cargo.toml --locked --target-dir {target}");
    check.env("RUSTFLAGS", "--cfg fuzzing -D warnings").run()?;
    Ok(())
}

/// The names of the targets, in order.
fn targets(project: &Project) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(project.root.join("fuzz/targets"))? {
        let name = entry?.path().file_stem().context("a target has a name")?.to_owned();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Builds every target, and gives the folder that they are in.
fn build(project: &Project) -> Result<PathBuf> {
    let sh = &project.sh;
    let nightly = cmd!(sh, "rustup run nightly rustc -vV").quiet().ignore_stderr().read();
    let nightly = nightly.ok().context(
        "cargo-fuzz needs the nightly toolchain: run `rustup toolchain install nightly`",
    )?;
    let host = nightly.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc tells its host")?;
    let home = project.target().join("fuzz");
    let (tools, build) = (home.join("tools"), home.join("build"));
    if !tools.join("bin/cargo-fuzz").exists() {
        cmd!(sh, "cargo install cargo-fuzz --locked --version {VERSION} --root {tools}").run()?;
    }
    let mut path = tools.join("bin").into_os_string();
    path.push(":");
    path.push(sh.var_os("PATH").unwrap_or_default());
    // Without a sanitizer: `unsafe` is forbidden here, so twice the runs are worth more.
    let command = cmd!(
        sh,
        "rustup run nightly cargo fuzz build --fuzz-dir fuzz --sanitizer none --target-dir {build}"
    );
    command.env("PATH", path).env_remove("CARGO_TARGET_DIR").run()?;
    Ok(build.join(host).join("release"))
}

/// Runs one target. What it finds on the way to more coverage stays under `target/` for the next
/// time.
fn fuzz(
    project: &Project,
    program: &Path,
    home: &Path,
    target: &str,
    seconds: u32,
) -> Result<(Found, Option<PathBuf>)> {
    let (corpus, artifacts) =
        (home.join("corpus").join(target), home.join("artifacts").join(target));
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let before = files(&artifacts)?;
    let mut command = Command::new(program);
    command.arg(&corpus).arg(project.root.join("fuzz/seeds").join(target)).args([
        format!("-max_total_time={seconds}"),
        format!("-timeout={TIMEOUT}"),
        format!("-rss_limit_mb={MEMORY}"),
        format!("-artifact_prefix={}/", artifacts.display()),
        "-print_final_stats=1".to_owned(),
    ]);
    let words = project.root.join("fuzz/dictionaries").join(format!("{target}.dict"));
    if words.exists() {
        command.arg(format!("-dict={}", words.display()));
    }
    let output = command.output().with_context(|| program.display().to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let new = files(&artifacts)?.into_iter().find(|file| !before.contains(file));
    if output.status.success() && new.is_none() {
        println!("{}", said.lines().rfind(|line| line.contains("DONE")).unwrap_or_default());
    } else {
        println!("{said}");
        ensure!(new.is_some(), "{target} ended with {} and left no input", output.status);
    }
    Ok((found(&said), new))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

/// Parses the last line of progress of libFuzzer, and its statistics.
fn found(said: &str) -> Found {
    let number = |after: &str| {
        let at = said.rfind(after)? + after.len();
        let rest = said.get(at..)?.trim_start();
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    Found {
        runs: number("stat::number_of_executed_units:").unwrap_or_default(),
        per_second: number("stat::average_exec_per_sec:").unwrap_or_default(),
        coverage: number(" cov: ").unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_a_run_are_found_in_what_it_says() {
        let said = "#2\tINITED cov: 10 ft: 10 corp: 1/1b exec/s: 0 rss: 30Mb\n\
                    #99\tDONE   cov: 512 ft: 700 corp: 9/1Kb lim: 4096 exec/s: 49 rss: 31Mb\n\
                    stat::number_of_executed_units: 99\nstat::average_exec_per_sec:     49\n";
        assert_eq!(found(said), Found { runs: 99, per_second: 49, coverage: 512 });
        assert_eq!(found("nothing"), Found::default());
    }
}
