//! `cargo xtask tidy`: the rules of the house that neither the compiler nor clippy knows.
mod codes;
mod config;
mod features;
mod graph;
mod markers;
mod names;
mod shape;
mod tree;

use std::{fmt, process::ExitCode};

use anyhow::{Result, ensure};

use crate::project::Project;

/// Where a rule is broken, how, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    path: String,
    line: usize,
    what: String,
}

impl Violation {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

pub(crate) fn run(project: &Project) -> Result<ExitCode> {
    check(project)?;
    println!("tidy");
    Ok(ExitCode::SUCCESS)
}

/// Prints every violation, and fails if there is one.
pub(crate) fn check(project: &Project) -> Result<()> {
    let tree = tree::read(&project.root)?;
    let mut violations = Vec::new();
    violations.extend(shape::check(&tree));
    violations.extend(names::check(&tree));
    violations.extend(markers::check(&tree));
    violations.extend(features::check(&tree));
    violations.extend(codes::check(&tree));
    violations.extend(graph::check(&tree, project.packages()));
    violations.extend(config::check(project, &tree)?);
    for violation in &violations {
        println!("{violation}");
    }
    ensure!(violations.is_empty(), "broken house rules: {}", violations.len());
    Ok(())
}
