//! Bounds of the logs of a namespace, and their policy for slow readers.
use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

/// The bounds of every log in a namespace. Read from the configuration, looked up when a log is
/// made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// How many records a log holds, at least 1.
    pub events: usize,
    /// How many bytes a log holds, counting about 300 for each record besides its payload. The
    /// newest record always stays, whatever its size.
    pub bytes: usize,
    /// How long a log without subscribers stays after its last use.
    #[serde(with = "humantime_serde")]
    pub keep: Duration,
    /// Policy for a subscriber that the log has moved past.
    pub on_slow: OnSlow,
    /// How long a publisher waits, once per quarter log, while no reader catches up of those that
    /// are about to lose records. Readers that are slower fall behind alone. Zero never waits.
    #[serde(with = "humantime_serde")]
    pub patience: Duration,
    /// Whether the members of a topic are kept, and can be asked for.
    pub presence: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            events: 1024,
            bytes: 1 << 20,
            keep: Duration::from_mins(5),
            on_slow: OnSlow::Skip,
            patience: Duration::from_millis(100),
            presence: true,
        }
    }
}

/// Policy for a subscriber that the log has moved past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnSlow {
    /// Goes on from the oldest record still held, after being told how many it lost.
    #[default]
    Skip,
    /// Gets the newest record of each key, and the merged text of each turn, instead of every one,
    /// from a quarter log behind. Records without a key are lost when the log has moved past them,
    /// and it is told so.
    Coalesce,
    /// Its connection is closed with 3008. It may reconnect and resume.
    Disconnect,
}

/// The policy of each namespace; those not named have [`Policy::default`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Policies(pub BTreeMap<String, Policy>);

impl Policies {
    pub fn of(&self, namespace: &str) -> Policy {
        self.0.get(namespace).cloned().unwrap_or_default()
    }
}

impl From<Policy> for Policies {
    /// The same policy for the namespaces of every protocol.
    fn from(policy: Policy) -> Self {
        let all = crate::NAMESPACES.iter().map(|name| ((*name).to_owned(), policy.clone()));
        Self(all.collect())
    }
}
