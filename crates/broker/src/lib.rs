//! Channel publish and subscribe over a raw WebSocket; the protocol is in
//! `docs/protocol/broker.md`.
mod command;
mod error;
mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod identity;
mod socket;
mod state;
mod turns;
mod wire;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{self, Request},
    response::Response,
    routing::any,
};
use quadrille_core::Topic;
use quadrille_edge::{Core, ws};
use serde::{Deserialize, Serialize};

use crate::{socket::Connection, state::State, turns::TurnTexts};

/// The name of this protocol in configuration, logs and metrics.
pub const NAME: &str = "broker";

/// Section `broker` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Path of the WebSocket.
    pub path: String,
    /// Subscriptions of one connection, at most. One more is refused with `too_many_channels`.
    pub max_channels: usize,
    /// Bytes of a channel name, at most 240.
    pub max_channel_length: usize,
    /// Bytes of one message from a client. A larger one closes the connection with 1009.
    pub max_message_size: usize,
    /// Time between pings; zero disables them.
    #[serde(with = "humantime_serde")]
    pub ping_interval: Duration,
    /// Time after a ping within which something must come from the client. Otherwise the connection
    /// is closed with 3012.
    #[serde(with = "humantime_serde")]
    pub ping_timeout: Duration,
    /// Time for which a client may take no data while there is some. After that the connection is
    /// closed with 3008; zero is no limit.
    #[serde(with = "humantime_serde")]
    pub write_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: "/ws".to_owned(),
            max_channels: 1000,
            max_channel_length: 200,
            max_message_size: 1 << 20,
            ping_interval: Duration::from_secs(30),
            ping_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
        }
    }
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

/// An invalid configuration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{}: {}", self.key(), self.expected())]
pub enum StartError {
    Path,
    ChannelLength,
}

impl StartError {
    /// The key of the configuration.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Path => "broker.path",
            Self::ChannelLength => "broker.max_channel_length",
        }
    }

    /// The expectation that the value does not meet.
    pub fn expected(&self) -> String {
        match self {
            Self::Path => {
                "expected an absolute path such as /ws, without any of {}*:?# and spaces".to_owned()
            }
            Self::ChannelLength => format!("expected 1 to {}", Config::CHANNEL_MAX),
        }
    }
}

impl Config {
    /// Upper bound on a channel name, in bytes: a topic has its namespace, too.
    const CHANNEL_MAX: usize = Topic::MAX - 15;

    /// Fails if the path is no plain absolute one, or the length of channels is out of bounds.
    pub fn check(&self) -> Result<(), StartError> {
        if !self.path.starts_with('/') || self.path.contains(['{', '}', '*', ':', '?', '#', ' ']) {
            return Err(StartError::Path);
        }
        if !(1..=Self::CHANNEL_MAX).contains(&self.max_channel_length) {
            return Err(StartError::ChannelLength);
        }
        Ok(())
    }
}

/// Routes of the broker.
pub fn router(core: &Core, config: Config) -> Result<Router, StartError> {
    config.check()?;
    let path = config.path.clone();
    let state = State { core: core.clone(), texts: TurnTexts::new(core.hub.clone()), config };
    Ok(Router::new().route(&path, any(open)).with_state(Arc::new(state)))
}

/// Accepts a connection, or answers why not.
async fn open(extract::State(state): extract::State<Arc<State>>, request: Request) -> Response {
    let config = (&state.config).into();
    ws::accept(&state.core, request, config, |accepted| Connection::new(&state, accepted)).await
}
