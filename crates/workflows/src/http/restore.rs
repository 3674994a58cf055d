//! `POST /restore`: a chat from an archive, for whoever brings it.
use std::{path::Path, sync::Arc};

use axum::extract::{Request, State};
use futures_util::StreamExt;
use quadrille_core::Permit;
use quadrille_edge::http::form::{self, Form, FormBody, FormPart};
use quadrille_store::Store;
use tokio::{
    fs::File,
    io::{AsyncWriteExt, BufWriter},
};

use super::{
    caller::Caller,
    chats::show_chat,
    dump::scratch,
    envelope::{Answer, Envelope, ok},
    error::Error,
};
use crate::{
    CHATS,
    archive::{self, Restored, UPLOADS},
    door::{self, Door},
    engine,
};

/// The part that brings the archive.
const FILE: &str = "dump_file";

/// Make a chat again from its archive
#[utoipa::path(
    post,
    context_path = CHATS,
    path = "/restore",
    operation_id = "restore_chat",
    tag = "chats",
    responses(
        (status = 200, description = "The chat", body = Answer),
        (status = 409, description = "The chat is there, or a part of it is", body = Answer),
    )
)]
pub(super) async fn restore(
    State(door): State<Arc<Door>>,
    caller: Caller,
    request: Request,
) -> Result<Envelope, Error> {
    let (owner, inside) = caller.enter()?;
    let life = door.core.life.clone();
    let work = async move { take(&door, &caller, &inside, owner.as_deref(), request).await };
    life.finish("restore", work).await.unwrap_or(Err(Error::Server))
}

async fn take(
    door: &Door,
    caller: &Caller,
    place: &Permit,
    owner: Option<&str>,
    request: Request,
) -> Result<Envelope, Error> {
    let none = || Error::Invalid("No dump file provided".to_owned());
    let boundary = form::boundary(request.headers())?.ok_or_else(none)?;
    let limit = door.memory.max_upload_size.saturating_mul(UPLOADS);
    let folder = door.scratch.folder().map_err(|why| scratch(&why))?;
    let path = folder.path().join("dump");
    let mut source = FormBody::new(request.into_body());
    let form = Form::new(&mut source, boundary, door.memory.max_upload_size);
    match fetch(form, &path, limit).await {
        Ok(true) => {}
        Ok(false) => return Err(none()),
        Err(why) => {
            source.drain(door.memory.max_upload_size).await;
            return Err(why);
        }
    }
    // Until it is stored, as that keeps others from writing.
    let turn = door.core.life.unless_closing(door.room.work(place)).await;
    let _turn = turn.ok_or(Error::Stopping)?;
    let (owner, inside) = (owner.map(str::to_owned), folder.path().to_owned());
    let work = move || {
        let unpacked = archive::unpack(&path, &inside, limit)?;
        archive::understand(unpacked, owner.as_deref())
    };
    let restored = door.core.life.blocking(work).await.map_err(|_| Error::Server)??;
    caller.may_call(&restored.whole.chat.id)?;
    store(door, &caller.store, restored).await
}

async fn store(door: &Door, store: &Store, restored: Restored) -> Result<Envelope, Error> {
    let Restored { whole, bytes } = restored;
    let files = &door.memory.files;
    // What is there would be refused only after everything else.
    if store.chat(&whole.chat.id).await?.is_some() {
        return Err(taken());
    }
    let mut keys = Vec::new();
    let stored = async {
        for (file, path) in whole.files.iter().zip(&bytes) {
            keys.push(file.key.clone());
            engine::put(files, &file.key, path).await?;
        }
        // Who had a chat of this name, and still watches it, does not see this one.
        if let Some(topic) = door::topic(&whole.chat.id).ok().filter(|_| !door.is_open()) {
            door.core.hub.delete(&topic);
        }
        if store.restore_chat(&whole).await? { Ok(()) } else { Err(taken()) }
    };
    if let Err(why) = stored.await {
        engine::discard(files, &keys).await;
        return Err(why);
    }
    let chat = store.chat(&whole.chat.id).await?.ok_or(Error::NoChat)?;
    Ok(ok("Conversation restored successfully", show_chat(store, &chat).await?))
}

fn taken() -> Error {
    Error::Conflict("the chat of this archive is there, or a part of it is; delete it first")
}

/// The bytes of the first archive, at `path`. False if there is none.
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
    let mut file = BufWriter::new(File::create(path).await.map_err(|why| scratch(&why))?);
    let mut left = limit;
    while let Some(bytes) = part.next().await {
        let bytes = bytes?;
        left = left.checked_sub(bytes.len() as u64).ok_or(Error::FileTooLarge(limit))?;
        file.write_all(&bytes).await.map_err(|why| scratch(&why))?;
    }
    file.flush().await.map_err(|why| scratch(&why))
}
