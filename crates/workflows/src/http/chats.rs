//! Creates, lists, shows and deletes chats.
use std::{collections::HashMap, sync::Arc};

use axum::extract::{self, Query};
use http::StatusCode;
use quadrille_identity::Action;
use quadrille_store::{Chat, ChatStatus, NewChat, Store};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    caller::ChatCaller,
    described::StatusParameter,
    envelope::{Envelope, EnvelopeBody, ok},
    error::Error,
    page::page,
    path::Path,
};
use crate::{
    CHATS, bot, run_events,
    state::{State, chat_topic},
    wire,
};

/// Upper bound on the messages and on the steps shown of a chat.
pub(super) const MAX_SHOWN: u32 = 1000;

/// Create a chat
#[utoipa::path(
    post,
    path = CHATS,
    operation_id = "create_chat",
    tag = "chats",
    responses((status = 201, description = "The chat", body = EnvelopeBody))
)]
pub(super) async fn create(caller: ChatCaller) -> Result<Envelope, Error> {
    let id = Uuid::now_v7().to_string();
    caller.check_chat_id(&id)?;
    let chat = put(&caller, &id, ChatStatus::Created, false).await?;
    let chat = chat.ok_or(Error::Server)?;
    let shown = show_chat(&caller.store, &chat).await?;
    Ok(ok("Conversation created successfully", shown).status(StatusCode::CREATED))
}

/// Creates the chat `id`, or gives it a new participant if it is the caller's or `any_owner`.
pub(super) async fn put(
    caller: &ChatCaller,
    id: &str,
    status: ChatStatus,
    any_owner: bool,
) -> Result<Option<Chat>, Error> {
    let now = wire::now();
    // Year and month, the beginning of a time.
    let partition = now.get(..7).unwrap_or_default().replace('-', "/");
    let new = NewChat {
        id,
        user: caller.principal.user.as_deref(),
        participant: &bot::name::participant(),
        status,
        partition: &partition,
        metadata: "{}",
        any_owner,
    };
    Ok(caller.store.put_chat(new).await?)
}

/// List chats, the newest first
#[utoipa::path(
    get,
    path = CHATS,
    operation_id = "list_chats",
    tag = "chats",
    params(
        ("status" = inline(Option<StatusParameter>), Query, description = "only chats with this status"),
        ("limit" = Option<u64>, Query, maximum = 4_294_967_295u32, description = "maximum number; 100 by default"),
        ("offset" = Option<u64>, Query, maximum = 4_294_967_295u32, description = "number to skip"),
    ),
    responses(
        (status = 200, description = "`conversations` and their `count`", body = EnvelopeBody),
        (status = 422, description = "A parameter is invalid", body = EnvelopeBody),
    )
)]
pub(super) async fn list(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Envelope, Error> {
    let page = page(&query)?;
    let status = match query.get("status").filter(|word| !word.is_empty()) {
        None => None,
        Some(word) => Some(ChatStatus::parse(word).ok_or_else(|| {
            let known: Vec<_> = ChatStatus::ALL.iter().map(|status| status.word()).collect();
            Error::Invalid(format!("status must be one of {}", known.join(", ")))
        })?),
    };
    let user = if state.is_open() { None } else { Some(caller.principal.user.as_deref()) };
    // An anonymous caller has no chats.
    let found = match user {
        Some(None) => Vec::new(),
        user => caller.store.chats(user.flatten(), status, page).await?,
    };
    let shown: Vec<_> = found.iter().map(wire::head).collect();
    let count = shown.len();
    let data = json!({ "conversations": shown, "count": count });
    Ok(ok("Conversations retrieved successfully", data).total(count))
}

/// Get a chat with its messages, steps and files
#[utoipa::path(
    get,
    context_path = CHATS,
    path = "/{chat}",
    operation_id = "show_chat",
    tag = "chats",
    responses((status = 200, description = "The chat", body = EnvelopeBody))
)]
pub(super) async fn show(caller: ChatCaller, Path(chat): Path<String>) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Read).await?;
    Ok(ok("Conversation retrieved successfully", show_chat(&caller.store, &chat).await?))
}

/// Delete a chat with everything in it
#[utoipa::path(
    delete,
    context_path = CHATS,
    path = "/{chat}",
    operation_id = "delete_chat",
    tag = "chats",
    responses((status = 200, description = "`chat_id`, which is free again", body = EnvelopeBody))
)]
pub(super) async fn delete(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
    Path(chat): Path<String>,
) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Write).await?;
    // Finished even if the client disconnects, so that no bytes are left.
    let (life, id) = (state.core.life.clone(), chat.id.clone());
    let deleted = life.finish("delete", async move {
        let topic = chat_topic(&id).ok();
        // Nobody would read the replies.
        if let Some(topic) = &topic {
            state.desk.clear(topic).await;
        }
        let deleted = caller.store.delete_chat(&id).await?.ok_or(Error::NoChat)?;
        for run in &deleted.cancelled {
            state.cancel(&run.id);
        }
        // Without a wait: from here on, another user may take the id.
        if let Some(topic) = &topic {
            run_events::publish_deleted(&state, topic, &deleted.cancelled);
            state.core.hub.delete(topic);
        }
        state.memory.files.discard(&deleted.keys).await;
        state.run_changed();
        Ok(())
    });
    deleted.await.unwrap_or(Err(Error::Server))?;
    Ok(ok("Conversation deleted successfully", json!({ "chat_id": chat.id })))
}

pub(super) async fn show_chat(store: &Store, chat: &Chat) -> Result<Value, Error> {
    let files = store.chat_files(&chat.id).await?;
    let steps = store.steps_of_chat(&chat.id, MAX_SHOWN).await?;
    let messages = store.chat_messages(&chat.id, MAX_SHOWN).await?;
    Ok(wire::chat(chat, &messages, &steps, &files))
}
