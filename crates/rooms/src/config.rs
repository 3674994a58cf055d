//! Section `rooms` of the configuration.
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Name of this protocol in configuration, logs and metrics.
pub const NAME: &str = "rooms";

/// Paths that nothing else can have, nor anything below them.
pub const PATHS: &[&str] =
    &["/socket.io", "/conversations", "/messages", "/chat/stream", "/files", "/health"];

/// Section `rooms` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Clients that may connect without a token.
    pub guests: Guests,
    /// Rooms and topics of one connection, at most.
    pub max_rooms: usize,
    /// Bytes of one message from a client, and of one body while it polls. A larger message closes
    /// the connection with 1009, a larger body is refused with 413.
    pub max_message_size: usize,
    /// Time until a connection that sends no CONNECT is closed.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// Time between two pings.
    #[serde(with = "humantime_serde")]
    pub ping_interval: Duration,
    /// Time after a ping until a silent connection is closed.
    #[serde(with = "humantime_serde")]
    pub ping_timeout: Duration,
    /// Time until a connection that takes no data is closed with 3008; zero is never.
    #[serde(with = "humantime_serde")]
    pub write_timeout: Duration,
    /// Time for which a client that lost its connection can resume it as the same socket; zero
    /// turns this off. Otherwise each event that shows a record has one argument more.
    #[serde(with = "humantime_serde")]
    pub recovery: Duration,
}

/// Clients that may connect without a token. Guests use named rooms, and no conversations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guests {
    /// All of them in open mode, and none otherwise.
    #[default]
    Open,
    /// All of them.
    Always,
    /// None of them.
    Never,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            guests: Guests::default(),
            max_rooms: 1000,
            max_message_size: 1_000_000,
            connect_timeout: Duration::from_secs(45),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            write_timeout: Duration::from_secs(30),
            recovery: Duration::ZERO,
        }
    }
}

impl From<&Config> for quadrille_socketio::Config {
    fn from(config: &Config) -> Self {
        Self {
            max_message_size: config.max_message_size,
            connect_timeout: config.connect_timeout,
            ping_interval: config.ping_interval,
            ping_timeout: config.ping_timeout,
            write_timeout: config.write_timeout,
            recovery: config.recovery,
        }
    }
}
