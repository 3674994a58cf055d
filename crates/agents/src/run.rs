//! One turn while it runs: what the agent says goes into the log, merged, bounded and timed.
use std::{error::Error, panic::AssertUnwindSafe, pin::pin, sync::Arc};

use futures_util::{FutureExt, StreamExt};
use quadrille_core::{
    Hub, Position,
    turn::{self, TurnEvent},
};
use tokio::time::{Instant, sleep_until};

use crate::{
    Code, Exchange, Failure, Part, Question, Reply, Ticket,
    desk::Inner,
    history,
    orphan::OrphanCheck,
    reply_buffer::ReplyBuffer,
    ticket::{Ending, Stop, TurnState},
};

/// What is told of a reply that is complete and empty, so that nobody waits for more.
const NOTHING: &str = "the agent said nothing";

/// Why nothing more is listened to.
enum Halt {
    /// The agent is done; its whole reply if it told that.
    Reply(Option<String>),
    Stop(Stop),
}

/// Let the agent answer `turn`. Whatever happens, there is an end; publishing it is left to the
/// caller.
pub(crate) async fn run(desk: &Inner, turn: &Arc<TurnState>) -> Ending {
    AssertUnwindSafe(answer(desk, turn)).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(agent = %turn.agent.name, "an agent panicked; this is a defect");
        Ending::Failed(Code::Internal)
    })
}

/// Publish how `turn` ended. Gives no position if the record cannot be stored.
pub(crate) async fn publish_last(
    hub: &Hub,
    turn: &TurnState,
    ending: &Ending,
    message: Option<i64>,
) -> Option<Position> {
    let id = turn.id;
    let record = match ending {
        Ending::Completed(text) => {
            TurnEvent::Completed(turn::Completed { turn: id, text: Arc::clone(text), message })
        }
        Ending::Cancelled(text) => {
            TurnEvent::Cancelled(turn::Cancelled { turn: id, text: Arc::clone(text), message })
        }
        Ending::Failed(code) => TurnEvent::Failed(turn::Failed {
            turn: id,
            code: code.as_str().into(),
            title: code.title().into(),
            message,
        }),
    };
    publish(hub, turn, record).await
}

/// The record is in the log before this is awaited: what is awaited is room, and holds nothing.
#[expect(clippy::needless_pass_by_value, reason = "a reference would be held while it waits")]
pub(crate) fn publish(
    hub: &Hub,
    turn: &TurnState,
    record: TurnEvent,
) -> impl Future<Output = Option<Position>> + use<> {
    let kind = record.kind().as_str();
    let published = hub.publish(record.draft(turn.ask.topic.clone()));
    async move {
        match published.await {
            Ok(receipt) => Some(receipt.at),
            Err(why) => {
                let error = &why as &dyn Error;
                tracing::error!(error, kind, "a record of a turn was lost");
                None
            }
        }
    }
}

async fn answer(desk: &Inner, turn: &Arc<TurnState>) -> Ending {
    if turn.ask.id.is_none()
        && let Some(journal) = desk.journal.get()
        && journal.begin(Ticket(Arc::clone(turn))).await.is_err()
    {
        return Ending::Failed(Code::NotStored);
    }
    let before = said_before(desk, turn).await;
    let started = turn::Started {
        turn: turn.id,
        agent: Arc::clone(&turn.agent.name),
        user: Arc::clone(&turn.ask.user),
        question: Arc::clone(&turn.ask.text),
    };
    publish(&desk.hub, turn, TurnEvent::Started(started)).await;
    let mut reply = turn.agent.agent.ask(Question {
        turn: turn.id,
        topic: turn.ask.topic.clone(),
        user: Arc::clone(&turn.ask.user),
        text: Arc::clone(&turn.ask.text),
        before,
        given: turn.given.clone(),
    });
    let mut said = ReplyBuffer::new(&desk.hub, turn);
    let halt = listen(desk, turn, &mut reply, &mut said).await;
    // Before anything else the upstream is let go.
    drop(reply);
    said.flush().await;
    match halt {
        Ok(Halt::Reply(whole)) => {
            let text = whole.unwrap_or(said.text);
            if text.trim().is_empty() {
                let status = turn::Status { turn: turn.id, text: NOTHING.to_owned() };
                publish(&desk.hub, turn, TurnEvent::Status(status)).await;
            }
            Ending::Completed(text.into())
        }
        Ok(Halt::Stop(Stop::Cancelled)) => Ending::Cancelled(said.text.into()),
        Ok(Halt::Stop(Stop::Interrupted)) => Ending::Failed(Code::Interrupted),
        Err(why) => Ending::Failed(report(turn, &why)),
    }
}

/// What was said before in the topic: from where it is kept, or else from the log. An exchange
/// without a reply is left out: providers refuse to read an empty message, and so would refuse every
/// further question.
async fn said_before(desk: &Inner, turn: &Arc<TurnState>) -> Vec<Exchange> {
    let window = turn.agent.agent.window();
    if let Some(given) = &turn.given.before {
        let said: Vec<_> = given.iter().filter(|it| !it.reply.trim().is_empty()).collect();
        return said.into_iter().rev().take(window).rev().cloned().collect();
    }
    if window > 0
        && let Some(journal) = desk.journal.get()
        && let Some(kept) = journal.before(Ticket(Arc::clone(turn)), window).await
    {
        return kept;
    }
    history::exchanges(&desk.hub, &turn.ask.topic, window)
}

/// Take in what the agent says until it is done or has to stop.
async fn listen(
    desk: &Inner,
    turn: &TurnState,
    reply: &mut Reply,
    said: &mut ReplyBuffer<'_>,
) -> Result<Halt, Failure> {
    let agent = &turn.agent;
    let begin = Instant::now();
    let total = begin + agent.total_timeout;
    let mut silence = (begin + agent.first_token_timeout, Code::FirstTokenTimeout);
    let mut orphan = OrphanCheck::new(&desk.config);
    // One of each for the whole turn: to make them anew for every part takes locks of the runtime.
    let mut stop = pin!(turn.stop.wait());
    let mut alarm = pin!(sleep_until(silence.0.min(total)));
    loop {
        let now = Instant::now();
        if now >= total {
            return Err(Code::TotalTimeout.into());
        }
        if orphan.is_abandoned(desk, turn, now) {
            return Ok(Halt::Stop(Stop::Cancelled));
        }
        if said.is_due(now) {
            tokio::select! {
                biased;
                stop = &mut stop => return Ok(Halt::Stop(*stop)),
                () = said.flush() => {}
            }
            // Slow readers may be waited for, and the agent is not silent meanwhile.
            silence.0 += now.elapsed();
        }
        let wakes = [said.due(), orphan.due()];
        let wake = wakes.into_iter().flatten().fold(total.min(silence.0), Instant::min);
        // An alarm that comes too early costs a look at the clock; to put it off for every part
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
        let notice = match part.unwrap_or(Err(Code::BrokenOff.into()))? {
            Part::Text(text) => {
                said.more(&text);
                None
            }
            Part::Status(text) => Some(TurnEvent::Status(turn::Status { turn: turn.id, text })),
            Part::Tool { name, text } => {
                Some(TurnEvent::Tool(turn::Tool { turn: turn.id, name, text }))
            }
            Part::End(Some(whole)) if whole.len() > agent.max_reply => {
                return Err(Code::TooLong.into());
            }
            Part::End(whole) => return Ok(Halt::Reply(whole)),
        };
        if let Some(notice) = notice {
            tokio::select! {
                biased;
                stop = &mut stop => return Ok(Halt::Stop(*stop)),
                () = said.flush_before(notice) => {}
            }
        }
        if said.text.len() > agent.max_reply {
            return Err(Code::TooLong.into());
        }
        silence = (Instant::now() + agent.token_timeout, Code::TokenTimeout);
    }
}

/// Tell the cause to the log, which is the only one to learn it.
fn report(turn: &TurnState, Failure { code, source }: &Failure) -> Code {
    let error = source.as_deref().map(|it| it as &(dyn Error + 'static));
    let (agent, code_text) = (&turn.agent.name, code.as_str());
    tracing::warn!(%agent, turn = %turn.id, code = code_text, error, "a turn failed");
    *code
}
