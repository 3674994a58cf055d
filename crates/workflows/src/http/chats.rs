//! Chats: made, listed, shown and deleted.
use std::{collections::HashMap, sync::Arc};

use axum::extract::{Query, State};
use http::StatusCode;
use quadrille_identity::Action;
use quadrille_store::{Chat, ChatStatus, NewChat, Store};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    caller::Caller,
    described::Status,
    envelope::{Answer, Envelope, ok},
    error::Error,
    page::page,
    path::Path,
};
use crate::{
    CHATS, bot,
    door::{self, Door},
    engine, news, wire,
};

/// Messages and steps that are shown of a chat.
pub(super) const SHOWN: u32 = 1000;

/// Make a chat
#[utoipa::path(
    post,
    path = CHATS,
    operation_id = "create_chat",
    tag = "chats",
    responses((status = 201, description = "The chat", body = Answer))
)]
pub(super) async fn create(caller: Caller) -> Result<Envelope, Error> {
    let id = Uuid::now_v7().to_string();
    caller.may_call(&id)?;
    let chat = put(&caller, &id, ChatStatus::Created, false).await?;
    let chat = chat.ok_or(Error::Server)?;
    let shown = show_chat(&caller.store, &chat).await?;
    Ok(ok("Conversation created successfully", shown).status(StatusCode::CREATED))
}

/// Make the chat `id`, or give it another participant, if it is the caller's or may be anybody's.
pub(super) async fn put(
    caller: &Caller,
    id: &str,
    status: ChatStatus,
    any_owner: bool,
) -> Result<Option<Chat>, Error> {
    let now = wire::now();
    // The year and the month, as they stand at the beginning of a time.
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
        ("status" = inline(Option<Status>), Query, description = "only those that are so"),
        ("limit" = Option<u64>, Query, maximum = 4_294_967_295u32, description = "at most so many; 100 if not given"),
        ("offset" = Option<u64>, Query, maximum = 4_294_967_295u32, description = "without the first so many"),
    ),
    responses(
        (status = 200, description = "`conversations` and their `count`", body = Answer),
        (status = 422, description = "A parameter is none of its kind", body = Answer),
    )
)]
pub(super) async fn list(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Envelope, Error> {
    let page = page(&query)?;
    let status = match query.get("status").filter(|it| !it.is_empty()) {
        None => None,
        Some(word) => Some(ChatStatus::parse(word).ok_or_else(|| {
            let known: Vec<_> = ChatStatus::ALL.iter().map(|it| it.word()).collect();
            Error::Invalid(format!("status must be one of {}", known.join(", ")))
        })?),
    };
    let user = if door.is_open() { None } else { Some(caller.principal.user.as_deref()) };
    // Who is nobody has no chats.
    let found = match user {
        Some(None) => Vec::new(),
        user => caller.store.chats(user.flatten(), status, page).await?,
    };
    let shown: Vec<_> = found.iter().map(wire::head).collect();
    let count = shown.len();
    let data = json!({ "conversations": shown, "count": count });
    Ok(ok("Conversations retrieved successfully", data).total(count))
}

/// Look at a chat, with its messages, steps and files
#[utoipa::path(
    get,
    context_path = CHATS,
    path = "/{chat}",
    operation_id = "show_chat",
    tag = "chats",
    responses((status = 200, description = "The chat", body = Answer))
)]
pub(super) async fn show(caller: Caller, Path(chat): Path<String>) -> Result<Envelope, Error> {
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
    responses((status = 200, description = "`chat_id`, which is free again", body = Answer))
)]
pub(super) async fn delete(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Path(chat): Path<String>,
) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Write).await?;
    // A client that leaves meanwhile does not leave bytes behind.
    let (life, id) = (door.core.life.clone(), chat.id.clone());
    let deleted = life.finish("delete", async move {
        let topic = door::topic(&id).ok();
        // The replies would be for nobody.
        if let Some(topic) = &topic {
            door.desk.clear(topic).await;
        }
        let deleted = caller.store.delete_chat(&id).await?.ok_or(Error::NoChat)?;
        for run in &deleted.cancelled {
            door.cancel(&run.id);
        }
        // At once: from here on the name is free for somebody else.
        if let Some(topic) = &topic {
            news::deleted(&door, topic, &deleted.cancelled);
            door.core.hub.delete(topic);
        }
        engine::discard(&door.memory.files, &deleted.keys).await;
        door.run_changed();
        Ok(())
    });
    deleted.await.unwrap_or(Err(Error::Server))?;
    Ok(ok("Conversation deleted successfully", json!({ "chat_id": chat.id })))
}

pub(super) async fn show_chat(store: &Store, chat: &Chat) -> Result<Value, Error> {
    let files = store.chat_files(&chat.id).await?;
    let steps = store.steps_of_chat(&chat.id, SHOWN).await?;
    let said = store.chat_messages(&chat.id, SHOWN).await?;
    Ok(wire::chat(chat, &said, &steps, &files))
}
