//! Section `turns` of the configuration.
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Section `turns`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Time after its end for which a turn outside of conversations is stored.
    #[serde(with = "humantime_serde")]
    pub keep: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { keep: Duration::from_hours(30 * 24) }
    }
}
