//! Packages of Debian, for tests that need a program which cargo cannot build.
use std::{fs, os::unix::fs::MetadataExt};

use xshell::{Cmd, Shell, cmd};

/// Install a package, if this machine can have it.
pub(crate) fn install(sh: &Shell, package: &str) -> Option<()> {
    let run = |command: Cmd<'_>| {
        let command = command.env("DEBIAN_FRONTEND", "noninteractive");
        command.quiet().ignore_stdout().ignore_stderr().run().ok()
    };
    let install = || run(cmd!(sh, "apt-get install -y --no-install-recommends {package}"));
    if !is_root() {
        return None;
    }
    println!("installing {package}");
    // Images often come without the lists of packages.
    install().or_else(|| run(cmd!(sh, "apt-get update")).and_then(|()| install()))
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
