//! Work that goes on without a connection.
use std::time::Duration;

/// Work that goes on without a connection, and is drained before the process ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct BackgroundWork {
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    pub(super) desk: Option<quadrille_agents::Desk>,
}

impl BackgroundWork {
    /// Accepts no more work, and ends what does not end by itself within `limit`.
    pub(crate) async fn drain(&self, limit: Duration) {
        #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
        if let Some(desk) = &self.desk {
            desk.drain(limit).await;
        }
    }
}
