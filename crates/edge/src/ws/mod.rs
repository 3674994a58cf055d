//! RFC 6455, server side: handshake, frames, and the one pump that every protocol over WebSocket
//! uses.
//!
//! Not a library, for the sake of cost: an idle connection holds no buffer at all, a record is
//! framed straight into the bytes of one write, and everything due to a socket leaves in that
//! write.
mod accept;
mod exchange;
mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod handshake;
mod input;
mod keepalive;
mod protocol;
mod pump;

pub use accept::{AcceptedClient, Opening, accept, admit};
pub use exchange::Exchange;
pub use frame::Frames;
pub use handshake::Handshake;
pub use protocol::{Flow, Link, Protocol};
pub use pump::{Config, serve};
