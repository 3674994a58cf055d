//! The gateway's targets of `cargo xtask fuzz`.
pub use crate::{
    config::fuzz::{config, yaml},
    doors::fuzz::{publication, query},
};

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
pub(crate) mod replay;
