//! Upstreams that do what a test tells them, on real sockets.
pub mod agui;
pub mod cat;
pub mod corpus;
pub mod django;
pub mod model;
pub mod upstream;
