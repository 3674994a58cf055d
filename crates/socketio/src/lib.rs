//! Socket.IO, protocol 5, over Engine.IO, protocol 4: packets, polling, upgrade, the namespace, and
//! recovery of connection state. What the events mean is up to an [`Application`].
//!
//! The sessions are made here, on the pump that every protocol uses, and not by a library: a
//! connection is a cursor in each of its logs, so order, resume, back-pressure and coalescing come
//! from there, and an idle connection holds no buffer.
mod application;
mod config;
pub mod engineio;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod link;
mod namespace;
pub mod packet;
mod random;
mod recovery;
mod server;

pub use application::{
    AcceptedSocket, Application, Connect, ConnectRequest, EventHandler, Refusal, Rejection, Then,
};
pub use config::Config;
pub use link::{RenderOutput, SocketLink};
pub use recovery::{NOTES, Offset, RECOVERY_BYTES, ResumePoint, ResumeRequest, Resumed};
pub use server::{PATH, router};
