//! A question that takes the place of the turn that runs.
use uuid::Uuid;

use crate::{
    Ask,
    ask::Refused,
    desk::Desk,
    ticket::{Begin, Phase, Ticket},
};

impl Desk {
    /// Takes a question, and cancels the turn of its topic that runs. If the question is refused,
    /// that turn goes on, unless no more may wait in the topic: then that turn makes room first. A
    /// question whose key is known joins its turn, and cancels nothing.
    pub async fn interrupt(&self, ask: Ask) -> Result<Ticket, Refused> {
        let before = Uuid::now_v7();
        let running = self.current(&ask.topic).filter(|turn| turn.phase() == Phase::Running);
        let Some(running) = running else { return self.ask(ask).await };
        let ticket = match self.ask(ask.clone()).await {
            Err(Refused::TopicFull) => {
                self.cancel(&running);
                running.ended().await;
                return self.ask(ask).await;
            }
            asked => asked?,
        };
        let is_stored = matches!(ticket.0.begun.get(), Some(Begin::Own));
        if ticket.id() > before && is_stored {
            self.cancel(&running);
        }
        Ok(ticket)
    }
}
