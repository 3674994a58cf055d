//! `POST /restore`: restores a chat from an archive, for the caller.
use std::{path::Path, sync::Arc};

use axum::extract::{self, Request};
use futures_util::StreamExt;
use quadrille_core::Permit;
use quadrille_edge::http::form::{self, Form, FormBody, FormPart};
use quadrille_store::Store;
use tokio::{
    fs::File,
    io::{AsyncWriteExt, BufWriter},
};

use super::{
    caller::ChatCaller,
    chats::show_chat,
    envelope::{Envelope, EnvelopeBody, ok},
    error::Error,
};
use crate::{
    CHATS,
    archive::{self, Restored, SIZE_FACTOR},
    engine,
    state::{State, chat_topic},
};

/// Part with the archive.
const FILE: &str = "dump_file";

/// Restore a chat from its archive
#[utoipa::path(
    post,
    context_path = CHATS,
    path = "/restore",
    operation_id = "restore_chat",
    tag = "chats",
    responses(
        (status = 200, description = "The chat", body = EnvelopeBody),
        (status = 409, description = "The chat, or a part of it, exists already", body = EnvelopeBody),
    )
)]
pub(super) async fn restore(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
    request: Request,
) -> Result<Envelope, Error> {
    let (owner, permit) = caller.admit_owner()?;
    let life = state.core.life.clone();
    let work = async move { take(&state, &caller, &permit, owner.as_deref(), request).await };
    life.finish("restore", work).await.unwrap_or(Err(Error::Server))
}

async fn take(
    state: &State,
    caller: &ChatCaller,
    permit: &Permit,
    owner: Option<&str>,
    request: Request,
) -> Result<Envelope, Error> {
    let none = || Error::Invalid("No dump file provided".to_owned());
    let boundary = form::boundary(request.headers())?.ok_or_else(none)?;
    let limit = state.memory.max_upload_size.saturating_mul(SIZE_FACTOR);
    let folder = state.scratch.folder()?;
    let path = folder.path().join("dump");
    let mut source = FormBody::new(request.into_body());
    let form = Form::new(&mut source, boundary, state.memory.max_upload_size);
    match fetch(form, &path, limit).await {
        Ok(true) => {}
        Ok(false) => return Err(none()),
        Err(err) => {
            source.drain(state.memory.max_upload_size).await;
            return Err(err);
        }
    }
    // Held until the chat is stored, which blocks other writers.
    let turn = state.core.life.unless_closing(state.direct_limit.worker(permit)).await;
    let _turn = turn.ok_or(Error::Stopping)?;
    let (owner, inside) = (owner.map(str::to_owned), folder.path().to_owned());
    let work = move || {
        let unpacked = archive::unpack(&path, &inside, limit)?;
        archive::understand(unpacked, owner.as_deref())
    };
    let restored = state.core.life.blocking(work).await.map_err(|_| Error::Server)??;
    caller.check_chat_id(&restored.whole.chat.id)?;
    store(state, &caller.store, restored).await
}

async fn store(state: &State, store: &Store, restored: Restored) -> Result<Envelope, Error> {
    let Restored { whole, bytes } = restored;
    let files = &state.memory.files;
    // Refused early, before the files are stored.
    if store.chat(&whole.chat.id).await?.is_some() {
        return Err(conflict());
    }
    let mut keys = Vec::new();
    let stored = async {
        for (file, path) in whole.files.iter().zip(&bytes) {
            keys.push(file.key.clone());
            engine::put(files, &file.key, path).await?;
        }
        // Former watchers of a chat of this id must not see this one.
        if let Some(topic) = chat_topic(&whole.chat.id).ok().filter(|_| !state.is_open()) {
            state.core.hub.delete(&topic);
        }
        if store.restore_chat(&whole).await? { Ok(()) } else { Err(conflict()) }
    };
    if let Err(err) = stored.await {
        files.discard(&keys).await;
        return Err(err);
    }
    let chat = store.chat(&whole.chat.id).await?.ok_or(Error::NoChat)?;
    Ok(ok("Conversation restored successfully", show_chat(store, &chat).await?))
}

fn conflict() -> Error {
    Error::Conflict("the chat of this archive, or a part of it, exists already; delete it first")
}

/// Copies the first archive to `path`. False if there is none.
async fn fetch(mut form: Form<'_>, path: &Path, limit: u64) -> Result<bool, Error> {
    let mut kept = false;
    while let Some(part) = form.next().await? {
        match (part.name(), part.file_name()) {
            (Some(FILE), Some("")) => return Err(Error::Invalid("Empty filename".to_owned())),
            (Some(FILE), Some(_)) if !kept => {
                write(part, path, limit).await?;
                kept = true;
            }
            _ => form.skip(part).await?,
        }
    }
    Ok(kept)
}

async fn write(mut part: FormPart<'_>, path: &Path, limit: u64) -> Result<(), Error> {
    let mut file = BufWriter::new(File::create(path).await?);
    let mut left = limit;
    while let Some(bytes) = part.next().await {
        let bytes = bytes?;
        left = left.checked_sub(bytes.len() as u64).ok_or(Error::FileTooLarge(limit))?;
        file.write_all(&bytes).await?;
    }
    Ok(file.flush().await?)
}
