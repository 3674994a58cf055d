//! The bot over HTTP: send a message, look at the suggestion, and confirm it.
mod talk;

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::{self, Query, Request},
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::CONTENT_LENGTH};
use quadrille_edge::http::Base;
use quadrille_identity::Action;
use quadrille_store::{Chat, ChatStatus, MessageType, NewChatMessage, Place, RunStatus};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use self::talk::{Heard, TalkResult};
use super::{
    begin::{self, StepBody},
    body::read,
    caller::ChatCaller,
    chats,
    envelope::{Envelope, EnvelopeBody, ok},
    error::Error,
    files,
    key::KeyHeader,
    path::Path,
    runs,
};
use crate::{
    CONVERSATIONS,
    bot::{
        dialogue::{BotReply, Understood},
        intent, texts,
    },
    digest::Digest,
    state::State,
    wire,
};

/// Base path of the bot.
const BOT: &str = "/api/v1/chat/bot";

pub(super) fn router() -> OpenApiRouter<Arc<State>> {
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
struct ConversationBody {
    /// Id of the conversation; a new one if it is left out.
    #[schema(
        min_length = 1,
        max_length = 250,
        pattern = r"^(?!restore$)[^\u0000-\u001f\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$"
    )]
    chat_id: Option<String>,
}

/// Start or resume a conversation
#[utoipa::path(
    post,
    path = CONVERSATIONS,
    operation_id = "create_conversation",
    tag = "bot",
    request_body = ConversationBody,
    responses(
        (status = 201, description = "The conversation and a `bot_message`", body = EnvelopeBody),
        (status = 409, description = "The `chat_id` is taken", body = EnvelopeBody),
    )
)]
async fn create(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
    request: Request,
) -> Result<Envelope, Error> {
    let body: ConversationBody =
        if is_empty(&request) { ConversationBody::default() } else { read(request).await? };
    let id = body.chat_id.unwrap_or_else(|| Uuid::now_v7().to_string());
    // Another user's conversation is neither taken over nor disclosed.
    let taken = Error::Conflict("this chat_id is taken; choose another one");
    let existing = caller.store.chat(&id).await?;
    match &existing {
        None => caller.check_chat_id(&id)?,
        Some(chat)
            if state.may_access(chat.user_id.as_deref(), &id, Action::Write, &caller.principal) => {
        }
        // An id that the caller may not use is refused as if it were free.
        Some(_) => return Err(caller.check_chat_id(&id).err().unwrap_or(taken)),
    }
    let chat = chats::put(&caller, &id, ChatStatus::Active, existing.is_some()).await?;
    let chat = chat.ok_or(taken)?;
    let welcome = texts::welcome();
    let message = NewChatMessage { kind: MessageType::System, content: &welcome, metadata: "{}" };
    caller.store.add_chat_messages(&chat.id, None, &[message]).await?;
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
#[schema(as = Message)]
struct MessageBody {
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
    responses((status = 200, description = "`chat_id`, which is free again", body = EnvelopeBody))
)]
async fn delete(
    state: extract::State<Arc<State>>,
    caller: ChatCaller,
    chat: Path<String>,
) -> Result<Envelope, Error> {
    let deleted = chats::delete(state, caller, chat).await?;
    Ok(Envelope { message: "Bot conversation deleted successfully".to_owned(), ..deleted })
}

/// Send a message to the bot
///
/// A message that is not understood is answered with 200, and `status_code` is 400.
#[utoipa::path(
    post,
    context_path = BOT,
    path = "/conversations/{chat}/message",
    operation_id = "tell",
    tag = "bot",
    params(KeyHeader),
    request_body = MessageBody,
    responses(
        (status = 200, description = "`bot_response`, and what it suggests", body = EnvelopeBody),
        (status = 409, description = "The turn of the agent was cancelled", body = EnvelopeBody),
        (status = 502, description = "The agent failed", body = EnvelopeBody),
    )
)]
async fn message(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
    base: Base,
    Path(chat): Path<String>,
    key: KeyHeader,
    request: Request,
) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Write).await?;
    let MessageBody { message } = read(request).await?;
    let heard = Heard::Message(message.clone());
    let key = key.of(&caller, || Digest::new().part("message").part(&message).done());
    let TalkResult { mut reply, run } =
        talk::talk(&state, &chat, &caller, None, heard, key).await?;
    if reply.understood == Understood::Unknown && !state.config.agent.is_empty() {
        reply = BotReply {
            text: talk::ask(&state, &chat, &caller, &message).await?,
            understood: Understood::Yes,
            ..reply
        };
    }
    if reply.understood != Understood::Yes {
        return Ok(refused(&reply));
    }
    let outputs = listed(&state, &chat, Place::Outputs, &base).await?;
    let data = json!({
        "bot_response": reply.text,
        "intent": reply.intent,
        "suggested_workflow": reply.suggested,
        "requires_confirmation": reply.requires_confirmation,
        "requires_file": reply.requires_file,
        "action": reply.action,
        "output_files": outputs,
        "job_id": run.map(|run| run.id),
    });
    Ok(ok("Message processed successfully", data))
}

/// As in the original, the response is a success whose body is not; `bot_response` says what to do.
fn refused(reply: &BotReply) -> Envelope {
    let data = json!({ "error_type": "Error", "details": null, "bot_response": reply.text });
    let message = "Unknown error".to_owned();
    Envelope { status: StatusCode::OK, body_status: 400, message, data, total: 0 }
}

/// Add a file to a conversation
#[utoipa::path(
    post,
    context_path = BOT,
    path = "/conversations/{chat}/upload",
    operation_id = "upload_to_bot",
    tag = "bot",
    responses(
        (status = 200, description = "The file, `bot_response`, and what it suggests", body = EnvelopeBody),
    )
)]
async fn upload(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
    base: Base,
    Path(chat): Path<String>,
    request: Request,
) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Write).await?;
    // Before the file is stored: a refusal afterwards would leave it there.
    let permit = caller.admit()?;
    let file = files::take(&state, &caller, &chat, request, true).await?;
    let TalkResult { reply, .. } =
        talk::talk(&state, &chat, &caller, Some(permit), Heard::Uploaded, None).await?;
    let mut data = files::uploaded(&chat, &file, &base);
    data["bot_response"] = reply.text.into();
    data["suggested_workflow"] = json!(reply.suggested);
    data["requires_confirmation"] = reply.requires_confirmation.into();
    Ok(ok("File uploaded successfully", data))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Confirmation)]
struct ConfirmationBody {
    confirmed: bool,
    /// Steps to run instead of the suggested ones.
    modified_workflow: Option<Vec<StepBody>>,
}

/// Confirm or decline the suggested steps
///
/// Without a suggestion, the answer is 400.
#[utoipa::path(
    post,
    context_path = BOT,
    path = "/conversations/{chat}/confirm",
    tag = "bot",
    params(KeyHeader),
    request_body = ConfirmationBody,
    responses(
        (status = 200, description = "The steps are not run", body = EnvelopeBody),
        (status = 202, description = "The steps run as `job_id`", body = EnvelopeBody),
    )
)]
async fn confirm(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
    Path(chat): Path<String>,
    key: KeyHeader,
    request: Request,
) -> Result<Response, Error> {
    let chat = caller.chat(&chat, Action::Write).await?;
    let ConfirmationBody { confirmed, modified_workflow } = read(request).await?;
    let convert = |steps: Vec<StepBody>| steps.into_iter().map(StepBody::into_step).collect();
    let modified: Option<Vec<_>> = modified_workflow.map(convert).transpose()?;
    let word = if confirmed { "confirm" } else { "decline" };
    let key = key.of(&caller, || begin::digest(word, modified.as_deref().unwrap_or_default()));
    let heard = Heard::Confirmed { confirmed, modified };
    let TalkResult { reply, run } = talk::talk(&state, &chat, &caller, None, heard, key).await?;
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

/// Get a run
///
/// An interrupted run is shown as failed.
#[utoipa::path(
    get,
    context_path = BOT,
    path = "/conversations/{chat}/workflow/status/{job}",
    operation_id = "job_status",
    tag = "bot",
    responses((status = 200, description = "The run", body = EnvelopeBody))
)]
async fn status(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
    base: Base,
    Path((chat, job)): Path<(String, String)>,
) -> Result<Envelope, Error> {
    let (chat, run) = caller.run(&chat, &job, Action::Read).await?;
    let mut shown = runs::show_run(&state, &caller.store, &chat, &run.id, &base).await?;
    // Clients of the original poll for a status that they know.
    if shown["status"] == RunStatus::Interrupted.word() {
        shown["status"] = RunStatus::Failed.word().into();
    }
    if shown["result"].is_object() {
        shown["result"]["output_files"] = listed(&state, &chat, Place::Outputs, &base).await?;
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
    params(("limit" = Option<u64>, Query, maximum = 4_294_967_295u32, description = "maximum number of messages; 1000 by default")),
    responses(
        (status = 200, description = "Messages, files and steps, and `current_state`", body = EnvelopeBody),
        (status = 422, description = "The limit is not a whole number", body = EnvelopeBody),
    )
)]
async fn history(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
    base: Base,
    Path(chat): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Read).await?;
    let limit = match query.get("limit").filter(|limit| !limit.is_empty()) {
        None => chats::MAX_SHOWN,
        Some(text) => text
            .parse()
            .map_err(|_| Error::Invalid(format!("limit must be a whole number, found {text:?}")))?,
    };
    let store = &caller.store;
    let messages = store.chat_messages(&chat.id, limit).await?;
    let steps = store.steps_of_chat(&chat.id, chats::MAX_SHOWN).await?;
    let files = store.chat_files(&chat.id).await?;
    let data = json!({
        "chat_id": chat.id,
        "participant_name": chat.participant,
        "status": chat.status.word(),
        "current_state": talk::phase(&caller.store, &chat).await?,
        "messages": messages.iter().map(wire::message).collect::<Vec<_>>(),
        "uploaded_files": listed(&state, &chat, Place::Uploads, &base).await?,
        "output_files": listed(&state, &chat, Place::Outputs, &base).await?,
        "workflow_steps": steps.iter().map(|step| wire::step(&chat, step, &files)).collect::<Vec<_>>(),
    });
    Ok(ok("Conversation history retrieved successfully", data).total(messages.len()))
}

/// List supported operations
#[utoipa::path(
    get,
    context_path = BOT,
    path = "/operations",
    operation_id = "list_operations",
    tag = "bot",
    responses((status = 200, description = "`operations` and `total_intents`", body = EnvelopeBody))
)]
async fn operations(_: ChatCaller) -> Envelope {
    let operations = intent::operations();
    let total = operations.len();
    let data = json!({ "operations": operations, "total_intents": total });
    ok("Supported operations retrieved successfully", data).total(total)
}

async fn listed(state: &State, chat: &Chat, place: Place, base: &Base) -> Result<Value, Error> {
    let files = state.memory.store.chat_files(&chat.id).await?;
    Ok(wire::files(chat, &files, place, base).into())
}

/// Whether a request declares no body.
fn is_empty(request: &Request) -> bool {
    let headers = request.headers();
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    !headers.contains_key(http::header::TRANSFER_ENCODING)
        && length.is_none_or(|length| length == "0")
}
