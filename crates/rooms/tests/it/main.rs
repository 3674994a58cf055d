//! Rooms on a real port: what clients are answered, and what is left of what they should not have
//! sent.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bed;
mod busy;
mod chat;
mod client;
mod conversations;
mod files;
mod isolation;
mod messages;
mod search;
mod status;
mod tokens;
mod uploads;
mod wrong;
