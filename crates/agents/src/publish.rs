//! Publishing the records of a turn.
use std::error::Error;

use quadrille_core::{Hub, Position, turn::TurnEvent};

use crate::ticket::TurnState;

/// Publishes a record of `turn`. It is in the log before this is awaited: awaiting it waits for room
/// for slow readers, and holds nothing. Gives no position if the record is lost, which is logged.
#[expect(clippy::needless_pass_by_value, reason = "a reference would be held while it waits")]
pub(crate) fn publish(
    hub: &Hub,
    turn: &TurnState,
    record: TurnEvent,
) -> impl Future<Output = Option<Position>> + use<> {
    let kind = record.kind();
    let published = hub.publish(record.draft(turn.ask.topic.clone()));
    async move {
        match published.await {
            Ok(receipt) => Some(receipt.at),
            Err(err) => {
                let error = &err as &dyn Error;
                tracing::error!(error, %kind, "a record of a turn was lost");
                None
            }
        }
    }
}
