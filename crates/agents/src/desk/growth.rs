//! Storing the text of replies while they run.
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use quadrille_core::Life;
use tokio::time::MissedTickBehavior;

use super::Desk;
use crate::ticket::TurnState;

/// Interval between two transactions. With the time that one takes, text is stored at the latest a
/// second after it was shown.
const INTERVAL: Duration = Duration::from_millis(900);

impl Desk {
    /// Stores what the running replies have grown by, all of them at once, until `life` drains.
    pub(super) async fn grow(self, life: Life) {
        let mut every = tokio::time::interval(INTERVAL);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = every.tick() => {}
                () = life.draining() => return,
            }
            let mut running = self.state().index.unfinished();
            running.retain(|turn| turn.started.load(Relaxed));
            self.store_growth(&running).await;
        }
    }

    async fn store_growth(&self, running: &[Arc<TurnState>]) {
        let mut grown = Vec::new();
        let mut lengths = Vec::new();
        for turn in running {
            if let Some(growth) = turn.growth() {
                lengths.push((turn, growth.start + growth.text.len()));
                grown.push(growth);
            }
        }
        if !grown.is_empty() && self.0.runner.journal.grow(grown).await.is_ok() {
            for (turn, length) in lengths {
                turn.grew_to(length);
            }
        }
    }
}
