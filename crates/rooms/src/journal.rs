//! Keeps what is asked and replied in conversations, through whichever door.
use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use quadrille_agents::{Ending, Exchange, Journal, NotStored, Ticket};
use quadrille_core::{Draft, turn};
use quadrille_store::{self as store, AddError, Added, Interrupted, NewMessage, Sender, TurnEnd};

use uuid::Uuid;

use crate::{
    door::{self, Door},
    wire::{self, Said},
};

/// How often a reply is tried to be stored while the database is busy, each time for as long as
/// `store.busy_timeout`.
const ATTEMPTS: usize = 6;

/// How long before the turns that a crash cut off are looked for again, if the store does not answer.
const AGAIN: Duration = Duration::from_secs(5);

/// Keep the turns of conversations from now on; and say of those that were cut off that they were.
pub(crate) fn keep(door: &Arc<Door>) {
    let [begins, knows, ends] = [door, door, door].map(Arc::clone);
    door.desk.keep_in(Journal::new(
        move |turn| begin(Arc::clone(&begins), turn).boxed(),
        move |turn, window| before(Arc::clone(&knows), turn, window).boxed(),
        move |turn, ending| end(Arc::clone(&ends), turn, ending).boxed(),
    ));
    let begun = i64::try_from(quadrille_core::now()).unwrap_or(i64::MAX);
    door.core.life.spawn("journal", close_open_turns(Arc::clone(door), begun));
}

/// A question that came through another door: clients of rooms see it as a message.
async fn begin(door: Arc<Door>, turn: Ticket) -> Result<(), NotStored> {
    let Some(conversation) = door::conversation(turn.topic()) else { return Ok(()) };
    let new = NewMessage {
        conversation,
        user: turn.user(),
        sender: Sender::User,
        content: turn.question(),
        metadata: None,
        key: None,
        turn: Some(turn.id()),
        files: &[],
    };
    let line = door.line(conversation).await;
    let added = patiently(
        |why| matches!(why, AddError::Store(store::Error::Busy)),
        || door.memory.store.add_message(new),
    )
    .await;
    let published = match added {
        Ok(Added { message, .. }) => {
            let said = Said { turn: Some(turn.id()), ..Said::of(&message) };
            door.publish(Draft::new(turn.topic().clone(), "new_message", wire::json(&said)))
        }
        // A topic that looks like a conversation, and is none.
        Err(AddError::NoConversation) => {
            door.unkept().insert(turn.id());
            return Ok(());
        }
        Err(why) => return Err(not_kept(&why)),
    };
    drop(line);
    published.await.map(drop).map_err(|why| not_kept(&why))
}

/// The exchanges before `turn`, as far as they were completed.
async fn before(door: Arc<Door>, turn: Ticket, window: usize) -> Option<Vec<Exchange>> {
    let conversation = door::conversation(turn.topic())?;
    let window = u32::try_from(window).unwrap_or(u32::MAX);
    let kept = door.memory.store.exchanges(conversation, window, Exchange::BYTES).await;
    let kept = kept.inspect_err(|why| {
        tracing::warn!(error = %why, "an agent is asked without what was said before");
    });
    let exchange = |(question, reply)| Exchange { question, reply };
    Some(kept.ok()?.into_iter().map(exchange).collect())
}

async fn end(door: Arc<Door>, turn: Ticket, ending: Ending) -> Result<Option<i64>, NotStored> {
    if door::conversation(turn.topic()).is_none() || door.unkept().remove(&turn.id()) {
        return Ok(None);
    }
    let (how, content) = match &ending {
        Ending::Completed(text) => (TurnEnd::Completed, text.to_string()),
        Ending::Cancelled(text) => (TurnEnd::Cancelled, text.to_string()),
        Ending::Failed(code) => (TurnEnd::Failed, wire::apology(code.title())),
    };
    match close(&door, turn.id(), how, &content).await {
        Ok(Some(message)) => Ok(Some(message)),
        // It was closed by somebody else, or its conversation was deleted: what it says is nowhere.
        Ok(None) => {
            tracing::warn!(turn = %turn.id(), "a turn was not open any more; its end is not stored");
            Err(NotStored)
        }
        Err(why) => Err(not_kept(&why)),
    }
}

/// Store how a turn ended, and give the id of what stands for its reply. `None`, and nothing is
/// stored, if the turn is not open.
pub(crate) async fn close(
    door: &Door,
    turn: Uuid,
    how: TurnEnd,
    content: &str,
) -> Result<Option<i64>, store::Error> {
    let busy = |why: &store::Error| matches!(why, store::Error::Busy);
    let stored = patiently(busy, || door.memory.store.end_turn(turn, how, content)).await;
    Ok(stored?.map(|it| it.id))
}

fn not_kept(why: &dyn std::error::Error) -> NotStored {
    tracing::error!(error = %why, "a message was not stored");
    NotStored
}

/// Work that may find the database busy, again and again.
async fn patiently<T, E, F: Future<Output = Result<T, E>>>(
    is_busy: impl Fn(&E) -> bool,
    mut work: impl FnMut() -> F,
) -> Result<T, E> {
    for _ in 1..ATTEMPTS {
        match work().await {
            Err(why) if is_busy(&why) => {}
            done => return done,
        }
    }
    work().await
}

/// Turns that were open before the process began are not answered any more.
async fn close_open_turns(door: Arc<Door>, begun: i64) {
    let life = door.core.life.clone();
    let title = "the gateway stopped before the reply was complete";
    let content = wire::apology(title);
    loop {
        match door.memory.store.interrupt_turn(&content, begun).await {
            Ok(Some(turn)) => tell(&door, &turn, title).await,
            Ok(None) => return,
            Err(why) => {
                tracing::error!(error = %why, "cannot look for turns that were cut off");
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => {}
                    () = life.draining() => return,
                }
            }
        }
    }
}

/// Who comes back to the room learns how the turn ended.
async fn tell(door: &Door, cut_off: &Interrupted, title: &'static str) {
    let Interrupted { turn, conversation_id, message } = cut_off;
    let Some(topic) = door::room(*conversation_id) else { return };
    let failed = turn::Turn::Failed(turn::Failed {
        turn: *turn,
        code: "interrupted".into(),
        title: title.into(),
        message: Some(message.id),
    });
    if let Err(why) = door.publish(failed.draft(topic)).await {
        tracing::warn!(error = %why, "nobody was told that a turn was cut off");
    }
}
