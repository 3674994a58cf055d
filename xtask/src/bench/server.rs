//! The server under test: a process on a free port of this machine.
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pub(super) address: String,
    /// From the start of the process to the line that says it is ready.
    pub(super) took: Duration,
}

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Gateway,
    /// A server that does the same with axum's WebSocket, by the name of its write path.
    Peer(&'static str),
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "quadrille",
            Self::Peer(name) => name,
        }
    }

    pub(super) fn binary(self, target: &Path) -> PathBuf {
        match self {
            Self::Gateway => target.join("release/quadrille"),
            Self::Peer(_) => target.join("release/peer"),
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Gateway => &[],
            Self::Peer("axum-flush") => &["axum-flush", "--addr", "127.0.0.1:0"],
            Self::Peer(_) => &["axum-feed", "--addr", "127.0.0.1:0"],
        }
    }
}

impl Server {
    /// Starts it in `target`, without a configuration file.
    pub(super) fn start(kind: Kind, target: &Path) -> Result<Self> {
        Self::launch(
            Command::new(kind.binary(target))
                .args(kind.arguments())
                .current_dir(target)
                .env("QUADRILLE_SERVER__LISTEN", "127.0.0.1:0")
                .env("QUADRILLE_LOG__LEVEL", "error"),
        )
    }

    /// Waits until it says where it listens.
    pub(super) fn launch(command: &mut Command) -> Result<Self> {
        let begin = Instant::now();
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| command.get_program().display().to_string())?;
        let mut ready = String::new();
        let stdout = child.stdout.take().context("it is piped")?;
        BufReader::new(stdout).read_line(&mut ready)?;
        let took = begin.elapsed();
        let address = address(&ready).with_context(|| format!("no address in {ready:?}"))?;
        Ok(Self { address: address.to_owned(), child, took })
    }

    /// Resident memory, in KiB.
    pub(super) fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.context("no VmRSS in /proc")?.parse()?)
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn address(ready: &str) -> Option<&str> {
    let rest = ready.split_once("http://").or_else(|| ready.split_once("listening on "))?.1;
    rest.split([' ', ',', '/', '\n']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_the_ready_line() {
        let ready = "quadrille 0.1.0 ready on http://127.0.0.1:4711, http://[::1]:1 (open)\n";
        assert_eq!((address(ready), address("error\n")), (Some("127.0.0.1:4711"), None));
        assert_eq!(address("listening on 127.0.0.1:4711\n"), Some("127.0.0.1:4711"));
    }
}
