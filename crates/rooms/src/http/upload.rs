//! `POST /api/upload_file`: files, and their message.
use std::sync::Arc;

use axum::{
    Json,
    extract::{self, Request},
};
use http::StatusCode;
use quadrille_edge::http::Base;
use quadrille_store::{Message, Sender};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    caller::RoomsCaller,
    error::Error,
    intake::{Intake, discard},
    publish::{ONLY_FILES, PendingMessage},
    task::to_the_end,
};
use crate::{
    links::Addresses,
    state::State,
    wire::{self, UserId},
};

#[derive(Serialize, ToSchema)]
pub(super) struct Uploaded {
    success: bool,
    message_id: i64,
    /// Links to the files; each opens its file for a while, without a token.
    files: Vec<String>,
    conversation_id: i64,
}

/// Add files as a message; no agent is asked
#[utoipa::path(
    post,
    path = "/api/upload_file",
    operation_id = "upload_to_conversation",
    tag = "rooms",
    responses(
        (status = 201, description = "The message, and links to its files", body = inline(Uploaded)),
    )
)]
pub(super) async fn upload(
    extract::State(state): extract::State<Arc<State>>,
    caller: RoomsCaller,
    base: Base,
    request: Request,
) -> Result<(StatusCode, Json<Uploaded>), Error> {
    caller.count_publication()?;
    let life = state.core.life.clone();
    to_the_end(&life, "upload", async move {
        let intake = Intake::read(&state, &caller, request).await?;
        let pending = match read(&caller, &intake) {
            Ok(pending) => PendingMessage { uploads: intake.uploads, ..pending },
            Err(err) => {
                discard(&state, &intake.uploads).await;
                return Err(err);
            }
        };
        let stored = pending.publish(&state, &caller, &base, uploaded).await?;
        let answer = Uploaded {
            success: true,
            message_id: stored.message.id,
            files: urls(&stored.message, &stored.addresses).map(str::to_owned).collect(),
            conversation_id: stored.message.conversation_id,
        };
        Ok((StatusCode::CREATED, Json(answer)))
    })
    .await
}

/// The message to be stored, without its files.
fn read(
    caller: &RoomsCaller,
    Intake { fields, uploads, .. }: &Intake,
) -> Result<PendingMessage, Error> {
    let conversation = fields.conversation()?.ok_or(Error::Required("conversation_id"))?;
    if uploads.is_empty() {
        return Err(Error::NoFiles);
    }
    let user = caller.user(fields.name("user_id")?.as_deref())?;
    let content = fields.text("message")?.filter(|content| !content.trim().is_empty());
    Ok(PendingMessage {
        conversation,
        user,
        sender: Sender::User,
        content: content.unwrap_or_else(|| ONLY_FILES.to_owned()),
        metadata: None,
        key: None,
        uploads: Vec::new(),
    })
}

fn uploaded(message: &Message, addresses: &Addresses) -> (&'static str, String) {
    let (at, sender) = (wire::time(message.created_at), wire::sender(message.sender));
    let payload = json!({
        "message_id": message.id,
        "role": sender,
        "sender": sender,
        "content": message.content,
        "files": urls(message, addresses).collect::<Vec<_>>(),
        "timestamp": at,
        "created_at": at,
        "conversation_id": message.conversation_id,
        "user_id": message.user_id.as_deref().map(UserId),
    });
    ("file_uploaded", payload.to_string())
}

fn urls<'a>(message: &'a Message, addresses: &'a Addresses) -> impl Iterator<Item = &'a str> {
    message.files.iter().map(|file| addresses.get(file))
}
