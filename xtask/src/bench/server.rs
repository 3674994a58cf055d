//! The gateway that is measured: a process on a free port of this machine.
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};

#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pub(super) address: String,
}

impl Server {
    /// Waits until it says where it listens. It finds no configuration file in `directory`.
    pub(super) fn start(binary: &Path, directory: &Path) -> Result<Self> {
        let mut child = Command::new(binary)
            .current_dir(directory)
            .env("QUADRILLE_SERVER__LISTEN", "127.0.0.1:0")
            .env("QUADRILLE_LOG__LEVEL", "error")
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| binary.display().to_string())?;
        let mut ready = String::new();
        let stdout = child.stdout.take().context("it is piped")?;
        BufReader::new(stdout).read_line(&mut ready)?;
        let address = address(&ready).with_context(|| format!("no address in {ready:?}"))?;
        Ok(Self { address: address.to_owned(), child })
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
    let (_, rest) = ready.split_once("http://")?;
    rest.split([' ', ',', '/', '\n']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_the_ready_line() {
        let ready = "quadrille 0.1.0 ready on http://127.0.0.1:4711, http://[::1]:1 (open)\n";
        assert_eq!((address(ready), address("error\n")), (Some("127.0.0.1:4711"), None));
    }
}
