//! Listening sockets, and the HTTP connections that they accept.
pub(crate) mod accept;
pub(crate) mod connection;
mod discard;
mod half_close;
mod head_timer;
pub(crate) mod limit;
mod linger;
pub(crate) mod listener;
mod refusal;
pub(crate) mod request_body;
mod socket;
mod stall;
pub(crate) mod tls;
mod unix;
