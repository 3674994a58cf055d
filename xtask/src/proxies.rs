//! The proxies that people put in front of the gateway, as Debian has them.
use std::path::PathBuf;

use xshell::Shell;

use crate::{debian, project::Project};

/// Finds each for the tests, and installs it first if need be. The error is the reason if one is
/// missing.
pub(crate) fn find(project: &Project) -> Result<Vec<(&'static str, String)>, String> {
    let programs = [("nginx", "QUADRILLE_TEST_NGINX"), ("haproxy", "QUADRILLE_TEST_HAPROXY")];
    let found = programs.map(|(name, variable)| {
        let path = program(&project.sh, name).ok_or_else(|| format!("{name} not found"))?;
        Ok((variable, path.display().to_string()))
    });
    found.into_iter().collect()
}

fn program(sh: &Shell, name: &str) -> Option<PathBuf> {
    on_the_path(name).or_else(|| debian::install(sh, name).and_then(|()| on_the_path(name)))
}

/// On the path, or where programs are that need not be on the path of everybody.
fn on_the_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders.map(|path| path.join(name)).find(|path| path.is_file())
}
