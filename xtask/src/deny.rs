//! Licences, versions, sources and advisories of all dependencies, by cargo-deny and `deny.toml`.
use std::process::ExitCode;

use anyhow::{Error, Result};
use xshell::cmd;

use crate::{clients, project::Project};

pub(crate) fn run(project: &Project) -> Result<ExitCode> {
    check(project)?;
    Ok(ExitCode::SUCCESS)
}

/// Says so if the database of advisories cannot be fetched, and passes without it.
pub(crate) fn check(project: &Project) -> Result<()> {
    let sh = &project.sh;
    let deny = clients::cargo_deny(project).map_err(Error::msg)?;
    cmd!(sh, "{deny} --locked check --deny warnings bans licenses sources").run()?;
    if cmd!(sh, "{deny} fetch db").quiet().ignore_stderr().run().is_err() {
        println!("advisories were not checked: their database cannot be fetched");
        return Ok(());
    }
    cmd!(sh, "{deny} --locked check --deny warnings advisories").run()?;
    Ok(())
}
