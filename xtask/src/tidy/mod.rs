//! `cargo xtask tidy`: the rules of the house that neither the compiler nor clippy knows.
mod bindings;
mod circles;
mod codes;
mod comments;
mod config;
mod features;
mod graph;
mod markers;
mod names;
mod shape;
mod syntax;
mod tree;
mod types;

use std::{fmt, process::ExitCode};

use anyhow::{Result, ensure};

use self::tree::Source;
use crate::project::Project;

/// Place where a rule is broken, and how to mend it.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    path: String,
    line: usize,
    message: String,
}

impl Violation {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
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
    let mut violations = sources(project, &tree)?;
    violations.extend(config::check(project, &tree)?);
    for violation in &violations {
        println!("{violation}");
    }
    ensure!(violations.is_empty(), "broken house rules: {}", violations.len());
    Ok(())
}

/// The rules for which nothing is built.
fn sources(project: &Project, tree: &[Source]) -> Result<Vec<Violation>> {
    let crates = syntax::crates(tree)?;
    let mut violations = Vec::new();
    violations.extend(shape::check(tree));
    violations.extend(names::check(tree));
    violations.extend(markers::check(tree));
    violations.extend(features::check(tree));
    violations.extend(codes::check(tree));
    violations.extend(graph::check(tree, project.packages()));
    violations.extend(circles::check(&crates));
    violations.extend(types::check(&crates));
    violations.extend(comments::check(tree));
    violations.extend(bindings::check(&crates));
    Ok(violations)
}
