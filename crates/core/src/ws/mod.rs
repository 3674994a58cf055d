//! RFC 6455, server side: the handshake, the frames, and the one pump that every
//! protocol over a raw WebSocket uses.
//!
//! Written here and not taken from a library for what it costs: an idle connection holds no buffer
//! at all, a record is framed straight into the bytes of one write, and everything due to a socket
//! leaves in that write.
mod accept;
mod exchange;
mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod heart;
mod input;
mod origins;
mod protocol;
mod pump;
mod upgrade;

pub use accept::{Accepted, Opening, accept, admit};
pub use exchange::Exchange;
pub use frame::Frames;
pub use origins::{BadOrigin, Origins, Page};
pub use protocol::{Flow, Link, Protocol};
pub use pump::{Config, serve};
pub use upgrade::{Handshake, Peer};
