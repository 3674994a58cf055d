//! Socket.IO, protocol 5: what a connection says, does, and is told. Knows nothing of how its packets
//! travel.
mod client;
mod closed;
mod commands;
mod connect;
mod own;
pub(crate) mod packet;
mod recovery;

pub(crate) use client::{Client, Flow, Link, Then};
pub use recovery::RECOVERY_BYTES;
pub(crate) use recovery::{Offset, Recovery};
