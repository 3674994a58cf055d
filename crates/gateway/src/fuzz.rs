//! The gateway's targets of `cargo xtask fuzz`.
pub use crate::config::fuzz::{config, yaml};

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
pub(crate) mod replay;
