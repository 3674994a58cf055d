//! Socket.IO, protocol 5: what a connection says, does, and is told. Knows nothing of how its packets
//! travel.
mod client;
mod commands;
mod connect;
mod own;
pub(crate) mod packet;

pub(crate) use client::{Client, Flow, Link, Then};
