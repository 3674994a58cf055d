//! The edge through its public face: what a protocol can rely on.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod pump;
