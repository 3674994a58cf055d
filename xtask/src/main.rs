//! The project's chores: `cargo xtask COMMAND`.
#![expect(clippy::print_stdout, reason = "a command line tool speaks on standard output")]

mod bench;
mod ci;
mod clients;
mod debian;
mod deny;
mod fuzz;
mod libtest;
mod postgres;
mod project;
mod proxies;
mod ring;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::{bench::Bench, project::Project, ring::Ring};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The project's chores")]
enum Command {
    /// Run the tests, ring by ring, and sum them up.
    Test {
        /// The rings to run; all of them if none is named.
        rings: Vec<Ring>,
    },
    /// Run the rings that drive the built gateway: blackbox, python and node.
    E2e,
    /// Everything that must hold before a change is merged.
    Ci,
    /// Check the rules of the house that neither the compiler nor clippy knows.
    Tidy,
    /// Check licences, versions, sources and advisories of all dependencies.
    Deny,
    /// Feed random input to the parsers. Needs the nightly toolchain.
    Fuzz {
        /// One of fuzz/targets; all of them, one after the other, if none is named.
        target: Option<String>,
        /// How long each is run.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Measure the binary of `cargo run --release` on this machine.
    Bench {
        #[arg(default_value = "all")]
        bench: Bench,
    },
}

fn main() -> Result<ExitCode> {
    let project = Project::open()?;
    match Command::parse() {
        Command::Test { rings } if rings.is_empty() => test::run(&project, &Ring::ALL),
        Command::Test { rings } => test::run(&project, &rings),
        Command::E2e => test::run(&project, &Ring::CLIENTS),
        Command::Ci => ci::run(&project),
        Command::Tidy => tidy::run(&project),
        Command::Deny => deny::run(&project),
        Command::Fuzz { target, seconds } => fuzz::run(&project, target.as_deref(), seconds),
        Command::Bench { bench } => bench::run(&project, bench),
    }
}
