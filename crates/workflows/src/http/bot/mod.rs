//! The bot over HTTP: say what you want, look at what it suggests, and let it be run.
mod talk;

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::{Query, Request, State},
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::CONTENT_LENGTH};
use quadrille_identity::Action;
use quadrille_store::{Chat, ChatStatus, MessageType, NewChatMessage, Place, RunStatus};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use self::talk::{Answer, Heard};
use super::{
    begin::{self, AskedStep},
    caller::Caller,
    chats,
    envelope::{Answer as Told, Base, Envelope, ok},
    error::Error,
    files,
    key::Key,
    path::Path,
    read, runs,
};
use crate::{
    bot::{
        dialogue::{Reply, Understood},
        intent, texts,
    },
    digest::Digest,
    door::Door,
    wire,
};

const BOT: &str = "/api/v1/chat/bot";

/// Where conversations begin, also without a body.
pub(super) const BEGIN: &str = "/api/v1/chat/bot/conversations";

pub(super) fn router() -> OpenApiRouter<Arc<Door>> {
    OpenApiRouter::new()
        .routes(routes!(operations))
        .routes(routes!(create))
        .routes(routes!(delete))
        .routes(routes!(message))
        .routes(routes!(upload))
        .routes(routes!(confirm))
        .routes(routes!(history))
        .routes(routes!(status))
}

#[derive(Default, Deserialize, ToSchema)]
#[schema(as = Conversation)]
struct Create {
    /// What the conversation is called; a new name if it is left out.
    #[schema(
        min_length = 1,
        max_length = 250,
        pattern = r"^(?!restore$)[^\u0000-\u001f\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$"
    )]
    chat_id: Option<String>,
}

/// Begin a conversation, or come back to one
#[utoipa::path(
    post,
    path = BEGIN,
    operation_id = "create_conversation",
    tag = "bot",
    request_body = Create,
    responses(
        (status = 201, description = "The conversation and a `bot_message`", body = Told),
        (status = 409, description = "The `chat_id` is taken", body = Told),
    )
)]
async fn create(
    State(door): State<Arc<Door>>,
    caller: Caller,
    request: Request,
) -> Result<Envelope, Error> {
    let asked: Create = if is_empty(&request) { Create::default() } else { read(request).await? };
    let id = asked.chat_id.unwrap_or_else(|| Uuid::now_v7().to_string());
    // What is somebody else's is not taken over, and not told of.
    let taken = Error::Conflict("this chat_id is taken; choose another one");
    let there = caller.store.chat(&id).await?;
    match &there {
        None => caller.may_call(&id)?,
        Some(it) if door.may(it.user_id.as_deref(), &id, Action::Write, &caller.principal) => {}
        // A name that they could not use anyway is refused as if nobody had it.
        Some(_) => return Err(caller.may_call(&id).err().unwrap_or(taken)),
    }
    let chat = chats::put(&caller, &id, ChatStatus::Active, there.is_some()).await?;
    let chat = chat.ok_or(taken)?;
    let welcome = texts::welcome();
    let said = NewChatMessage { kind: MessageType::System, content: &welcome, metadata: "{}" };
    caller.store.add_chat_messages(&chat.id, None, &[said]).await?;
    let data = json!({
        "chat_id": chat.id,
        "participant_name": chat.participant,
        "status": chat.status.word(),
        "bot_message": welcome,
        "state": talk::phase(&caller.store, &chat).await?,
        "created_at": wire::time(chat.created_at),
    });
    Ok(ok("Bot conversation started successfully", data).status(StatusCode::CREATED))
}

#[derive(Deserialize, ToSchema)]
struct Message {
    /// At most 10,000 characters are understood.
    message: String,
}

/// Delete a conversation with everything in it
#[utoipa::path(
    delete,
    context_path = BOT,
    path = "/conversations/{chat}",
    operation_id = "delete_conversation",
    tag = "bot",
    responses((status = 200, description = "`chat_id`, which is free again", body = Told))
)]
async fn delete(
    door: State<Arc<Door>>,
    caller: Caller,
    chat: Path<String>,
) -> Result<Envelope, Error> {
    let deleted = chats::delete(door, caller, chat).await?;
    Ok(Envelope { message: "Bot conversation deleted successfully".to_owned(), ..deleted })
}

/// Say something to the bot
///
/// What it does not understand is answered with 200, and `status_code` is 400.
#[utoipa::path(
    post,
    context_path = BOT,
    path = "/conversations/{chat}/message",
    operation_id = "tell",
    tag = "bot",
    params(Key),
    request_body = Message,
    responses(
        (status = 200, description = "`bot_response`, and what it suggests", body = Told),
        (status = 409, description = "The turn of the agent was cancelled", body = Told),
        (status = 502, description = "The agent failed", body = Told),
    )
)]
async fn message(
    State(door): State<Arc<Door>>,
    caller: Caller,
    base: Base,
    Path(chat): Path<String>,
    key: Key,
    request: Request,
) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Write).await?;
    let Message { message } = read(request).await?;
    let heard = Heard::Message(message.clone());
    let key = key.of(&caller, || Digest::new().part("message").part(&message).done());
    let Answer { mut reply, run } = talk::talk(&door, &chat, &caller, None, heard, key).await?;
    if reply.understood == Understood::Unknown && !door.config.agent.is_empty() {
        reply = Reply {
            text: talk::ask(&door, &chat, &caller, &message).await?,
            understood: Understood::Yes,
            ..reply
        };
    }
    if reply.understood != Understood::Yes {
        return Ok(refused(&reply));
    }
    let outputs = listed(&door, &chat, Place::Outputs, &base).await?;
    let data = json!({
        "bot_response": reply.text,
        "intent": reply.intent,
        "suggested_workflow": reply.suggested,
        "requires_confirmation": reply.requires_confirmation,
        "requires_file": reply.requires_file,
        "action": reply.action,
        "output_files": outputs,
        "job_id": run.map(|it| it.id),
    });
    Ok(ok("Message processed successfully", data))
}

/// As clients know it, the response is a success and its body is not, and `bot_response` alone says
/// what to do.
fn refused(reply: &Reply) -> Envelope {
    let data = json!({ "error_type": "Error", "details": null, "bot_response": reply.text });
    let message = "Unknown error".to_owned();
    Envelope { status: StatusCode::OK, told: 400, message, data, total: 0 }
}

/// Add a file to a conversation
#[utoipa::path(
    post,
    context_path = BOT,
    path = "/conversations/{chat}/upload",
    operation_id = "upload_to_bot",
    tag = "bot",
    responses(
        (status = 200, description = "The file, `bot_response`, and what it suggests", body = Told),
    )
)]
async fn upload(
    State(door): State<Arc<Door>>,
    caller: Caller,
    base: Base,
    Path(chat): Path<String>,
    request: Request,
) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Write).await?;
    // Before the file comes: what is refused then would be there all the same.
    let place = caller.place()?;
    let file = files::take(&door, &caller, &chat, request, true).await?;
    let Answer { reply, .. } =
        talk::talk(&door, &chat, &caller, Some(place), Heard::Uploaded, None).await?;
    let mut data = files::uploaded(&chat, &file, &base);
    data["bot_response"] = reply.text.into();
    data["suggested_workflow"] = json!(reply.suggested);
    data["requires_confirmation"] = reply.requires_confirmation.into();
    Ok(ok("File uploaded successfully", data))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Confirmation)]
struct Confirm {
    confirmed: bool,
    /// Other steps than the ones that were suggested.
    modified_workflow: Option<Vec<AskedStep>>,
}

/// Let the bot do what it suggested, or not
///
/// Where nothing is suggested the answer is 400.
#[utoipa::path(
    post,
    context_path = BOT,
    path = "/conversations/{chat}/confirm",
    tag = "bot",
    params(Key),
    request_body = Confirm,
    responses(
        (status = 200, description = "It is not done", body = Told),
        (status = 202, description = "It is being done as the run `job_id`", body = Told),
    )
)]
async fn confirm(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Path(chat): Path<String>,
    key: Key,
    request: Request,
) -> Result<Response, Error> {
    let chat = caller.chat(&chat, Action::Write).await?;
    let Confirm { confirmed, modified_workflow } = read(request).await?;
    let taken = |steps: Vec<AskedStep>| steps.into_iter().map(AskedStep::taken).collect();
    let modified: Option<Vec<_>> = modified_workflow.map(taken).transpose()?;
    let word = if confirmed { "confirm" } else { "decline" };
    let key = key.of(&caller, || begin::digest(word, modified.as_deref().unwrap_or_default()));
    let heard = Heard::Confirmed { confirmed, modified };
    let Answer { reply, run } = talk::talk(&door, &chat, &caller, None, heard, key).await?;
    if reply.understood != Understood::Yes {
        return Ok(refused(&reply).status(StatusCode::BAD_REQUEST).into_response());
    }
    let Some(run) = run else {
        let data = json!({ "bot_response": reply.text, "output_files": [], "results": [] });
        return Ok(ok("Workflow confirmation processed", data).into_response());
    };
    let data = json!({
        "job_id": run.id,
        "status": "submitted",
        "message": "Workflow submitted for execution. Use WebSocket or check status endpoint for \
                    progress.",
        "bot_response": reply.text,
    });
    let submitted = ok("Workflow submitted for background execution", data);
    Ok(submitted.status(StatusCode::ACCEPTED).into_response())
}

/// Look at a run
///
/// One that was interrupted is shown as one that failed.
#[utoipa::path(
    get,
    context_path = BOT,
    path = "/conversations/{chat}/workflow/status/{job}",
    operation_id = "job_status",
    tag = "bot",
    responses((status = 200, description = "The run", body = Told))
)]
async fn status(
    State(door): State<Arc<Door>>,
    caller: Caller,
    base: Base,
    Path((chat, job)): Path<(String, String)>,
) -> Result<Envelope, Error> {
    let (chat, run) = caller.run(&chat, &job, Action::Read).await?;
    let mut shown = runs::look(&door, &caller.store, &chat, &run.id, &base).await?;
    // Who polls waits for one of the words that they know.
    if shown["status"] == RunStatus::Interrupted.word() {
        shown["status"] = RunStatus::Failed.word().into();
    }
    if shown["result"].is_object() {
        shown["result"]["output_files"] = listed(&door, &chat, Place::Outputs, &base).await?;
    }
    Ok(ok("Job status retrieved successfully", shown))
}

/// Read a conversation
#[utoipa::path(
    get,
    context_path = BOT,
    path = "/conversations/{chat}/history",
    operation_id = "conversation",
    tag = "bot",
    params(("limit" = Option<u64>, Query, maximum = 4_294_967_295u32, description = "messages at most; 1000 if not given")),
    responses(
        (status = 200, description = "Messages, files and steps, and `current_state`", body = Told),
        (status = 422, description = "The limit is no whole number", body = Told),
    )
)]
async fn history(
    State(door): State<Arc<Door>>,
    caller: Caller,
    base: Base,
    Path(chat): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Read).await?;
    let limit = match query.get("limit").filter(|it| !it.is_empty()) {
        None => chats::SHOWN,
        Some(text) => text
            .parse()
            .map_err(|_| Error::Invalid(format!("limit must be a whole number, found {text:?}")))?,
    };
    let store = &caller.store;
    let said = store.chat_messages(&chat.id, limit).await?;
    let steps = store.steps_of_chat(&chat.id, chats::SHOWN).await?;
    let files = store.chat_files(&chat.id).await?;
    let data = json!({
        "chat_id": chat.id,
        "participant_name": chat.participant,
        "status": chat.status.word(),
        "current_state": talk::phase(&caller.store, &chat).await?,
        "messages": said.iter().map(wire::message).collect::<Vec<_>>(),
        "uploaded_files": listed(&door, &chat, Place::Uploads, &base).await?,
        "output_files": listed(&door, &chat, Place::Outputs, &base).await?,
        "workflow_steps": steps.iter().map(|it| wire::step(&chat, it, &files)).collect::<Vec<_>>(),
    });
    Ok(ok("Conversation history retrieved successfully", data).total(said.len()))
}

/// List what the bot understands
#[utoipa::path(
    get,
    context_path = BOT,
    path = "/operations",
    operation_id = "list_operations",
    tag = "bot",
    responses((status = 200, description = "`operations` and `total_intents`", body = Told))
)]
async fn operations(_: Caller) -> Envelope {
    let operations = intent::operations();
    let total = operations.len();
    let data = json!({ "operations": operations, "total_intents": total });
    ok("Supported operations retrieved successfully", data).total(total)
}

async fn listed(door: &Door, chat: &Chat, place: Place, base: &Base) -> Result<Value, Error> {
    let files = door.memory.store.chat_files(&chat.id).await?;
    Ok(wire::files(chat, &files, place, base).into())
}

/// Whether a request says that it has no body.
fn is_empty(request: &Request) -> bool {
    let headers = request.headers();
    let length = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    !headers.contains_key(http::header::TRANSFER_ENCODING) && length.is_none_or(|it| it == "0")
}
