//! Upper bound on the memory that a configuration allows.
//!
//! Each part is the worst case, all at the same time. The size of one item (a session, a log, a row of
//! a table) is measured and rounded up; counts and bounds come from the configuration.
use std::fmt;

use super::Config;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The idle process: code, runtime, threads, and memory that the allocator keeps free.
const BASE: u64 = 96 * MIB;

/// A log without records, and its entry among the topics.
const TOPIC: u64 = KIB;

/// A session: its task and subscriptions, the part of a message that is not counted elsewhere, and one
/// pending write.
const SESSION: u64 = 8 * KIB + 8 * KIB + 72 * KIB;

/// Buffers of TLS records in both directions.
const TLS: u64 = 72 * KIB;

/// An HTTP connection: a head, the part of a body that is not counted elsewhere, one write, and a chunk
/// of a file on its way in or out.
const CONNECTION: u64 = 64 * KIB + 8 * KIB + 72 * KIB + 512 * KIB;

/// One part, and its upper bound in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemoryPart {
    pub(crate) name: &'static str,
    pub(crate) bytes: u64,
}

/// The upper bound, by part.
#[derive(Debug)]
pub(crate) struct MemoryBound(pub(crate) Vec<MemoryPart>);

impl MemoryBound {
    pub(crate) fn of(config: &Config) -> Self {
        let limits = &config.limits;
        let tls = config.server.listen.iter().any(super::ListenAddress::is_tls);
        let session = SESSION + if tls { TLS } else { 0 };
        let connection = CONNECTION + upload(config);
        let mut parts = vec![
            MemoryPart::new("the process", 1, BASE),
            MemoryPart::new("logs", limits.log_bytes, 1),
            MemoryPart::new("topics", limits.topics, TOPIC),
            MemoryPart::new("sessions", limits.connections, session),
            MemoryPart::new("HTTP connections", limits.http_connections, connection),
            MemoryPart::new("incoming messages", limits.input_bytes, 1),
            MemoryPart::new("outgoing responses", limits.output_bytes, 1),
            MemoryPart::new("rates and keys", 1, 128 * MIB),
        ];
        parts.extend(turns(config));
        parts.extend(storage(config));
        Self(parts)
    }

    /// Sum of all parts.
    pub(crate) fn sum(&self) -> u64 {
        self.0.iter().fold(0, |sum, part| sum.saturating_add(part.bytes))
    }
}

impl MemoryPart {
    fn new(name: &'static str, count: usize, each: u64) -> Self {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        Self { name, bytes: count.saturating_mul(each) }
    }
}

/// Formats the line of `check-config`.
impl fmt::Display for MemoryBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes.div_ceil(MIB);
        write!(f, "memory at the worst: {} MiB (", mib(self.sum()))?;
        for (n, MemoryPart { name, bytes }) in self.0.iter().enumerate() {
            write!(f, "{}{name} {}", if n > 0 { ", " } else { "" }, mib(*bytes))?;
        }
        write!(f, ")")
    }
}

/// Questions, and the replies to them.
#[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
fn turns(config: &Config) -> Vec<MemoryPart> {
    /// Copies of a reply in progress: the bytes read, its text, and its last record.
    const REPLY: u64 = 3;
    let agents = &config.agents;
    let longest = agents.named.values().map(|agent| agent.max_reply).max().unwrap_or_default();
    let reply = u64::try_from(longest).unwrap_or(u64::MAX).saturating_mul(REPLY);
    vec![
        MemoryPart::new("questions", quadrille_agents::QUESTION_BYTES, 1),
        MemoryPart::new("replies", agents.max_running, reply),
        MemoryPart::new("ended turns", agents.kept_bytes, 1),
    ]
}

#[cfg(not(any(feature = "relay", feature = "rooms", feature = "workflows")))]
fn turns(_: &Config) -> Vec<MemoryPart> {
    Vec::new()
}

/// The database, work on tables, and connections that may be recovered.
#[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
fn storage(config: &Config) -> Vec<MemoryPart> {
    // Each reads a page of a list, and SQLite caches 2 MiB of pages for it.
    let connections = usize::try_from(config.store.max_connections).unwrap_or(usize::MAX);
    let database = MemoryPart::new("database", connections.saturating_add(1), 8 * MIB);
    #[cfg(feature = "rooms")]
    let recovery = (!config.rooms.recovery.is_zero())
        .then(|| MemoryPart::new("lost connections", quadrille_rooms::RECOVERY_BYTES, 1));
    #[cfg(not(feature = "rooms"))]
    let recovery = None;
    #[cfg(feature = "workflows")]
    let tables = Some(MemoryPart::new("tables", config.workflows.memory(), 1));
    #[cfg(not(feature = "workflows"))]
    let tables = None;
    [Some(database), recovery, tables].into_iter().flatten().collect()
}

#[cfg(not(any(feature = "relay", feature = "rooms", feature = "workflows")))]
fn storage(_: &Config) -> Vec<MemoryPart> {
    Vec::new()
}

/// Memory of an upload besides.
#[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
fn upload(config: &Config) -> u64 {
    /// Smallest part of a multipart upload to a bucket.
    const BUCKET: u64 = 5 * MIB;
    if config.files.url.starts_with("file:") { 0 } else { BUCKET }
}

#[cfg(not(any(feature = "relay", feature = "rooms", feature = "workflows")))]
fn upload(_: &Config) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_all_parts_and_grows_with_each_key() {
        let mut config = Config::default();
        let before = MemoryBound::of(&config);
        assert_eq!(before.sum(), before.0.iter().map(|part| part.bytes).sum::<u64>());
        assert!(before.to_string().contains("logs 1024, "), "{before}");
        config.limits.log_bytes += 3 << 20;
        config.limits.connections += 1024;
        let grown = MemoryBound::of(&config).sum() - before.sum();
        assert_eq!(grown, 3 * MIB + 1024 * SESSION);
        config.limits.output_bytes = usize::MAX;
        assert_eq!(MemoryBound::of(&config).sum(), u64::MAX, "it does not overflow");
    }
}
