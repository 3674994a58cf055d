//! Agents against upstreams on real sockets, without the gateway around them.
mod agui;
mod ask;
mod corpus;
mod documented;
mod failures;
mod given;
mod http;
mod keys;
mod openai;
mod rich;
