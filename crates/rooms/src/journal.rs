//! Keeps what is asked and replied in conversations, over whichever protocol.
use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use quadrille_agents::{Ending, Exchange, Journal, NotKept, Ticket};
use quadrille_core::{Draft, turn};
use quadrille_store::{self as store, AddError, Added, Interrupted, NewMessage, Sender, TurnEnd};

use uuid::Uuid;

use crate::{
    state::State,
    topic,
    wire::{self, MessageView},
};

/// How often a reply is tried to be stored while the database is busy, each time for as long as
/// `store.busy_timeout`.
const ATTEMPTS: usize = 6;

/// How long before the turns that a crash cut off are looked for again, if the store does not answer.
const AGAIN: Duration = Duration::from_secs(5);

/// Keep the turns of conversations from now on; and say of those that were cut off that they were.
pub(crate) fn keep(state: &Arc<State>) {
    let [begins, knows, ends] = [state, state, state].map(Arc::clone);
    state.desk.keep_in(Journal::new(
        move |turn| begin(Arc::clone(&begins), turn).boxed(),
        move |turn, window| before(Arc::clone(&knows), turn, window).boxed(),
        move |turn, ending| end(Arc::clone(&ends), turn, ending).boxed(),
    ));
    let begun = i64::try_from(quadrille_core::now()).unwrap_or(i64::MAX);
    state.core.life.spawn("journal", close_open_turns(Arc::clone(state), begun));
}

/// A question that came through another state: clients of rooms see it as a message.
async fn begin(state: Arc<State>, turn: Ticket) -> Result<(), NotKept> {
    let Some(conversation) = topic::conversation_of(turn.topic()) else { return Ok(()) };
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
    let write_lock = state.write_lock(conversation).await;
    let added = patiently(
        |why| matches!(why, AddError::Store(store::Error::Busy)),
        || state.memory.store.add_message(new),
    )
    .await;
    let published = match added {
        Ok(Added { message, .. }) => {
            let said = MessageView { turn: Some(turn.id()), ..MessageView::of(&message) };
            state.publish(Draft::new(turn.topic().clone(), "new_message", wire::json(&said)))
        }
        // A topic that looks like a conversation, and is none.
        Err(AddError::NoConversation) => {
            state.unstored().insert(turn.id());
            return Ok(());
        }
        Err(why) => return Err(not_kept(&why)),
    };
    drop(write_lock);
    published.await.map(drop).map_err(|why| not_kept(&why))
}

/// The exchanges before `turn`, as far as they were completed.
async fn before(state: Arc<State>, turn: Ticket, window: usize) -> Option<Vec<Exchange>> {
    let conversation = topic::conversation_of(turn.topic())?;
    let window = u32::try_from(window).unwrap_or(u32::MAX);
    let kept = state.memory.store.exchanges(conversation, window, Exchange::BYTES).await;
    let kept = kept.inspect_err(|why| {
        tracing::warn!(error = %why, "an agent is asked without what was said before");
    });
    let exchange = |(question, reply)| Exchange { question, reply };
    Some(kept.ok()?.into_iter().map(exchange).collect())
}

async fn end(state: Arc<State>, turn: Ticket, ending: Ending) -> Result<Option<i64>, NotKept> {
    if topic::conversation_of(turn.topic()).is_none() || state.unstored().remove(&turn.id()) {
        return Ok(None);
    }
    let (how, content) = match &ending {
        Ending::Completed(text) => (TurnEnd::Completed, text.to_string()),
        Ending::Cancelled(text) => (TurnEnd::Cancelled, text.to_string()),
        Ending::Failed(code) => (TurnEnd::Failed, wire::apology(code.title())),
    };
    match close(&state, turn.id(), how, &content).await {
        Ok(Some(message)) => Ok(Some(message)),
        // It was closed by somebody else, or its conversation was deleted: what it says is nowhere.
        Ok(None) => {
            tracing::warn!(turn = %turn.id(), "a turn was not open any more; its end is not stored");
            Err(NotKept)
        }
        Err(why) => Err(not_kept(&why)),
    }
}

/// Store how a turn ended, and give the id of what stands for its reply. `None`, and nothing is
/// stored, if the turn is not open.
pub(crate) async fn close(
    state: &State,
    turn: Uuid,
    how: TurnEnd,
    content: &str,
) -> Result<Option<i64>, store::Error> {
    let busy = |why: &store::Error| matches!(why, store::Error::Busy);
    let stored = patiently(busy, || state.memory.store.end_turn(turn, how, content)).await;
    Ok(stored?.map(|it| it.id))
}

fn not_kept(why: &dyn std::error::Error) -> NotKept {
    tracing::error!(error = %why, "a message was not stored");
    NotKept
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
async fn close_open_turns(state: Arc<State>, begun: i64) {
    let life = state.core.life.clone();
    let title = "the gateway stopped before the reply was complete";
    let content = wire::apology(title);
    loop {
        match state.memory.store.interrupt_turn(&content, begun).await {
            Ok(Some(turn)) => tell(&state, &turn, title).await,
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
async fn tell(state: &State, cut_off: &Interrupted, title: &'static str) {
    let Interrupted { turn, conversation_id, message } = cut_off;
    let Some(topic) = topic::of_conversation(*conversation_id) else { return };
    let failed = turn::Turn::Failed(turn::Failed {
        turn: *turn,
        code: "interrupted".into(),
        title: title.into(),
        message: Some(message.id),
    });
    if let Err(why) = state.publish(failed.draft(topic)).await {
        tracing::warn!(error = %why, "nobody was told that a turn was cut off");
    }
}
