//! The gateway under test: the built binary, on a port of its own.
use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::{
    http::{self, Response},
    metrics::Metrics,
    process::{End, Process},
    scratch::Scratch,
};

#[derive(Debug)]
pub struct Gateway {
    process: Process,
    /// Where it says that it listens.
    ready: String,
    home: Scratch,
}

impl Gateway {
    /// Starts with these configuration keys, such as `("limits.connections", "2")`, and waits for
    /// the line that says it is ready.
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        let mut all = vec![("server.listen", r#"["127.0.0.1:0"]"#), ("log.level", "warn")];
        all.extend_from_slice(settings);
        Self::start_with(&["serve"], &all).await
    }

    /// Starts as [`start`](Self::start) does, where the folder `small` is a disk of so many bytes.
    pub async fn start_on_small_disk(bytes: u64, settings: &[(&str, &str)]) -> Self {
        let mount = format!("mount -t tmpfs -o size={bytes} none small");
        let script = format!("mkdir small && {mount} && exec \"$0\" serve");
        let binary = binary().display().to_string();
        let mut all = vec![("server.listen", r#"["127.0.0.1:0"]"#), ("log.level", "warn")];
        all.extend_from_slice(settings);
        let all: Vec<_> = all.iter().map(|(key, it)| (variable(key), (*it).to_owned())).collect();
        let home = Scratch::new();
        // Nobody else sees the disk, and it is gone with the process.
        let args = ["--map-root-user", "--mount", "sh", "-c", &script, &binary];
        let process = Process::start(Path::new("unshare"), &args, &all, home.path());
        Self::ready(process, home).await
    }

    /// Starts with a log that nobody reads, all of it: whoever writes to it waits for ever when the
    /// pipe is full.
    pub async fn start_with_log_unread(settings: &[(&str, &str)]) -> Self {
        let script = "mkfifo log && exec 3<>log && exec \"$0\" serve 2>log";
        let binary = binary().display().to_string();
        let mut all = vec![("server.listen", r#"["127.0.0.1:0"]"#), ("log.level", "trace")];
        all.extend_from_slice(settings);
        let all: Vec<_> = all.iter().map(|(key, it)| (variable(key), (*it).to_owned())).collect();
        let home = Scratch::new();
        let process = Process::start(Path::new("sh"), &["-c", script, &binary], &all, home.path());
        Self::ready(process, home).await
    }

    /// Starts with exactly these arguments and keys.
    pub async fn start_with(args: &[&str], settings: &[(&str, &str)]) -> Self {
        let home = Scratch::new();
        let process = Self::spawn(args, settings, home.path());
        Self::ready(process, home).await
    }

    async fn ready(mut process: Process, home: Scratch) -> Self {
        let ready = process.line("its ready line", |line| line.contains(" ready on ")).await;
        Self { process, ready, home }
    }

    /// Runs to its end: for starts that must fail, and for the commands that only print.
    pub async fn run(args: &[&str], settings: &[(&str, &str)]) -> End {
        let home = Scratch::new();
        Self::spawn(args, settings, home.path()).end().await
    }

    fn spawn(args: &[&str], settings: &[(&str, &str)], home: &Path) -> Process {
        let settings: Vec<_> =
            settings.iter().map(|(key, value)| (variable(key), (*value).to_owned())).collect();
        Process::start(&binary(), args, &settings, home)
    }

    pub fn address(&self) -> SocketAddr {
        self.address_of("http://")
    }

    /// The first listener of this scheme, such as `https://`.
    pub fn address_of(&self, scheme: &str) -> SocketAddr {
        let ready = &self.ready;
        address(ready, scheme).unwrap_or_else(|| panic!("no {scheme} address in {ready:?}"))
    }

    /// All listeners over TCP without TLS.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let urls = self.ready.split("http://").skip(1);
        urls.filter_map(|it| address(&format!("http://{it}"), "http://")).collect()
    }

    /// The folder that it was started in, and where it keeps what it keeps.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn stdout(&self) -> Vec<String> {
        self.process.stdout()
    }

    pub fn stderr(&self) -> Vec<String> {
        self.process.stderr()
    }

    pub async fn get(&self, path: &str) -> Response {
        http::get(self.address(), path, &[]).await.expect("the gateway answers")
    }

    pub async fn metrics(&self) -> Metrics {
        Metrics::parse(&self.get("/metrics").await.body)
    }

    pub async fn signal(&self, name: &str) {
        self.process.signal(name).await;
    }

    pub async fn wait(&mut self) -> End {
        self.process.end().await
    }

    /// Stops it as an operator would, and gives what it said.
    pub async fn stop(mut self) -> End {
        self.signal("TERM").await;
        self.wait().await
    }

    /// Resident memory, from the kernel.
    pub fn rss_kib(&self) -> u64 {
        self.memory_kib("VmRSS:")
    }

    /// The most that there ever was of it.
    pub fn peak_kib(&self) -> u64 {
        self.memory_kib("VmHWM:")
    }

    fn memory_kib(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = fs::read_to_string(path).expect("the gateway runs on Linux");
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        number.unwrap_or_else(|| panic!("the kernel does not tell {name}"))
    }
}

/// The environment variable of a configuration key.
pub fn variable(key: &str) -> String {
    format!("QUADRILLE_{}", key.to_uppercase().replace('.', "__"))
}

/// The first address of this scheme in the ready line.
fn address(ready: &str, scheme: &str) -> Option<SocketAddr> {
    let (_, rest) = ready.split_once(scheme)?;
    let end = rest.find(|c: char| c.is_whitespace() || c == '/' || c == ',');
    end.map_or(rest, |end| rest.split_at(end).0).parse().ok()
}

/// `QUADRILLE_BIN`, or the binary that cargo put beside the test's own.
fn binary() -> PathBuf {
    if let Some(given) = env::var_os("QUADRILLE_BIN") {
        return given.into();
    }
    let test = env::current_exe().expect("the test knows its own path");
    let profile = test.parent().and_then(Path::parent).expect("target/PROFILE/deps/TEST");
    let binary = profile.join("quadrille");
    let there = binary.exists();
    let build = "cargo build -p quadrille --features otel";
    assert!(there, "{} is missing: run `{build}` first", binary.display());
    binary
}
