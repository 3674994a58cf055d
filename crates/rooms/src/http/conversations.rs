//! `/conversations`: a user's conversations, listed, made, changed and deleted.
use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
};
use http::StatusCode;
use quadrille_core::{Topic, auth::Action};
use quadrille_store::Who;
use serde_json::{Value, json};

use super::{
    caller::Caller,
    error::Error,
    fields::Fields,
    params::{Id, Params},
    shape::ConversationShape,
    to_the_end,
};
use crate::door::{self, Door};

/// Characters of a title.
const TITLE: usize = 255;

pub(super) async fn list(
    State(door): State<Arc<Door>>,
    caller: Caller,
    params: Params,
) -> Result<Json<Value>, Error> {
    let user = caller.user(None)?;
    let found = door.memory.store.conversations(&user, params.page()?).await?;
    let shapes: Vec<_> = found.iter().map(ConversationShape::from).collect();
    Ok(Json(json!({ "conversations": shapes })))
}

pub(super) async fn create(
    State(door): State<Arc<Door>>,
    caller: Caller,
    request: Request,
) -> Result<(StatusCode, Json<Value>), Error> {
    let fields = Fields::read(request, 0).await?;
    let user = caller.user(fields.name("user_id")?.as_deref())?;
    let title = title(&fields)?.filter(|it| !it.is_empty());
    let made = door.memory.store.create_conversation(&user, title.as_deref()).await?;
    let answer = json!({
        "conversation_id": made.id, "conversation": ConversationShape::from(&made),
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

pub(super) async fn change(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Id(id): Id,
    request: Request,
) -> Result<Json<Value>, Error> {
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
    let store = &door.memory.store;
    let changed = store.update_conversation(id, Who::Granted, title.as_deref(), pinned).await?;
    let changed = changed.ok_or(Error::NoConversation)?;
    Ok(Json(json!({ "conversation": ConversationShape::from(&changed) })))
}

pub(super) async fn delete(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<Value>, Error> {
    let user = caller.user(None)?;
    let life = door.core.life.clone();
    to_the_end(&life, "delete", async move { remove(&door, id, &user).await }).await?;
    Ok(Json(json!({ "message": "Conversation deleted" })))
}

/// Only its owner may, whatever a token grants.
async fn remove(door: &Door, id: i64, user: &str) -> Result<(), Error> {
    let topic = door::room(id).ok_or(Error::NoConversation)?;
    let line = door.line(id).await;
    let deleted = door.memory.store.delete_conversation(id, user).await?;
    drop(line);
    let keys = deleted.ok_or(Error::NoConversation)?;
    cancel_turns(door, &topic).await;
    for key in keys {
        if let Err(why) = door.memory.files.delete(&key).await {
            tracing::warn!(error = ?why, key, "a file of a deleted conversation is left");
        }
    }
    Ok(())
}

/// The replies would be for nobody.
async fn cancel_turns(door: &Door, topic: &Topic) {
    while let Some(turn) = door.desk.current(topic) {
        door.desk.cancel(&turn);
        turn.ended().await;
    }
}

fn title(fields: &Fields) -> Result<Option<String>, Error> {
    let Some(title) = fields.text("title")? else { return Ok(None) };
    let title = title.trim();
    if title.chars().count() > TITLE {
        return Err(Error::Field { name: "title", expected: "at most 255 characters long" });
    }
    Ok(Some(title.to_owned()))
}
