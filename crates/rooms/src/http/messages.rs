//! The messages of a conversation: read, searched, and added without asking an agent.
use std::sync::Arc;

use axum::{
    Json,
    extract::{self, Request},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use quadrille_core::IdempotencyKey;
use quadrille_edge::http::Base;
use quadrille_identity::Action;
use quadrille_store::{Message, RunningReply, Sender};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    caller::RoomsCaller,
    error::{Error, RefusalBody},
    intake::{Intake, discard},
    params::{ConversationPath, Params},
    publish::{ONLY_FILES, PendingMessage},
    shape::{ConversationShape, MessageShape},
    task::to_the_end,
};
use crate::{links::Addresses, state::State, wire};

#[derive(Serialize, ToSchema)]
struct MessagePage<'a> {
    conversation: ConversationShape<'a>,
    messages: Vec<MessageShape<'a>>,
    has_more: bool,
}

/// List the newest messages, oldest first
#[utoipa::path(
    get,
    path = "/conversations/{id}/messages",
    operation_id = "list_messages",
    tag = "rooms",
    params(
        ("limit" = Option<u128>, Query, minimum = 1, description = "at most so many, and at most 1000 and 2 MiB"),
        ("before" = Option<u128>, Query, description = "those before the message of this id"),
    ),
    responses((status = 200, description = "Messages", body = inline(MessagePage<'_>)))
)]
pub(super) async fn list(
    extract::State(state): extract::State<Arc<State>>,
    caller: RoomsCaller,
    ConversationPath(id): ConversationPath,
    base: Base,
    params: Params,
) -> Result<Response, Error> {
    let (before, limit) = (params.number("before")?, params.limit()?);
    let user = caller.acting(None)?;
    let conversation = caller.conversation(id, Action::Read, user.as_deref()).await?;
    let store = caller.store();
    // Before the messages: a reply that ends in between may be in both, and is in one of them.
    let mut running = match before {
        None => store.running_replies(id).await?,
        Some(_) => Vec::new(),
    };
    let messages = store.messages(id, before, limit).await?;
    running.retain(|reply| !messages.iter().any(|message| is_reply_of(message, reply)));
    let has_more = match messages.first() {
        Some(oldest) => store.has_messages_before(id, oldest.id).await?,
        None => false,
    };
    let addresses = state.links.of(&base, &messages).await;
    let page = MessagePage {
        conversation: (&conversation).into(),
        messages: messages
            .iter()
            .map(|message| MessageShape::of(message, &addresses))
            .chain(running.iter().map(|reply| MessageShape::running(id, reply)))
            .collect(),
        has_more,
    };
    Ok(Json(page).into_response())
}

/// Whether `message` is what `reply` became when it ended.
fn is_reply_of(message: &Message, reply: &RunningReply) -> bool {
    let metadata = message.metadata.as_deref().filter(|_| message.sender == Sender::Assistant);
    let metadata = metadata.and_then(|text| serde_json::from_str::<Value>(text).ok());
    metadata.is_some_and(|value| value["turn"].as_str() == Some(&reply.turn.to_string()))
}

#[derive(Serialize, ToSchema)]
struct SearchResult<'a> {
    query: &'a str,
    messages: Vec<MessageShape<'a>>,
    has_more: bool,
}

/// Find messages that contain every word of `q`, newest first
#[utoipa::path(
    get,
    path = "/api/v1/search",
    tag = "rooms",
    params(
        ("q" = String, Query, min_length = 1, pattern = r"[^\s\u0085]", description = "words"),
        ("limit" = Option<u128>, Query, minimum = 1, description = "at most so many, and at most 1000 and 2 MiB"),
        ("offset" = Option<u128>, Query, description = "without the first so many"),
    ),
    responses((status = 200, description = "Messages", body = inline(SearchResult<'_>)))
)]
pub(super) async fn search(
    extract::State(state): extract::State<Arc<State>>,
    caller: RoomsCaller,
    base: Base,
    params: Params,
) -> Result<Response, Error> {
    let user = caller.user(None)?;
    let query =
        params.text("q").filter(|query| !query.trim().is_empty()).ok_or(Error::Required("q"))?;
    let found = caller.store().search(&user, query, params.page()?).await?;
    let addresses = state.links.of(&base, &found.messages).await;
    let messages =
        found.messages.iter().map(|message| MessageShape::of(message, &addresses)).collect();
    Ok(Json(SearchResult { query, messages, has_more: found.has_more }).into_response())
}

#[derive(Serialize, ToSchema)]
struct AddedMessage<'a> {
    message: MessageShape<'a>,
    conversation: ConversationShape<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temp_id: Option<&'a Value>,
}

/// The event `new_message` of a message that came over HTTP.
#[derive(Serialize)]
struct Nested<'a> {
    message: MessageShape<'a>,
    conversation_id: i64,
    temp_id: Option<&'a Value>,
}

/// Add a message, with files or without; no agent is asked
#[utoipa::path(
    post,
    path = "/messages",
    operation_id = "add_message",
    tag = "rooms",
    responses(
        (status = 200, description = "The message of the same `temp_id` that was there", body = inline(AddedMessage<'_>)),
        (status = 201, description = "The message", body = inline(AddedMessage<'_>)),
        (status = 409, description = "`temp_id` came with another message", body = RefusalBody),
    )
)]
pub(super) async fn add(
    extract::State(state): extract::State<Arc<State>>,
    caller: RoomsCaller,
    base: Base,
    request: Request,
) -> Result<Response, Error> {
    caller.count_publication()?;
    let life = state.core.life.clone();
    to_the_end(&life, "message", async move {
        let intake = Intake::read(&state, &caller, request).await?;
        let temp_id = intake.fields.value("temp_id");
        let (intake, pending) = match read(&caller, &intake) {
            Ok(pending) => (intake, pending),
            Err(err) => {
                discard(&state, &intake.uploads).await;
                return Err(err);
            }
        };
        let pending = PendingMessage { uploads: intake.uploads, ..pending };
        let temp_id = temp_id.as_ref();
        let stored = pending
            .publish(&state, &caller, &base, |message, at| nested(message, at, temp_id))
            .await?;
        let status = if stored.is_new { StatusCode::CREATED } else { StatusCode::OK };
        let added = AddedMessage {
            message: MessageShape::of(&stored.message, &stored.addresses),
            conversation: (&stored.conversation).into(),
            temp_id,
        };
        Ok((status, Json(added)).into_response())
    })
    .await
}

fn nested(
    message: &Message,
    addresses: &Addresses,
    temp_id: Option<&Value>,
) -> (&'static str, String) {
    let conversation_id = message.conversation_id;
    let shown = Nested { message: MessageShape::of(message, addresses), conversation_id, temp_id };
    ("new_message", wire::json(&shown))
}

/// The message to be stored, without its files.
fn read(
    caller: &RoomsCaller,
    Intake { fields, uploads, .. }: &Intake,
) -> Result<PendingMessage, Error> {
    let conversation = fields.conversation()?.ok_or(Error::Required("conversation_id"))?;
    let user = caller.user(fields.name("user_id")?.as_deref())?;
    let sender = match fields.text("sender")?.or(fields.text("role")?).as_deref() {
        None | Some("user") => Sender::User,
        Some("assistant") => Sender::Assistant,
        Some(_) => return Err(Error::Field { name: "sender", expected: "user or assistant" }),
    };
    let content = fields.text("content")?.filter(|content| !content.trim().is_empty());
    let content = content.or_else(|| (!uploads.is_empty()).then(|| ONLY_FILES.to_owned()));
    let content = content.ok_or(Error::Required("content"))?;
    let key = fields.name("temp_id")?;
    if key.as_ref().is_some_and(|key| key.len() > IdempotencyKey::MAX) {
        return Err(Error::Field { name: "temp_id", expected: "at most 255 bytes long" });
    }
    let metadata = fields.json_text("metadata")?;
    Ok(PendingMessage { conversation, user, sender, content, metadata, key, uploads: Vec::new() })
}
