//! Bounds on what is read and discarded of a peer that still sends after its response.
use std::time::Duration;

/// Bytes that are read on after a response, and as many again once the connection is closing. A
/// client that sends more may lose the response.
pub(super) const MAX_BYTES: u64 = 64 << 20;

/// Time between two reads.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for all of it.
pub(super) const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);

/// Time for a peer that takes or sends no data, once its connection has to end.
pub(super) const CLOSING_TIMEOUT: Duration = Duration::from_secs(2);
