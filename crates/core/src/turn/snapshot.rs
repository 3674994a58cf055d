//! A running turn in one record, for a reader that has not seen its beginning.
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::RawJson;

/// A turn as far as it has come. Its position is that of the last record in it: a reader that goes
/// on after that misses nothing, and gets nothing twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnSnapshot {
    pub turn: Uuid,
    pub agent: Arc<str>,
    pub user: Arc<str>,
    pub question: Arc<str>,
    /// The whole answer so far.
    pub text: String,
    /// The records so far but the first, in order. Texts that follow on each other are one part.
    #[serde(default)]
    pub parts: Vec<SnapshotPart>,
}

/// A record of the turn, or several merged ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotPart {
    pub kind: String,
    /// The payload of the record.
    pub payload: RawJson,
}
