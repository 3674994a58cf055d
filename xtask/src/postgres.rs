//! A `PostgreSQL` server of the tests' own, for as long as they run.
use std::{
    fs,
    io::Read,
    net::TcpListener,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use xshell::{Cmd, Shell, cmd};

use crate::{
    debian::{self, is_root},
    project::Project,
};

/// User of Debian's package; the server refuses to run as root.
const USER: &str = "postgres";

/// The server; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Server {
    sh: Shell,
    programs: PathBuf,
    data: PathBuf,
    /// URL for a user with the right to create databases.
    pub(crate) url: String,
}

impl Server {
    /// Starts the server, and installs it first if need be. The error is the reason if there is
    /// none.
    pub(crate) fn start(project: &Project) -> Result<Self, String> {
        let sh = &project.sh;
        let programs = match find() {
            Some(programs) => programs,
            None => debian::install(sh, "postgresql")
                .and_then(|()| find())
                .ok_or("postgresql not found")?,
        };
        let home = project.target().join("postgres");
        Self::start_in(sh, programs, &home)
            .map_err(|err| format!("cannot start postgresql: {err:#}"))
    }

    fn start_in(sh: &Shell, programs: PathBuf, home: &Path) -> Result<Self> {
        let data = home.join("data");
        let mut server = Self { sh: sh.clone(), programs, data, url: String::new() };
        // Of a run that was killed.
        if server.data.join("postmaster.pid").exists() {
            server.stop();
        }
        if home.exists() {
            fs::remove_dir_all(home)?;
        }
        fs::create_dir_all(home)?;
        let password = password()?;
        let file = home.join("password");
        fs::write(&file, &password)?;
        if is_root() {
            cmd!(sh, "chown -R {USER} {home}").quiet().run()?;
        }
        let Self { data, .. } = &server;
        server
            .run("initdb")
            .args(["--username=quadrille", "--auth=scram-sha-256", "--encoding=UTF8"])
            .args(["--locale=C.UTF-8", "--no-sync"])
            .arg(format!("--pwfile={}", file.display()))
            .arg("-D")
            .arg(data)
            .ignore_stdout()
            .run()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let options = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off \
             -c max_connections=300"
        );
        let log = home.join("log");
        let start = server.run("pg_ctl").arg("-D").arg(data).arg("-l").arg(&log);
        let started = start.args(["-w", "-o", &options, "start"]).ignore_stdout().run();
        started.with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        server.url = format!("postgres://quadrille:{password}@127.0.0.1:{port}/postgres");
        Ok(server)
    }

    /// One of its programs, not as root.
    fn run(&self, program: &str) -> Cmd<'_> {
        let program = self.programs.join(program);
        let sh = &self.sh;
        let command = if is_root() {
            cmd!(sh, "runuser -u {USER} -- {program}")
        } else {
            cmd!(sh, "{program}")
        };
        command.quiet()
    }

    fn stop(&self) {
        let stop = self.run("pg_ctl").arg("-D").arg(&self.data).args(["-m", "immediate", "stop"]);
        if let Err(err) = stop.ignore_stdout().ignore_stderr().run() {
            println!("postgresql was not stopped: {err}");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.data.join("postmaster.pid").exists() {
            self.stop();
        }
    }
}

/// The directory of `initdb` and `pg_ctl`: on the path, or where Debian has it, the newest.
fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<_> = versions.map(|entry| entry.path()).collect();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    versions.sort_by_key(|path| std::cmp::Reverse(number(path)));
    let debian = versions.into_iter().map(|path| path.join("bin"));
    let has_both =
        |path: &PathBuf| ["initdb", "pg_ctl"].iter().all(|name| path.join(name).is_file());
    std::env::split_paths(&path).chain(debian).find(has_both)
}

/// Nobody else on this machine shall get in.
fn password() -> Result<String> {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}
