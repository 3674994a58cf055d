//! A question that takes the place of the turn that runs.
use crate::{
    Ask,
    ask::Refused,
    desk::Desk,
    ticket::{Phase, Ticket},
};

impl Desk {
    /// Takes a question, and cancels the turn of its topic that runs. If the question is refused,
    /// that turn goes on. One whose key is known joins its turn, and cancels nothing.
    pub async fn interrupt(&self, ask: Ask) -> Result<Ticket, Refused> {
        let running = self.current(&ask.topic).filter(|turn| turn.phase() == Phase::Running);
        let Some(running) = running else { return self.ask(ask).await };
        let ticket = match self.ask(ask.clone()).await {
            // The turn that runs makes room for this one.
            Err(Refused::TopicFull) => {
                self.cancel(&running);
                running.ended().await;
                return self.ask(ask).await;
            }
            asked => asked?,
        };
        let is_new = ticket.id() > running.id();
        if is_new {
            self.cancel(&running);
        }
        Ok(ticket)
    }
}
