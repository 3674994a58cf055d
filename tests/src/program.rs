//! Clients in other languages: a script, its interpreter, and what it printed.
use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::{
    Gateway,
    process::{End, Process},
    scratch::Scratch,
};

#[derive(Debug)]
pub struct Program {
    process: Process,
    _home: Scratch,
}

impl Program {
    /// Runs `script` (under `tests/clients/`) with the gateway's WebSocket address as its first
    /// argument.
    pub fn start(
        interpreter: &Path,
        script: &str,
        gateway: &Gateway,
        args: &[&str],
        env: &[(String, String)],
    ) -> Self {
        let url = format!("ws://{}/ws", gateway.address());
        Self::start_with(interpreter, script, &[&[&*url], args].concat(), env)
    }

    /// Runs `script` with these arguments alone.
    pub fn start_with(
        interpreter: &Path,
        script: &str,
        args: &[&str],
        env: &[(String, String)],
    ) -> Self {
        let script = clients().join(script).display().to_string();
        let all = [&[&*script], args].concat();
        let home = Scratch::new();
        Self { process: Process::start(interpreter, &all, env, home.path()), _home: home }
    }

    /// Waits until the script has printed this line.
    pub async fn said(&mut self, line: &str) {
        self.process.line(&format!("the line {line:?}"), |said| said == line).await;
    }

    /// Waits until the script has printed a line with this in it.
    pub async fn said_of(&mut self, part: &str) {
        self.process.line(&format!("a line with {part:?}"), |said| said.contains(part)).await;
    }

    /// See [`Process::line_from`].
    pub async fn line_from(&mut self, from: usize, begin: &str) -> (String, usize) {
        self.process.line_from(from, begin).await
    }

    /// Writes a line to its standard input.
    pub async fn tell(&mut self, line: &str) {
        self.process.tell(line).await;
    }

    pub async fn signal(&self, name: &str) {
        self.process.signal(name).await;
    }

    pub async fn end(mut self) -> End {
        self.process.end().await
    }

    /// Waits for a good end, and gives the lines it printed.
    pub async fn lines(self) -> Vec<String> {
        let end = self.end().await;
        assert_eq!(end.code, Some(0), "{end:#?}");
        end.stdout
    }
}

/// `tests/clients`.
pub fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// A path that `cargo xtask test` prepares and hands over in an environment variable.
pub fn prepared(variable: &str) -> OsString {
    env::var_os(variable).unwrap_or_else(|| {
        panic!("{variable} is not set: run `cargo xtask test python node`, which prepares it")
    })
}
