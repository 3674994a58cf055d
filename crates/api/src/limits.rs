//! Upper bounds of the endpoints, as their errors name them.
use std::time::Duration;

/// Topics of one stream.
pub(crate) const MAX_TOPICS: usize = 100;

/// Entries that one answer lists.
pub(crate) const MAX_LISTED: usize = 1000;

/// Time for which a key is kept, from its first use.
pub(crate) const KEY_RETENTION: Duration = Duration::from_mins(5);
