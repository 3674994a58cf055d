//! `POST …/dump`: packs a chat into an archive for download.
use std::{io, sync::Arc};

use axum::extract;
use futures_util::TryStreamExt;
use jiff::{Timestamp, tz::TimeZone};
use quadrille_core::{Life, Permit};
use quadrille_edge::http::Base;
use quadrille_identity::Action;
use quadrille_store::{Store, WholeChat, files::Files};
use serde_json::json;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::{
    caller::ChatCaller,
    envelope::{Envelope, EnvelopeBody, ok},
    error::Error,
    path::Path,
};
use crate::{
    CHATS, DOWNLOADS,
    archive::{self, BadArchive, MAX_METADATA, SIZE_FACTOR, Writer},
    engine,
    state::State,
    wire,
};

/// Archive a chat
#[utoipa::path(
    post,
    context_path = CHATS,
    path = "/{chat}/dump",
    operation_id = "dump_chat",
    tag = "chats",
    responses(
        (status = 200, description = "`dump_file` and its `download_url`", body = EnvelopeBody),
        (status = 413, description = "The files are too large to be restored", body = EnvelopeBody),
        (status = 422, description = "The chat is too large to be restored", body = EnvelopeBody),
    )
)]
pub(super) async fn dump(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
    base: Base,
    Path(chat): Path<String>,
) -> Result<Envelope, Error> {
    let (owner, permit) = caller.admit_owner()?;
    let chat = caller.chat(&chat, Action::Read).await?;
    let life = state.core.life.clone();
    let work =
        async move { make(&state, &caller.store, &permit, &chat.id, owner.as_deref()).await };
    let name = life.finish("dump", work).await.unwrap_or(Err(Error::Server))?;
    let url = base.url(&format!("{DOWNLOADS}/{}", wire::escaped(&name)));
    let data = json!({ "dump_file": name, "download_url": url });
    Ok(ok("Conversation dumped successfully", data))
}

/// Returns the name of the download.
async fn make(
    state: &State,
    store: &Store,
    permit: &Permit,
    chat: &str,
    owner: Option<&str>,
) -> Result<String, Error> {
    let turn = state.core.life.unless_closing(state.direct_limit.worker(permit)).await;
    let _turn = turn.ok_or(Error::Stopping)?;
    let files = &state.memory.files;
    // Counted twice, in steps and in runs.
    let size = u64::try_from(store.size_of_chat(chat).await?).unwrap_or_default();
    if size > MAX_METADATA / 2 {
        return Err(BadArchive::TooMuch.into());
    }
    let whole = store.whole_chat(chat).await?.ok_or(Error::NoChat)?;
    // Refuses a chat that could not be restored.
    let limit = state.memory.max_upload_size.saturating_mul(SIZE_FACTOR);
    archive::fits(&whole.files, limit)?;
    let folder = state.scratch.folder()?;
    let path = folder.path().join("dump");
    write(&state.core.life, files, whole, &path).await?;
    if tokio::fs::metadata(&path).await?.len() > limit {
        return Err(BadArchive::TooLarge(limit).into());
    }
    let name = format!("{}_{}.tar.gz", Files::sanitise(chat), stamp());
    let key = Files::key(chat, &name);
    let size = engine::put(files, &key, &path).await?;
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let added = store.add_download(&name, owner, &key, size).await;
    if added.is_err() {
        files.discard(&[key]).await;
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
    Ok(life.blocking(work).await.map_err(|_| Error::Server)??)
}

/// The present time in UTC, for file names.
pub(super) fn stamp() -> String {
    Timestamp::now().to_zoned(TimeZone::UTC).strftime("%Y%m%d_%H%M%S").to_string()
}
