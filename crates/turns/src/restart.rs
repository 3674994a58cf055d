//! After a restart: ending the turns that the last process left open, and telling their topics.
use std::time::Duration;

use quadrille_agents::{Code, Ending, KeptTurn, NotStored};
use quadrille_store::StoredTurn;
use uuid::Uuid;

use crate::{
    StoreJournal,
    journal::{is_busy, retried},
    kept::kept,
};

/// Interval between two attempts while the store does not answer.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

impl StoreJournal {
    /// Ends every turn that started before `opened`, in Unix milliseconds, and is open, with the text
    /// there was; then publishes the ends that the readers of their topics have not been told. Until
    /// that is done it goes on while the store does not answer; false if the process stops before.
    pub async fn settle(self, opened: i64) -> bool {
        loop {
            match self.end_and_tell(opened).await {
                Ok(()) => return true,
                Err(err) => {
                    tracing::error!(error = %err, "cannot end the turns that were cut off");
                    tokio::select! {
                        () = tokio::time::sleep(RETRY_INTERVAL) => {}
                        () = self.life.draining() => return false,
                    }
                }
            }
        }
    }

    async fn end_and_tell(&self, opened: i64) -> Result<(), quadrille_store::Error> {
        loop {
            let open = self.store.open_turns(opened).await?;
            if open.is_empty() {
                break;
            }
            for StoredTurn { id, text, .. } in open {
                let ending = Ending::Failed { code: Code::Interrupted, text: text.into() };
                // A turn that is not open any more is none to be ended.
                if matches!(self.close(id, &ending).await, Err(NotStored::Failed)) {
                    return Err(quadrille_store::Error::Unavailable);
                }
            }
        }
        loop {
            let untold = self.store.untold_turns().await?;
            if untold.is_empty() {
                return Ok(());
            }
            let ids: Vec<Uuid> = untold.iter().map(|turn| turn.id).collect();
            for turn in untold.into_iter().filter_map(kept) {
                self.tell(&turn).await;
            }
            retried(is_busy, || self.store.told(&ids)).await?;
        }
    }

    /// Publishes the last record of a turn.
    async fn tell(&self, turn: &KeptTurn) {
        let Some(ending) = &turn.ending else { return };
        let record = ending.event(turn.id, turn.message).draft(turn.topic.clone());
        if let Err(err) = self.hub.publish(record).await {
            tracing::warn!(error = %err, "the end of a turn was not published");
        }
    }
}
