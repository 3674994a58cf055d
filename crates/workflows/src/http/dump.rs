//! `POST …/dump`: a chat as one file, to be downloaded for a while.
use std::{io, sync::Arc};

use axum::extract::State;
use futures_util::TryStreamExt;
use jiff::{Timestamp, tz::TimeZone};
use quadrille_core::{Life, Permit};
use quadrille_identity::Action;
use quadrille_store::{Store, WholeChat, files::Files};
use serde_json::json;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::{
    caller::Caller,
    envelope::{Answer, Base, Envelope, ok},
    error::Error,
    path::Path,
};
use crate::{
    CHATS, DOWNLOADS,
    archive::{self, BadArchive, MAX_METADATA, UPLOADS, Writer},
    door::Door,
    engine, wire,
};

/// Make an archive of a chat
#[utoipa::path(
    post,
    context_path = CHATS,
    path = "/{chat}/dump",
    operation_id = "dump_chat",
    tag = "chats",
    responses(
        (status = 200, description = "`dump_file` and its `download_url`", body = Answer),
        (status = 413, description = "Its files are too large to be restored", body = Answer),
        (status = 422, description = "There is too much in the chat for it to be restored", body = Answer),
    )
)]
pub(super) async fn dump(
    State(door): State<Arc<Door>>,
    caller: Caller,
    base: Base,
    Path(chat): Path<String>,
) -> Result<Envelope, Error> {
    let (owner, inside) = caller.enter()?;
    let chat = caller.chat(&chat, Action::Read).await?;
    let life = door.core.life.clone();
    let work = async move { make(&door, &caller.store, &inside, &chat.id, owner.as_deref()).await };
    let name = life.finish("dump", work).await.unwrap_or(Err(Error::Server))?;
    let url = base.url(&format!("{DOWNLOADS}/{}", wire::escaped(&name)));
    let data = json!({ "dump_file": name, "download_url": url });
    Ok(ok("Conversation dumped successfully", data))
}

/// Gives the name of the download.
async fn make(
    door: &Door,
    store: &Store,
    place: &Permit,
    chat: &str,
    owner: Option<&str>,
) -> Result<String, Error> {
    let turn = door.core.life.unless_closing(door.room.work(place)).await;
    let _turn = turn.ok_or(Error::Stopping)?;
    let files = &door.memory.files;
    // Said twice, in steps and in runs.
    let size = u64::try_from(store.size_of_chat(chat).await?).unwrap_or_default();
    if size > MAX_METADATA / 2 {
        return Err(BadArchive::TooMuch.into());
    }
    let whole = store.whole_chat(chat).await?.ok_or(Error::NoChat)?;
    // What restoring it here would refuse is not made.
    let limit = door.memory.max_upload_size.saturating_mul(UPLOADS);
    archive::fits(&whole.files, limit)?;
    let folder = door.scratch.folder().map_err(|why| scratch(&why))?;
    let path = folder.path().join("dump");
    write(&door.core.life, files, whole, &path).await?;
    if tokio::fs::metadata(&path).await.map_err(|why| scratch(&why))?.len() > limit {
        return Err(BadArchive::TooLarge(limit).into());
    }
    let name = format!("{}_{}.tar.gz", Files::sanitise(chat), stamp());
    let key = Files::key(chat, &name);
    let size = engine::put(files, &key, &path).await?;
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let added = store.add_download(&name, owner, &key, size).await;
    if added.is_err() {
        engine::discard(files, &[key]).await;
    }
    Ok(added?)
}

async fn write(
    life: &Life,
    files: &Files,
    whole: WholeChat,
    path: &std::path::Path,
) -> Result<(), Error> {
    let work = move || Ok::<_, BadArchive>((archive::describe(&whole)?, whole));
    let described = life.blocking(work).await.map_err(|_| Error::Server)?;
    let (described, whole) = described?;
    let (path, at) = (path.to_owned(), whole.chat.updated_at);
    let mut writer = blocking(life, move || {
        let mut writer = Writer::create(&path)?;
        writer.metadata(at, described.as_bytes())?;
        Ok(writer)
    })
    .await?;
    for file in &whole.files {
        let object = files.get(&file.key, None).await?.ok_or_else(|| {
            tracing::error!(key = file.key, "the bytes of a file are gone");
            Error::NoFile
        })?;
        let (place, name, at) = (file.place, file.name.clone(), file.created_at);
        writer = blocking(life, move || {
            let bytes = StreamReader::new(object.stream.map_err(io::Error::other));
            writer.file(place, &name, at, object.size, SyncIoBridge::new(bytes))?;
            Ok(writer)
        })
        .await?;
    }
    blocking(life, move || writer.finish()).await
}

async fn blocking<T: Send + 'static>(
    life: &Life,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    life.blocking(work).await.map_err(|_| Error::Server)?.map_err(|why| scratch(&why))
}

pub(super) fn scratch(why: &io::Error) -> Error {
    if let io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded = why.kind() {
        return Error::DiskFull;
    }
    tracing::error!(error = %why, "an archive could not be made or read");
    Error::Server
}

/// The present time in UTC, for names.
pub(super) fn stamp() -> String {
    Timestamp::now().to_zoned(TimeZone::UTC).strftime("%Y%m%d_%H%M%S").to_string()
}
