//! One message to the bot: its answer, its side effects, and the stored conversation.
use std::sync::Arc;

use quadrille_agents::{Ask, Ending};
use quadrille_core::Permit;
use quadrille_store::{
    Chat, ChatFile, MessageType, NewChatMessage, NewStep, Page, Place, Run, RunStatus, StepKind,
    Store,
};
use quadrille_tabular::Limits;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    bot::{
        dialogue::{self, BotReply, Dialogue, DialoguePhase, Input, Understood},
        suggest::{FileSeen, Suggested},
    },
    engine,
    http::{begin, caller::ChatCaller, error::Error, key::RequestKey, runs},
    run_events::StartedBy,
    state::{State, chat_topic},
    wire,
};

/// Upper bounds on the columns that the bot knows of a file, and on their names in bytes.
const MAX_COLUMNS: usize = 1000;
const MAX_NAMES: usize = 64 << 10;

/// The newest runs, which are searched for one that the bot started.
const RECENT_RUNS: Page = Page { limit: 100, offset: 0 };

/// State of a conversation between two requests, as stored.
#[derive(Default, Serialize, Deserialize)]
struct StoredDialogue {
    #[serde(default, rename = "state")]
    dialogue: Dialogue,
    file: Option<KnownFile>,
}

/// The last uploaded file, as stored.
#[derive(Clone, Serialize, Deserialize)]
struct KnownFile {
    id: i64,
    columns: Vec<String>,
}

/// Outcome of a message.
pub(super) struct TalkResult {
    pub(super) reply: BotReply,
    /// The run that was started.
    pub(super) run: Option<Run>,
}

/// A message, or another action of the user.
pub(super) enum Heard {
    Message(String),
    Uploaded,
    Confirmed { confirmed: bool, modified: Option<Vec<NewStep>> },
}

/// Answers `heard`, and adds both to the conversation. Reading a file needs a permit for a direct
/// request; one is taken unless `permit` is given.
pub(super) async fn talk(
    state: &Arc<State>,
    chat: &Chat,
    caller: &ChatCaller,
    permit: Option<Permit>,
    heard: Heard,
    key: Option<RequestKey>,
) -> Result<TalkResult, Error> {
    let (life, state, chat) = (state.core.life.clone(), Arc::clone(state), chat.clone());
    let caller = caller.clone();
    let talked = life.finish("bot", async move {
        answer(&state, &chat, &caller, permit, heard, key.as_ref()).await
    });
    talked.await.unwrap_or(Err(Error::Server))
}

async fn answer(
    state: &State,
    chat: &Chat,
    caller: &ChatCaller,
    permit: Option<Permit>,
    mut heard: Heard,
    key: Option<&RequestKey>,
) -> Result<TalkResult, Error> {
    let _turn = state.lock_dialogue(&chat.id).await;
    let store = &caller.store;
    // A repeated request: it started a run, and is answered in the same way.
    if let Some(key) = key
        && let Some(run) = store.run_of_key(&chat.id, key.stored()).await?
    {
        return Ok(TalkResult { reply: dialogue::started(), run: Some(run) });
    }
    let chat = store.chat(&chat.id).await?.ok_or(Error::NoChat)?;
    let StoredDialogue { dialogue: before, file } = recall(store, &chat).await?;
    let file = last_file(state, &chat, caller, permit, file).await?;
    let seen = file
        .as_ref()
        .map(|(file, known)| FileSeen { name: file.name.clone(), columns: known.columns.clone() });
    let file = file.map(|(_, known)| known);
    let text = heard.text();
    let given = heard.take_steps();
    let shown: Option<Vec<_>> = given.as_deref().map(|steps| steps.iter().map(suggested).collect());
    let current = before.clone();
    // Classifying a long message may take long.
    let answered = state.core.life.blocking(move || {
        let input = match &heard {
            Heard::Message(text) => Input::Message(text),
            Heard::Uploaded => Input::Uploaded,
            Heard::Confirmed { confirmed, .. } => {
                Input::Confirmed { confirmed: *confirmed, modified: shown }
            }
        };
        dialogue::answer(current, input, seen.as_ref())
    });
    let (next, reply) = answered.await.map_err(|err| {
        tracing::error!(error = %err, "the bot panicked");
        Error::Server
    })?;
    if reply.understood != Understood::Yes {
        return Ok(TalkResult { reply, run: None });
    }
    // Before a run is started, so that a repeated yes starts no second one.
    remember(store, &chat, &StoredDialogue { dialogue: next, file: file.clone() }).await?;
    let run = match &reply.run {
        Some(steps) => {
            // Steps of the client are run as sent, with their members in order.
            let given = given.filter(|steps| !steps.is_empty());
            let steps = given.unwrap_or_else(|| steps.iter().map(step).collect());
            match begin::start_run(state, &caller.store, &chat, StartedBy::Bot, &steps, key).await {
                Ok(run) => Some(run),
                Err(err) => {
                    remember(store, &chat, &StoredDialogue { dialogue: before, file }).await?;
                    return Err(err);
                }
            }
        }
        None => None,
    };
    if reply.action == Some("cancel_workflow")
        && let Some(run) = open(store, &chat).await?
    {
        match runs::cancel_run(state, &caller.store, &chat, &run.id).await {
            // The run ended first.
            Ok(()) | Err(Error::Conflict(_)) => {}
            Err(err) => return Err(err),
        }
    }
    let metadata = json!({
        "intent": reply.intent,
        "suggested_workflow": reply.suggested,
        "job_id": run.as_ref().map(|run| &run.id),
    });
    let metadata = metadata.to_string();
    let of = |kind, content, metadata| NewChatMessage { kind, content, metadata };
    let mut messages = Vec::new();
    messages.extend(text.as_deref().map(|text| of(MessageType::User, text, "{}")));
    messages.push(of(MessageType::System, &reply.text, &metadata));
    if let Err(err) = store.add_chat_messages(&chat.id, None, &messages).await {
        // The request itself has been carried out.
        tracing::warn!(error = %err, chat = chat.id, "cannot store a message to the bot");
    }
    Ok(TalkResult { reply, run })
}

impl Heard {
    /// Text that the conversation shows of it.
    fn text(&self) -> Option<String> {
        match self {
            Self::Message(text) => Some(text.clone()),
            Self::Uploaded => None,
            Self::Confirmed { confirmed, .. } => {
                Some(if *confirmed { "yes" } else { "no" }.to_owned())
            }
        }
    }

    /// Takes the steps that come with it.
    fn take_steps(&mut self) -> Option<Vec<NewStep>> {
        match self {
            Self::Confirmed { modified, .. } => modified.take(),
            Self::Message(_) | Self::Uploaded => None,
        }
    }
}

/// Looks up the last uploaded file, and its columns.
async fn last_file(
    state: &State,
    chat: &Chat,
    caller: &ChatCaller,
    permit: Option<Permit>,
    known: Option<KnownFile>,
) -> Result<Option<(ChatFile, KnownFile)>, Error> {
    let files = caller.store.chat_files(&chat.id).await?;
    let Some(last) = files.into_iter().rfind(|file| file.place == Place::Uploads) else {
        return Ok(None);
    };
    let known = if let Some(known) = known.filter(|known| known.id == last.id) {
        known
    } else {
        let permit = permit.map_or_else(|| caller.admit(), Ok)?;
        KnownFile { id: last.id, columns: columns(state, &permit, &last).await? }
    };
    Ok(Some((last, known)))
}

async fn remember(store: &Store, chat: &Chat, kept: &StoredDialogue) -> Result<(), Error> {
    let kept = serde_json::to_string(kept).map_err(|err| {
        tracing::error!(error = %err, "cannot encode a conversation with the bot");
        Error::Server
    })?;
    Ok(store.set_dialogue(&chat.id, &kept).await?)
}

/// Lets the agent answer in the topic of the chat, and stores both messages, also if the client
/// disconnects meanwhile.
pub(super) async fn ask(
    state: &Arc<State>,
    chat: &Chat,
    caller: &ChatCaller,
    message: &str,
) -> Result<String, Error> {
    let topic = chat_topic(&chat.id).map_err(|err| Error::Invalid(err.to_string()))?;
    let known = caller.principal.user.clone();
    let user = known.unwrap_or_else(|| Arc::from(chat.participant.as_str()));
    let (holder, text) = (caller.acting_holder(&user), Arc::from(message));
    let agent = Some(Arc::from(&*state.config.agent));
    let ticket =
        state.desk.ask(Ask { topic, user, holder, text, agent, key: None, id: None }).await?;
    let (store, id) = (caller.store.clone(), chat.id.clone());
    let life = state.core.life.clone();
    let answered = state.core.life.finish("bot", async move {
        let text = match &ticket.ended().await.ending {
            Ending::Completed(text) => text.to_string(),
            Ending::Failed { code, .. } => return Err(Error::Agent(*code)),
            Ending::Cancelled(_) if life.is_closing() => return Err(Error::Stopping),
            Ending::Cancelled(_) => return Err(Error::Conflict("the turn was cancelled")),
        };
        let of = |kind, content| NewChatMessage { kind, content, metadata: "{}" };
        let messages = [of(MessageType::User, ticket.question()), of(MessageType::System, &text)];
        // A message that cannot be stored counts as not sent.
        if store.add_chat_messages(&id, None, &messages).await? {
            Ok(text)
        } else {
            Err(Error::NoChat)
        }
    });
    answered.await.unwrap_or(Err(Error::Server))
}

/// Phase of the conversation.
pub(super) async fn phase(store: &Store, chat: &Chat) -> Result<DialoguePhase, Error> {
    Ok(recall(store, chat).await?.dialogue.phase)
}

async fn recall(store: &Store, chat: &Chat) -> Result<StoredDialogue, Error> {
    let kept = chat.dialogue.as_deref().map(serde_json::from_str).transpose();
    let mut kept: StoredDialogue = kept
        .unwrap_or_else(|err| {
            tracing::warn!(error = %err, chat = chat.id, "cannot decode a conversation with the bot");
            None
        })
        .unwrap_or_default();
    if kept.dialogue.phase == DialoguePhase::Processing && open(store, chat).await?.is_none() {
        kept.dialogue = Dialogue::default();
    }
    Ok(kept)
}

/// Looks up the unfinished run that the bot started.
async fn open(store: &Store, chat: &Chat) -> Result<Option<Run>, Error> {
    let runs = store.runs(&chat.id, RECENT_RUNS).await?;
    let open = |run: &Run| {
        run.started_by == StartedBy::Bot.word()
            && matches!(run.status, RunStatus::Pending | RunStatus::Running)
    };
    Ok(runs.into_iter().find(open))
}

/// Reads the columns of a file; none if it is no table.
async fn columns(state: &State, permit: &Permit, file: &ChatFile) -> Result<Vec<String>, Error> {
    let worker = state.direct_limit.worker(permit).await;
    let folder = state.scratch.folder().map_err(|err| {
        tracing::error!(error = %err, "cannot create a folder for a file");
        Error::Server
    })?;
    let path = folder.path().join("input");
    engine::fetch(&state.memory.files, &file.key, &path).await?;
    let read = state.core.life.blocking(move || {
        let columns = quadrille_tabular::columns(&path, &Limits::default());
        drop((folder, worker));
        columns
    });
    let mut columns = match read.await {
        Ok(columns) => columns.unwrap_or_default(),
        Err(err) => {
            tracing::error!(error = %err, "reading a file panicked");
            return Err(Error::Server);
        }
    };
    let mut left = MAX_NAMES;
    columns.truncate(MAX_COLUMNS);
    columns.retain(|name| {
        let fits = name.len() <= left;
        left = left.saturating_sub(name.len());
        fits
    });
    Ok(columns)
}

fn step(suggested: &Suggested) -> NewStep {
    let arguments = match &suggested.arguments {
        Value::Null => "{}".to_owned(),
        given => given.to_string(),
    };
    NewStep { operation: suggested.operation.clone(), kind: StepKind::Internal, arguments }
}

fn suggested(step: &NewStep) -> Suggested {
    Suggested {
        operation: step.operation.clone(),
        arguments: wire::stored(&step.arguments),
        description: String::new(),
    }
}
