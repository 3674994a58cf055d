//! Section `limits` of the configuration.
use serde::{Deserialize, Serialize};

/// How many may be connected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Sessions of every protocol together.
    pub connections: usize,
    /// Sessions from one address, or 2⁶⁴ of IPv6, and as many HTTP connections besides; 0 is no
    /// limit.
    pub connections_per_ip: usize,
    /// HTTP connections that are no sessions.
    pub http_connections: usize,
    /// Topics held at once, in every namespace together. The longest idle ones make room for a new
    /// one; when all are in use, it is refused.
    pub topics: usize,
    /// Bytes of messages and bodies that are being received, of all clients together.
    pub input_bytes: usize,
    /// Bytes of answers and records that clients have yet to take, of all clients together.
    pub output_bytes: usize,
    /// Bytes held in all logs together, with every encoded form of their records and the backlogs
    /// copied for slow readers. From three quarters of it on, idle logs are dropped, the longest
    /// idle first; above it, a log keeps only its newest record, and the largest logs not even that.
    pub log_bytes: usize,
    /// Part of every shared pool that one signed-in user may hold, above 0 and at most 1.
    pub user_share: f64,
    /// Part that one address may hold where nobody signs in; 0 is no limit.
    pub address_share: f64,
    /// Part that all clients together may hold that have shown no token where one is needed.
    pub stranger_share: f64,
    /// Requests over HTTP of one user or address; 0 is no limit, as in the two that follow.
    pub requests_per_second: u32,
    /// Records that one user or address publishes, over every protocol together.
    pub publishes_per_second: u32,
    /// Messages of one user or address on any WebSocket, whatever they say.
    pub frames_per_second: u32,
    /// Forged tokens from one address, before it may show no other for a while; 0 is no limit.
    pub bad_tokens_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            connections_per_ip: 0,
            http_connections: 2048,
            topics: 100_000,
            input_bytes: 256 << 20,
            output_bytes: 256 << 20,
            log_bytes: 1 << 30,
            user_share: 0.25,
            address_share: 0.0,
            stranger_share: 0.0625,
            requests_per_second: 0,
            publishes_per_second: 0,
            frames_per_second: 0,
            bad_tokens_per_minute: 60,
        }
    }
}
