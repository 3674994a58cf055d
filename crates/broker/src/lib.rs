//! Channel publish and subscribe over a raw WebSocket; the protocol is in `docs/protocol/broker.md`.
mod command;
mod error;
mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod identity;
mod socket;
mod turns;
mod wire;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::any,
};
use http::header;
use quadrille_core::{Admission, Topic};
use quadrille_edge::{
    Core,
    http::{Peer, Problem, token},
    ws::{self, Handshake},
};
use serde::{Deserialize, Serialize};

use crate::{
    identity::Identity,
    socket::{Door, Socket},
    turns::Texts,
};

/// The name of this protocol in configuration, logs and metrics.
pub const NAME: &str = "broker";

/// Section `broker` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the WebSocket is.
    pub path: String,
    /// Subscriptions of one connection, at most. One more is refused with `too_many_channels`.
    pub max_channels: usize,
    /// Bytes of a channel name, at most 240.
    pub max_channel_length: usize,
    /// Bytes of one message from a client. A larger one closes the connection with 1009.
    pub max_message_size: usize,
    /// How often to ping; zero is never.
    #[serde(with = "humantime_serde")]
    pub ping_interval: Duration,
    /// How long after a ping something must have come, or the connection is closed with 3012.
    #[serde(with = "humantime_serde")]
    pub ping_timeout: Duration,
    /// How long a connection may take no data while there is some, before it is closed with 3008;
    /// zero is for ever.
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

/// The configuration cannot be served.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StartError {
    #[error(
        "broker.path: expected an absolute path such as /ws, without any of {{}}*:?# and spaces"
    )]
    Path,
    #[error("broker.max_channel_length: expected 1 to {}", Config::CHANNEL_MAX)]
    ChannelLength,
}

impl Config {
    /// The longest channel name there can be, in bytes: a topic has a namespace besides it.
    const CHANNEL_MAX: usize = Topic::MAX - 15;

    fn check(&self) -> Result<(), StartError> {
        if !self.path.starts_with('/') || self.path.contains(['{', '}', '*', ':', '?', '#', ' ']) {
            return Err(StartError::Path);
        }
        if !(1..=Self::CHANNEL_MAX).contains(&self.max_channel_length) {
            return Err(StartError::ChannelLength);
        }
        Ok(())
    }
}

/// The broker's door.
pub fn router(core: &Core, config: Config) -> Result<Router, StartError> {
    config.check()?;
    let path = config.path.clone();
    let door = Door {
        hub: core.hub.clone(),
        presence: core.presence.clone(),
        turns: core.turns.clone(),
        texts: Texts::new(core.hub.clone()),
        config,
    };
    let broker = Broker { core: core.clone(), door: door.into() };
    Ok(Router::new().route(&path, any(open)).with_state(broker))
}

#[derive(Clone, Debug)]
struct Broker {
    core: Core,
    door: Arc<Door>,
}

/// Take a connection in, or say why not.
async fn open(State(broker): State<Broker>, mut request: Request) -> Response {
    let Broker { core, door } = broker;
    let config = &door.config;
    if let Err(problem) = core.origins.check(request.headers()) {
        return problem.into_response();
    }
    let peer = Peer::of(&request).0;
    let handshake = match Handshake::of(&mut request) {
        Ok(handshake) => handshake,
        Err(refusal) => return refusal,
    };
    let token = token::of(&request, &core.origins);
    let agreed = token::subprotocol(request.headers());
    let who = match core.identify(token.as_ref(), peer).await {
        Ok(who) => who,
        Err(problem) => return problem.into_response(),
    };
    let holder = core.holder(&who, peer);
    let inbox = core.hub.inbox_of(holder.clone());
    let admission = Admission { protocol: NAME, user: who.user.clone(), holder, peer };
    let session = match core.sessions.admit(admission) {
        Ok(session) => session,
        Err(why) => return Problem::from(why).into_response(),
    };
    let (mut response, upgraded) = handshake.accept();
    if let Some(agreed) = agreed {
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, agreed);
    }
    let pump = ws::Config {
        max_message_size: config.max_message_size,
        ping_interval: config.ping_interval,
        ping_timeout: config.ping_timeout,
        write_timeout: config.write_timeout,
    };
    let identity = Identity::new(core.auth, core.quotas, who, peer);
    let socket = Socket::new(door, identity, session.info());
    core.life.spawn(NAME, async move {
        match upgraded.await {
            Ok(io) => ws::serve(io, session, inbox, socket, pump).await,
            Err(why) => tracing::debug!(error = %why, "the client left during the handshake"),
        }
    });
    response
}
