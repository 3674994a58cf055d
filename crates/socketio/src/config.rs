//! Limits and times of connections.
use std::time::Duration;

use quadrille_edge::ws;

/// Limits and times of the connections of one server.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Bytes of one message from a client, and of one polled body. A larger message closes the
    /// connection with 1009, a larger body is refused with 413.
    pub max_message_size: usize,
    /// Time until a connection without a namespace is closed.
    pub connect_timeout: Duration,
    /// Time between two pings.
    pub ping_interval: Duration,
    /// Time after a ping until a silent connection is closed.
    pub ping_timeout: Duration,
    /// Time until a connection that takes no data is closed with 3008; zero is never.
    pub write_timeout: Duration,
    /// Time for which a lost connection can be resumed; zero turns recovery off.
    pub recovery: Duration,
}

impl From<&Config> for ws::Config {
    fn from(config: &Config) -> Self {
        Self {
            max_message_size: config.max_message_size,
            ping_interval: config.ping_interval,
            ping_timeout: config.ping_timeout,
            write_timeout: config.write_timeout,
        }
    }
}
