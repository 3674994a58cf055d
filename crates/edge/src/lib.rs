//! HTTP as the protocols share it: WebSocket, server-sent events, bodies, origins and problem
//! documents.
#[cfg(test)]
mod fuzz;
pub mod http;
mod identify;
pub mod sse;
pub mod ws;

use quadrille_core::{Hub, Life, Presence, Registry, Shares, Turns};
use quadrille_identity::{Authority, Quotas};

/// Everything a protocol needs. Cloning is a handful of reference counts.
#[derive(Clone, Debug)]
pub struct Core {
    pub hub: Hub,
    pub sessions: Registry,
    pub presence: Presence,
    pub auth: Authority,
    pub quotas: Quotas,
    /// How every shared pool is divided.
    pub shares: Shares,
    pub origins: http::Origins,
    pub turns: Turns,
    pub life: Life,
}
