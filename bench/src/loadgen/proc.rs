//! CPU time and resident memory of the server under test, out of `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// One clock tick of `/proc/PID/stat`. `USER_HZ` is 100 on every Linux this is built for.
const TICK: Duration = Duration::from_millis(10);

/// The processes of one server: one, or a master and its workers.
#[derive(Debug, Clone)]
pub(crate) struct Server(pub(crate) Vec<u32>);

impl Server {
    /// User and system time of all threads so far, including threads that have ended.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        self.0.iter().map(|pid| cpu(&pid.to_string())).sum()
    }

    pub(crate) fn resident_kib(&self) -> Result<u64> {
        self.0.iter().map(|&pid| resident_kib(pid)).sum()
    }

    /// Resets `peak_kib` to the memory that is resident now.
    pub(crate) fn forget_peak(&self) -> Result<()> {
        // See proc_pid_clear_refs(5).
        let forget = |pid| fs::write(format!("/proc/{pid}/clear_refs"), "5");
        self.0.iter().try_for_each(forget).context("cannot reset the peak of the server's memory")
    }

    /// The most that was resident since, exact to a few pages for each thread.
    pub(crate) fn peak_kib(&self) -> Result<u64> {
        self.0.iter().map(|&pid| status(pid, "VmHWM:")).sum()
    }
}

/// The load generator's own CPU time.
pub(crate) fn own_cpu() -> Result<Duration> {
    cpu("self")
}

fn cpu(pid: &str) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path)
        .with_context(|| format!("cannot read {path}: the server is not running"))?;
    match ticks(&stat) {
        Some(ticks) => Ok(TICK * ticks),
        None => bail!("{path} tells of no running process: {}", stat.trim_end()),
    }
}

/// `utime + stime`; `None` for a process that has ended and waits to be collected.
fn ticks(stat: &str) -> Option<u32> {
    // The second field is the program's name in parentheses, and may hold anything.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let user: u32 = fields.nth(10)?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

/// `Rss` of `smaps_rollup`, which is exact; where that may not be read, `VmRSS`, which is not.
fn resident_kib(pid: u32) -> Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
    if let Some(kib) = rollup.ok().as_deref().and_then(|text| field(text, "Rss:")) {
        return Ok(kib);
    }
    status(pid, "VmRSS:")
}

fn status(pid: u32, name: &str) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path)
        .with_context(|| format!("cannot read {path}: the server is not running"))?;
    field(&status, name).with_context(|| format!("{path} has no {name}"))
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ticks_are_found_behind_a_hostile_name() {
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 3 0";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks(&stat.replace(") S", ") Z")), None);
    }

    #[test]
    fn a_field_is_found_by_its_name() {
        let text = "VmSize:\t 99 kB\nVmRSS:\t   1234 kB\n";
        assert_eq!(field(text, "VmRSS:"), Some(1234));
        assert_eq!(field(text, "Rss:"), None);
    }

    #[test]
    fn this_process_can_be_read() {
        let server = Server(vec![std::process::id()]);
        assert!(server.resident_kib().unwrap() > 0);
        server.forget_peak().unwrap();
        let before = server.peak_kib().unwrap();
        let block = vec![1_u8; 64 << 20];
        assert!(!std::hint::black_box(block).is_empty());
        assert!(server.peak_kib().unwrap() >= before + (60 << 10));
        assert!(server.cpu().is_ok() && own_cpu().is_ok());
    }
}
