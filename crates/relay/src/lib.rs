//! One question over HTTP and its one reply, at once or as events; the protocol is in
//! `docs/protocol/relay.md`.
mod error;
mod events;
mod question;
mod send;
mod topic_turn;
mod turns;

use std::sync::Arc;

use axum::{Router, extract::FromRef};
use quadrille_agents::Desk;
use quadrille_edge::Core;
use quadrille_identity::Mode;
use serde::{Deserialize, Serialize};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The name of this protocol in configuration, logs and metrics.
pub const NAME: &str = "relay";

/// The path of questions whose answer is the reply.
pub const PATH: &str = "/send";

/// Section `relay` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bytes of one question's body. A larger one is refused with 413.
    pub max_body_size: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_body_size: 256 << 10 }
    }
}

/// The state of every handler. Shared, because it is cloned more than once for each request.
#[derive(Clone, Debug)]
struct State(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    core: Core,
    desk: Desk,
    config: Config,
}

// === impl State ===

impl State {
    /// Whether users are taken at their word, because no client shows a token.
    fn is_open(&self) -> bool {
        self.0.core.auth.mode() == Mode::Open
    }
}

impl FromRef<State> for Core {
    fn from_ref(state: &State) -> Self {
        state.0.core.clone()
    }
}

/// The relay's routes, and their description.
pub fn router(core: &Core, desk: &Desk, config: Config) -> (Router, OpenApi) {
    let state = State(Arc::new(Inner { core: core.clone(), desk: desk.clone(), config }));
    let (router, described) = OpenApiRouter::new()
        .routes(routes!(send::send))
        .routes(routes!(turns::ask))
        .routes(routes!(turns::show, turns::cancel))
        .routes(routes!(turns::watch))
        .routes(routes!(topic_turn::interrupt_turn))
        .routes(routes!(topic_turn::steer_turn))
        .routes(routes!(topic_turn::show_current, topic_turn::cancel_current))
        .routes(routes!(topic_turn::interrupt))
        .routes(routes!(topic_turn::steer))
        .split_for_parts();
    (router.with_state(state), described)
}
