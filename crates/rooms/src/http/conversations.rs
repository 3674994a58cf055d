//! `/conversations`: a user's conversations, listed, created, changed and deleted.
use std::sync::Arc;

use axum::{
    Json,
    extract::{self, Request},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use quadrille_identity::Action;
use quadrille_store::{Access, Store};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    caller::RoomsCaller,
    error::Error,
    fields::Fields,
    params::{ConversationPath, Params},
    shape::ConversationShape,
    task::to_the_end,
};
use crate::{state::State, topic};

/// Characters of a title, at most.
const TITLE: usize = 255;

#[derive(Serialize, ToSchema)]
pub(super) struct ConversationList<'a> {
    conversations: Vec<ConversationShape<'a>>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Made<'a> {
    conversation_id: i64,
    conversation: ConversationShape<'a>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Changed<'a> {
    conversation: ConversationShape<'a>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Deleted {
    message: &'static str,
}

/// List your conversations: pinned ones first, then those that changed last
#[utoipa::path(
    get,
    path = "/conversations",
    operation_id = "list_conversations",
    tag = "rooms",
    params(
        ("limit" = Option<u128>, Query, minimum = 1, description = "at most so many, and at most 1000"),
        ("offset" = Option<u128>, Query, description = "without the first so many"),
    ),
    responses((status = 200, description = "Conversations", body = inline(ConversationList<'_>)))
)]
pub(super) async fn list(caller: RoomsCaller, params: Params) -> Result<Response, Error> {
    let user = caller.user(None)?;
    let found = caller.store().conversations(&user, params.page()?).await?;
    let conversations = found.iter().map(ConversationShape::from).collect();
    Ok(Json(ConversationList { conversations }).into_response())
}

/// Create a conversation
#[utoipa::path(
    post,
    path = "/conversations",
    operation_id = "make_conversation",
    tag = "rooms",
    responses((status = 201, description = "The conversation", body = inline(Made<'_>)))
)]
pub(super) async fn create(caller: RoomsCaller, request: Request) -> Result<Response, Error> {
    let fields = Fields::read(request, 0).await?;
    let user = caller.user(fields.name("user_id")?.as_deref())?;
    let title = title(&fields)?.filter(|title| !title.is_empty());
    let made = caller.store().create_conversation(&user, title.as_deref()).await?;
    let answer = Made { conversation_id: made.id, conversation: (&made).into() };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// Change the title of a conversation, or pin it
#[utoipa::path(
    patch,
    path = "/conversations/{id}",
    operation_id = "change_conversation",
    tag = "rooms",
    responses((status = 200, description = "The conversation", body = inline(Changed<'_>)))
)]
pub(super) async fn change(
    caller: RoomsCaller,
    ConversationPath(id): ConversationPath,
    request: Request,
) -> Result<Response, Error> {
    let fields = Fields::read(request, 0).await?;
    let user = caller.acting(fields.name("user_id")?.as_deref())?;
    let (title, pinned) = (title(&fields)?, fields.flag("is_pinned")?);
    if title.as_deref().is_some_and(str::is_empty) {
        return Err(Error::Required("title"));
    }
    if title.is_none() && pinned.is_none() {
        return Err(Error::NoChange);
    }
    caller.conversation(id, Action::Write, user.as_deref()).await?;
    let store = caller.store();
    let changed = store.update_conversation(id, Access::Granted, title.as_deref(), pinned).await?;
    let changed = changed.ok_or(Error::NoConversation)?;
    Ok(Json(Changed { conversation: (&changed).into() }).into_response())
}

/// Delete a conversation with everything in it
#[utoipa::path(
    delete,
    path = "/conversations/{id}",
    operation_id = "remove_conversation",
    tag = "rooms",
    responses((status = 200, description = "Deleted", body = inline(Deleted)))
)]
pub(super) async fn delete(
    extract::State(state): extract::State<Arc<State>>,
    caller: RoomsCaller,
    ConversationPath(id): ConversationPath,
) -> Result<Json<Deleted>, Error> {
    let user = caller.user(None)?;
    let (life, store) = (state.core.life.clone(), caller.store());
    to_the_end(&life, "delete", async move { remove(&state, &store, id, &user).await }).await?;
    Ok(Json(Deleted { message: "Conversation deleted" }))
}

/// Allows the owner alone, whatever a token grants.
async fn remove(state: &State, store: &Store, id: i64, user: &str) -> Result<(), Error> {
    let topic = topic::of_conversation(id).ok_or(Error::NoConversation)?;
    let write_lock = state.write_lock(id).await;
    let deleted = store.delete_conversation(id, user).await?;
    drop(write_lock);
    let keys = deleted.ok_or(Error::NoConversation)?;
    // The replies would be for nobody.
    state.desk.clear(&topic).await;
    state.core.hub.delete(&topic);
    state.storage.files.discard(&keys).await;
    Ok(())
}

fn title(fields: &Fields) -> Result<Option<String>, Error> {
    let Some(title) = fields.text("title")? else { return Ok(None) };
    let title = title.trim();
    if title.chars().count() > TITLE {
        return Err(Error::Field { name: "title", expected: "at most 255 characters long" });
    }
    Ok(Some(title.to_owned()))
}
