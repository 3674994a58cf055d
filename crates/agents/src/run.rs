//! Running one turn: the agent's words go into the log, merged, bounded and timed.
use std::{error::Error, panic::AssertUnwindSafe, pin::pin, sync::Arc};

use futures_util::{FutureExt, StreamExt};
use quadrille_core::{
    Hub, Life, Position,
    turn::{self, TurnEvent},
};
use tokio::time::{Duration, Instant, sleep, sleep_until};

use crate::{
    Code, Config, Failure, HistoryEntry, Part, Question, Reply,
    details::Details,
    history,
    journal::{Journal, NotStored},
    orphan::OrphanCheck,
    publish::publish,
    reply_buffer::ReplyBuffer,
    ticket::{Ending, Stop, Ticket, TurnState},
};

/// The status of a reply that is complete and empty, so that readers do not wait for more.
const EMPTY_REPLY: &str = "the agent said nothing";

/// Interval between two attempts to store an end that could not be stored.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// Runs turns: asks their agents, and writes into their topics and the journal.
pub(crate) struct Runner {
    pub(crate) hub: Hub,
    pub(crate) config: Config,
    pub(crate) journal: Arc<dyn Journal>,
}

/// The reason to stop listening to an agent.
enum Halt {
    /// The agent is done; its whole reply if it repeated that at the end.
    Reply(Option<String>),
    Stop(Stop),
}

// === impl Runner ===

impl Runner {
    /// Lets the agent answer `turn`. There is an ending whatever happens, a panic included;
    /// publishing it is left to the caller.
    pub(crate) async fn run(&self, turn: &Arc<TurnState>) -> Ending {
        AssertUnwindSafe(self.answer(turn)).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(agent = %turn.agent.name, "an agent panicked; this is a defect");
            Ending::Failed { code: Code::Internal, text: turn.text() }
        })
    }

    /// Stores how `turn` ended. A complete reply that cannot be stored becomes a failure.
    pub(crate) async fn store(
        &self,
        turn: &Arc<TurnState>,
        ending: Ending,
        untold: bool,
    ) -> (Ending, Result<Option<i64>, NotStored>) {
        let stored = self.journal.end(&Ticket(Arc::clone(turn)), &ending, untold).await;
        match ending {
            Ending::Completed(text) if stored.is_err() => {
                (Ending::Failed { code: Code::NotStored, text }, stored)
            }
            ending => (ending, stored),
        }
    }

    /// Stores how `turn` ended, which its readers were told when the journal failed. Gives up when the
    /// process stops: then the next one ends the turn.
    pub(crate) async fn store_late(&self, turn: Arc<TurnState>, ending: Ending, life: &Life) {
        let ticket = Ticket(turn);
        loop {
            tokio::select! {
                () = sleep(RETRY_INTERVAL) => {}
                () = life.draining() => return,
            }
            if self.journal.end(&ticket, &ending, false).await != Err(NotStored::Failed) {
                return;
            }
        }
    }

    /// Publishes the last record of `turn`. Gives no position if the record is lost.
    pub(crate) async fn publish_last(
        &self,
        turn: &TurnState,
        ending: &Ending,
        message: Option<i64>,
    ) -> Option<Position> {
        publish(&self.hub, turn, ending.event_of(turn, message)).await
    }

    async fn answer(&self, turn: &Arc<TurnState>) -> Ending {
        let history = self.history(turn).await;
        let started = turn::Started {
            turn: turn.id,
            agent: Arc::clone(&turn.agent.name),
            user: Arc::clone(&turn.ask.user),
            question: Arc::clone(&turn.ask.text),
        };
        publish(&self.hub, turn, TurnEvent::Started(started)).await;
        let mut reply = turn.agent.agent.ask(Question {
            turn: turn.id,
            topic: turn.ask.topic.clone(),
            user: Arc::clone(&turn.ask.user),
            text: Arc::clone(&turn.ask.text),
            history,
            given: turn.given.clone(),
        });
        let mut buffer = ReplyBuffer::new(&self.hub, turn);
        let mut details = Details::new(turn);
        let halt = self.listen(turn, &mut reply, &mut buffer, &mut details).await;
        // The connection to the upstream is released before anything else.
        drop(reply);
        buffer.flush().await;
        // Fails if it is set already; a turn runs once.
        drop(turn.report.set(details.report));
        match halt {
            Ok(Halt::Reply(whole)) => {
                let text = whole.map_or_else(|| turn.text(), Arc::from);
                if text.trim().is_empty() {
                    let status = turn::Status { turn: turn.id, text: EMPTY_REPLY.to_owned() };
                    publish(&self.hub, turn, TurnEvent::Status(status)).await;
                }
                Ending::Completed(text)
            }
            Ok(Halt::Stop(Stop::Cancelled)) => Ending::Cancelled(turn.text()),
            Ok(Halt::Stop(Stop::Interrupted)) => {
                Ending::Failed { code: Code::Interrupted, text: turn.text() }
            }
            Err(failure) => Ending::Failed { code: report(turn, &failure), text: turn.text() },
        }
    }

    /// The earlier exchanges of the topic: from the client, the journal, or else the log.
    async fn history(&self, turn: &Arc<TurnState>) -> Vec<HistoryEntry> {
        let window = turn.agent.agent.window();
        if let Some(given) = &turn.given.history {
            let older = given.len().saturating_sub(window);
            return given.iter().skip(older).cloned().collect();
        }
        if window > 0
            && let Some(stored) = self.journal.history(&Ticket(Arc::clone(turn)), window).await
        {
            return stored;
        }
        history::exchanges(&self.hub, &turn.ask.topic, window)
    }

    /// Reads the agent's reply until the agent is done or has to stop.
    async fn listen(
        &self,
        turn: &TurnState,
        reply: &mut Reply,
        buffer: &mut ReplyBuffer<'_>,
        details: &mut Details<'_>,
    ) -> Result<Halt, Failure> {
        let agent = &turn.agent;
        let begin = Instant::now();
        let total = begin + agent.total_timeout;
        let mut silence = (begin + agent.first_token_timeout, Code::FirstTokenTimeout);
        let mut orphan = OrphanCheck::new(&self.config);
        // Made once for the whole turn: making them for every part takes locks of the runtime.
        let mut stop = pin!(turn.stop.wait());
        let mut alarm = pin!(sleep_until(silence.0.min(total)));
        loop {
            let now = Instant::now();
            if now >= total {
                return Err(Code::TotalTimeout.into());
            }
            if orphan.is_abandoned(&self.hub, turn, now) {
                return Ok(Halt::Stop(Stop::Cancelled));
            }
            if buffer.is_due(now) {
                tokio::select! {
                    biased;
                    stop = &mut stop => return Ok(Halt::Stop(*stop)),
                    () = buffer.flush() => {}
                }
                // This may have waited for slow readers, and the agent was not silent meanwhile.
                silence.0 += now.elapsed();
            }
            let wakes = [buffer.due(), orphan.due()];
            let wake = wakes.into_iter().flatten().fold(total.min(silence.0), Instant::min);
            // An alarm that comes too early costs a look at the clock; postponing it for every part
            // would cost more.
            if wake < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(wake);
            }
            let part = tokio::select! {
                biased;
                stop = &mut stop => return Ok(Halt::Stop(*stop)),
                part = reply.next() => part,
                () = &mut alarm => {
                    if Instant::now() >= silence.0 {
                        return Err(silence.1.into());
                    }
                    continue;
                }
            };
            let part = part.unwrap_or(Err(Code::BrokenOff.into()))?;
            if buffer.is_flushed_before(&part) {
                tokio::select! {
                    biased;
                    stop = &mut stop => return Ok(Halt::Stop(*stop)),
                    () = buffer.flush() => {}
                }
            }
            let notice = match part {
                Part::Text(text) => {
                    buffer.push(&text);
                    None
                }
                Part::Reasoning(text) => {
                    buffer.think(&text);
                    None
                }
                Part::End(Some(whole)) if whole.len() > agent.max_reply => {
                    return Err(Code::TooLong.into());
                }
                Part::End(whole) => return Ok(Halt::Reply(whole)),
                part => details.event(part),
            };
            if let Some(notice) = notice {
                tokio::select! {
                    biased;
                    stop = &mut stop => return Ok(Halt::Stop(*stop)),
                    () = buffer.flush_before(notice) => {}
                }
            }
            if buffer.len() > agent.max_reply {
                return Err(Code::TooLong.into());
            }
            silence = (Instant::now() + agent.token_timeout, Code::TokenTimeout);
        }
    }
}

/// Logs the cause of a failure, which no client is told.
fn report(turn: &TurnState, Failure { code, source }: &Failure) -> Code {
    let error = source.as_deref().map(|source| source as &(dyn Error + 'static));
    let (agent, code_text) = (&turn.agent.name, code.as_str());
    tracing::warn!(%agent, turn = %turn.id, code = code_text, error, "a turn failed");
    *code
}
