//! One thing that somebody says to the bot: what it remembers, what it answers, and what is done.
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
        dialogue::{self, Input, Phase, Reply, State, Understood},
        suggest::{FileSeen, Suggested},
    },
    door::{self, Door},
    engine,
    http::{begin, caller::Caller, error::Error, key::Keyed, runs},
    news::Origin,
    wire,
};

/// Columns that the bot knows of a file, at most, and the bytes of their names.
const MAX_COLUMNS: usize = 1000;
const MAX_NAMES: usize = 64 << 10;

/// Runs among which the one is looked for that the bot began.
const RUNS: Page = Page { limit: 100, offset: 0 };

/// What is kept between two requests.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    #[serde(default)]
    state: State,
    file: Option<KeptFile>,
}

#[derive(Clone, Serialize, Deserialize)]
struct KeptFile {
    id: i64,
    columns: Vec<String>,
}

/// What came of it.
pub(super) struct Answer {
    pub(super) reply: Reply,
    /// What was begun.
    pub(super) run: Option<Run>,
}

/// What somebody says or does.
pub(super) enum Heard {
    Message(String),
    Uploaded,
    Confirmed { confirmed: bool, modified: Option<Vec<NewStep>> },
}

/// Hear it, answer, and keep both in the conversation. To look at a file takes a place among direct
/// requests, if the caller has none.
pub(super) async fn talk(
    door: &Arc<Door>,
    chat: &Chat,
    caller: &Caller,
    place: Option<Permit>,
    heard: Heard,
    key: Option<Keyed>,
) -> Result<Answer, Error> {
    let (life, door, chat) = (door.core.life.clone(), Arc::clone(door), chat.clone());
    let caller = caller.clone();
    let talked = life.finish("bot", async move {
        answer(&door, &chat, &caller, place, heard, key.as_ref()).await
    });
    talked.await.unwrap_or(Err(Error::Server))
}

async fn answer(
    door: &Door,
    chat: &Chat,
    caller: &Caller,
    place: Option<Permit>,
    mut heard: Heard,
    key: Option<&Keyed>,
) -> Result<Answer, Error> {
    let _turn = door.talk(&chat.id).await;
    let store = &caller.store;
    // It began a run before, and was answered so, whoever heard it.
    if let Some(key) = key
        && let Some(run) = store.run_of_key(&chat.id, key.stored()).await?
    {
        return Ok(Answer { reply: dialogue::started(), run: Some(run) });
    }
    let chat = store.chat(&chat.id).await?.ok_or(Error::NoChat)?;
    let Kept { state: before, file } = recall(store, &chat).await?;
    let file = last_file(door, &chat, caller, place, file).await?;
    let seen = file
        .as_ref()
        .map(|(file, known)| FileSeen { name: file.name.clone(), columns: known.columns.clone() });
    let file = file.map(|(_, known)| known);
    let said = heard.words();
    let given = heard.steps();
    let shown: Option<Vec<_>> = given.as_deref().map(|it| it.iter().map(suggested).collect());
    let state = before.clone();
    // To find out what a long message says takes a while.
    let answered = door.core.life.blocking(move || {
        let input = match &heard {
            Heard::Message(text) => Input::Message(text),
            Heard::Uploaded => Input::Uploaded,
            Heard::Confirmed { confirmed, .. } => {
                Input::Confirmed { confirmed: *confirmed, modified: shown }
            }
        };
        dialogue::answer(state, input, seen.as_ref())
    });
    let (state, reply) = answered.await.map_err(|why| {
        tracing::error!(error = %why, "the bot panicked");
        Error::Server
    })?;
    if reply.understood != Understood::Yes {
        return Ok(Answer { reply, run: None });
    }
    // Before anything is begun: said again, a yes begins no second run.
    remember(store, &chat, &Kept { state, file: file.clone() }).await?;
    let run = match &reply.run {
        Some(steps) => {
            // Those that came are run as they came, with what is in them in its order.
            let given = given.filter(|it| !it.is_empty());
            let steps = given.unwrap_or_else(|| steps.iter().map(step).collect());
            match begin::begin(door, &caller.store, &chat, Origin::Bot, &steps, key).await {
                Ok(run) => Some(run),
                Err(why) => {
                    remember(store, &chat, &Kept { state: before, file }).await?;
                    return Err(why);
                }
            }
        }
        None => None,
    };
    if reply.action == Some("cancel_workflow")
        && let Some(run) = open(store, &chat).await?
    {
        match runs::end(door, &caller.store, &chat, &run.id).await {
            // It was faster.
            Ok(()) | Err(Error::Conflict(_)) => {}
            Err(why) => return Err(why),
        }
    }
    let metadata = json!({
        "intent": reply.intent,
        "suggested_workflow": reply.suggested,
        "job_id": run.as_ref().map(|it| &it.id),
    });
    let metadata = metadata.to_string();
    let of = |kind, content, metadata| NewChatMessage { kind, content, metadata };
    let mut messages = Vec::new();
    messages.extend(said.as_deref().map(|said| of(MessageType::User, said, "{}")));
    messages.push(of(MessageType::System, &reply.text, &metadata));
    if let Err(why) = store.add_chat_messages(&chat.id, None, &messages).await {
        // What was asked for is under way nevertheless.
        tracing::warn!(error = %why, chat = chat.id, "what was said to the bot is not kept");
    }
    Ok(Answer { reply, run })
}

impl Heard {
    /// What the conversation shows of it.
    fn words(&self) -> Option<String> {
        match self {
            Self::Message(text) => Some(text.clone()),
            Self::Uploaded => None,
            Self::Confirmed { confirmed, .. } => {
                Some(if *confirmed { "yes" } else { "no" }.to_owned())
            }
        }
    }

    /// The steps that come with it.
    fn steps(&mut self) -> Option<Vec<NewStep>> {
        match self {
            Self::Confirmed { modified, .. } => modified.take(),
            Self::Message(_) | Self::Uploaded => None,
        }
    }
}

/// The file that was uploaded last, and its columns.
async fn last_file(
    door: &Door,
    chat: &Chat,
    caller: &Caller,
    place: Option<Permit>,
    known: Option<KeptFile>,
) -> Result<Option<(ChatFile, KeptFile)>, Error> {
    let files = caller.store.chat_files(&chat.id).await?;
    let Some(last) = files.into_iter().rfind(|it| it.place == Place::Uploads) else {
        return Ok(None);
    };
    let known = if let Some(known) = known.filter(|it| it.id == last.id) {
        known
    } else {
        let place = place.map_or_else(|| caller.place(), Ok)?;
        KeptFile { id: last.id, columns: columns(door, &place, &last).await? }
    };
    Ok(Some((last, known)))
}

async fn remember(store: &Store, chat: &Chat, kept: &Kept) -> Result<(), Error> {
    let kept = serde_json::to_string(kept).map_err(|why| {
        tracing::error!(error = %why, "what the bot is to remember cannot be written");
        Error::Server
    })?;
    Ok(store.set_dialogue(&chat.id, &kept).await?)
}

/// Let the agent answer what the caller says, in the topic of the chat, and keep both, also if the
/// client leaves meanwhile.
pub(super) async fn ask(
    door: &Arc<Door>,
    chat: &Chat,
    caller: &Caller,
    message: &str,
) -> Result<String, Error> {
    let topic = door::topic(&chat.id).map_err(|why| Error::Invalid(why.to_string()))?;
    let known = caller.principal.user.clone();
    let user = known.unwrap_or_else(|| Arc::from(chat.participant.as_str()));
    let (holder, text) = (caller.acting_holder(&user), Arc::from(message));
    let agent = Some(Arc::from(&*door.config.agent));
    let ticket = door.desk.ask(Ask { topic, user, holder, text, agent, key: None, id: None })?;
    let (store, id) = (caller.store.clone(), chat.id.clone());
    let life = door.core.life.clone();
    let answered = door.core.life.finish("bot", async move {
        let text = match &ticket.ended().await.ending {
            Ending::Completed(text) => text.to_string(),
            Ending::Failed(code) => return Err(Error::Agent(*code)),
            Ending::Cancelled(_) if life.is_closing() => return Err(Error::Stopping),
            Ending::Cancelled(_) => return Err(Error::Conflict("the turn was cancelled")),
        };
        let of = |kind, content| NewChatMessage { kind, content, metadata: "{}" };
        let said = [of(MessageType::User, ticket.question()), of(MessageType::System, &text)];
        // What is kept nowhere was not said.
        if store.add_chat_messages(&id, None, &said).await? { Ok(text) } else { Err(Error::NoChat) }
    });
    answered.await.unwrap_or(Err(Error::Server))
}

/// Where the conversation is.
pub(super) async fn phase(store: &Store, chat: &Chat) -> Result<Phase, Error> {
    Ok(recall(store, chat).await?.state.phase)
}

async fn recall(store: &Store, chat: &Chat) -> Result<Kept, Error> {
    let kept = chat.dialogue.as_deref().map(serde_json::from_str).transpose();
    let mut kept: Kept = kept
        .unwrap_or_else(|why| {
            tracing::warn!(error = %why, chat = chat.id, "the bot has forgotten a conversation");
            None
        })
        .unwrap_or_default();
    if kept.state.phase == Phase::Processing && open(store, chat).await?.is_none() {
        kept.state = State::default();
    }
    Ok(kept)
}

/// The run that the bot began and that is not over.
async fn open(store: &Store, chat: &Chat) -> Result<Option<Run>, Error> {
    let runs = store.runs(&chat.id, RUNS).await?;
    let open = |it: &Run| {
        it.started_by == Origin::Bot.word()
            && matches!(it.status, RunStatus::Pending | RunStatus::Running)
    };
    Ok(runs.into_iter().find(open))
}

/// The columns of a file; none if it is no table.
async fn columns(door: &Door, place: &Permit, file: &ChatFile) -> Result<Vec<String>, Error> {
    let worker = door.room.work(place).await;
    let folder = door.scratch.folder().map_err(|why| {
        tracing::error!(error = %why, "there is no place to look at a file");
        Error::Server
    })?;
    let path = folder.path().join("input");
    engine::fetch(&door.memory.files, &file.key, &path).await?;
    let read = door.core.life.blocking(move || {
        let columns = quadrille_tabular::columns(&path, &Limits::default());
        drop((folder, worker));
        columns
    });
    let mut columns = match read.await {
        Ok(columns) => columns.unwrap_or_default(),
        Err(why) => {
            tracing::error!(error = %why, "a file could not be looked at");
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
