//! Stores the questions and replies of conversations, over whichever protocol they come.
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

/// Attempts to store a reply while the database is busy, each of which takes `store.busy_timeout`.
const ATTEMPTS: usize = 6;

/// Time between two attempts to close turns that a crash interrupted.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// Stores the turns of conversations from now on, and closes those that a crash interrupted.
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

/// Stores a question that came over another protocol, and publishes it as a message.
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
    let added = retry(
        |err| matches!(err, AddError::Store(store::Error::Busy)),
        || state.memory.store.add_message(new),
    )
    .await;
    let published = match added {
        Ok(Added { message, .. }) => {
            let said = MessageView { turn: Some(turn.id()), ..MessageView::of(&message) };
            state.publish(Draft::new(turn.topic().clone(), "new_message", wire::json(&said)))
        }
        // The topic has the name of a conversation that does not exist.
        Err(AddError::NoConversation) => {
            state.unstored().insert(turn.id());
            return Ok(());
        }
        Err(err) => return Err(not_kept(&err)),
    };
    drop(write_lock);
    published.await.map(drop).map_err(|err| not_kept(&err))
}

/// The completed exchanges before `turn`.
async fn before(state: Arc<State>, turn: Ticket, window: usize) -> Option<Vec<Exchange>> {
    let conversation = topic::conversation_of(turn.topic())?;
    let window = u32::try_from(window).unwrap_or(u32::MAX);
    let kept = state.memory.store.exchanges(conversation, window, Exchange::BYTES).await;
    let kept = kept.inspect_err(|err| {
        tracing::warn!(error = %err, "an agent is asked without the conversation so far");
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
        // It was closed elsewhere, or its conversation was deleted: its text is lost.
        Ok(None) => {
            tracing::warn!(turn = %turn.id(), "a turn was not open any more; its end was not stored");
            Err(NotKept)
        }
        Err(err) => Err(not_kept(&err)),
    }
}

/// Stores the end of a turn, and gives the id of the message in place of its reply. `None`, and
/// nothing is stored, if the turn is not open.
pub(crate) async fn close(
    state: &State,
    turn: Uuid,
    how: TurnEnd,
    content: &str,
) -> Result<Option<i64>, store::Error> {
    let busy = |err: &store::Error| matches!(err, store::Error::Busy);
    let stored = retry(busy, || state.memory.store.end_turn(turn, how, content)).await;
    Ok(stored?.map(|message| message.id))
}

fn not_kept(err: &dyn std::error::Error) -> NotKept {
    tracing::error!(error = %err, "a message was not stored");
    NotKept
}

/// Repeats `work` while the database is busy, [`ATTEMPTS`] times at most.
async fn retry<T, E, F: Future<Output = Result<T, E>>>(
    is_busy: impl Fn(&E) -> bool,
    mut work: impl FnMut() -> F,
) -> Result<T, E> {
    for _ in 1..ATTEMPTS {
        match work().await {
            Err(err) if is_busy(&err) => {}
            done => return done,
        }
    }
    work().await
}

/// Closes the turns that were open before the process began.
async fn close_open_turns(state: Arc<State>, begun: i64) {
    let life = state.core.life.clone();
    let title = "the gateway stopped before the reply was complete";
    let content = wire::apology(title);
    loop {
        match state.memory.store.interrupt_turn(&content, begun).await {
            Ok(Some(turn)) => publish_interrupted(&state, &turn, title).await,
            Ok(None) => return,
            Err(err) => {
                tracing::error!(error = %err, "cannot look for interrupted turns");
                tokio::select! {
                    () = tokio::time::sleep(RETRY_INTERVAL) => {}
                    () = life.draining() => return,
                }
            }
        }
    }
}

/// Publishes the end of an interrupted turn.
async fn publish_interrupted(state: &State, cut_off: &Interrupted, title: &'static str) {
    let Interrupted { turn, conversation_id, message } = cut_off;
    let Some(topic) = topic::of_conversation(*conversation_id) else { return };
    let failed = turn::Turn::Failed(turn::Failed {
        turn: *turn,
        code: "interrupted".into(),
        title: title.into(),
        message: Some(message.id),
    });
    if let Err(err) = state.publish(failed.draft(topic)).await {
        tracing::warn!(error = %err, "the end of an interrupted turn was not published");
    }
}
