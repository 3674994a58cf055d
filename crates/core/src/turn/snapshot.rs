//! A running turn in one record, for a reader that has not seen its beginning.
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
    /// The payload as JSON, byte for byte.
    #[serde(with = "raw")]
    pub payload: Box<str>,
}

mod raw {
    //! JSON within JSON, without parsing it.
    use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error};
    use serde_json::value::RawValue;

    pub(super) fn serialize<S: Serializer>(payload: &str, to: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(payload).map_err(S::Error::custom)?;
        raw.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Box<str>, D::Error> {
        Box::<RawValue>::deserialize(from).map(Box::<str>::from)
    }
}
