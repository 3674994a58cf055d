//! A child process whose output is kept line by line and whose end can be awaited.
use std::{path::Path, process::Stdio, thread};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader},
    process::{Child, Command},
    sync::watch,
    task::JoinSet,
};

use crate::patience::within;

#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdout: watch::Receiver<Vec<String>>,
    stderr: watch::Receiver<Vec<String>>,
    readers: JoinSet<()>,
}

/// How a process ended, and what it said.
#[derive(Debug, PartialEq, Eq)]
pub struct End {
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    pub stdout: Vec<String>,
    pub stderr: Vec<String>,
}

impl Process {
    /// Starts `program` in `directory` with no environment but `PATH` and what is given.
    pub fn start(
        program: &Path,
        args: &[&str],
        env: &[(String, String)],
        directory: &Path,
    ) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut child = Command::new(program)
            .args(args)
            .env_clear()
            .env("PATH", path)
            .envs(env.iter().map(|(key, value)| (key, value)))
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {}: {e}", program.display()));
        let mut readers = JoinSet::new();
        let stdout = lines(child.stdout.take().expect("piped"), &mut readers);
        let stderr = lines(child.stderr.take().expect("piped"), &mut readers);
        Self { name: program.display().to_string(), child, stdout, stderr, readers }
    }

    pub fn id(&self) -> u32 {
        self.child.id().expect("the process has not been waited for")
    }

    /// The first line on standard output that `wanted` accepts.
    pub async fn line(&mut self, what: &str, mut wanted: impl FnMut(&str) -> bool) -> String {
        let found = within(what, async {
            let mut stdout = self.stdout.clone();
            let seen = stdout.wait_for(|all| all.iter().any(|line| wanted(line))).await;
            seen.ok().and_then(|all| all.iter().find(|line| wanted(line)).cloned())
        });
        if let Some(line) = found.await {
            return line;
        }
        let end = self.end().await;
        panic!("{} ended without {what}: {end:#?}", self.name)
    }

    /// The first line on standard output from number `from` on that begins so, and the number of the
    /// next.
    pub async fn line_from(&mut self, from: usize, begin: &str) -> (String, usize) {
        let is_it = |(_, line): &(usize, &String)| line.starts_with(begin);
        let what = format!("a line that begins with {begin:?}");
        let found = within(&what, async {
            let mut stdout = self.stdout.clone();
            let seen =
                stdout.wait_for(|all| all.iter().enumerate().skip(from).any(|it| is_it(&it)));
            let all = seen.await.ok()?;
            let (at, line) = all.iter().enumerate().skip(from).find(is_it)?;
            Some((line.clone(), at + 1))
        });
        if let Some(found) = found.await {
            return found;
        }
        let end = self.end().await;
        panic!("{} ended without {what}: {end:#?}", self.name)
    }

    /// Writes a line to its standard input.
    pub async fn tell(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("it has not been waited for");
        let written = stdin.write_all(format!("{line}\n").as_bytes()).await;
        written.unwrap_or_else(|why| panic!("{} takes no input: {why}", self.name));
    }

    pub fn stdout(&self) -> Vec<String> {
        self.stdout.borrow().clone()
    }

    pub fn stderr(&self) -> Vec<String> {
        self.stderr.borrow().clone()
    }

    /// Sends a signal by name, such as `TERM`.
    pub async fn signal(&self, name: &str) {
        let script = format!("kill -{name} {}", self.id());
        let status = Command::new("sh").args(["-c", &script]).status().await.expect("sh runs");
        assert!(status.success(), "`{script}` failed");
    }

    /// Waits for the process to end by itself. Its standard input ends now.
    pub async fn end(&mut self) -> End {
        let what = format!("the end of {}", self.name);
        let status = within(&what, self.child.wait()).await.expect("it can be waited for");
        within(&what, async { while self.readers.join_next().await.is_some() {} }).await;
        End { code: status.code(), stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "the test runner shows it with the failure")]
    fn drop(&mut self) {
        if thread::panicking() {
            let (said, logged) = (ending(&self.stdout()), ending(&self.stderr()));
            eprintln!("--- {}: standard output\n{said}--- standard error\n{logged}---", self.name);
        }
    }
}

/// The last lines, and of each the beginning.
fn ending(lines: &[String]) -> String {
    let last = lines.iter().skip(lines.len().saturating_sub(30));
    last.map(|line| line.chars().take(200).chain(['\n']).collect::<String>()).collect()
}

fn lines(
    from: impl AsyncRead + Unpin + Send + 'static,
    readers: &mut JoinSet<()>,
) -> watch::Receiver<Vec<String>> {
    let (keep, kept) = watch::channel(Vec::new());
    readers.spawn(async move {
        let mut from = BufReader::new(from).lines();
        while let Ok(Some(line)) = from.next_line().await {
            keep.send_modify(|all| all.push(line));
        }
    });
    kept
}
