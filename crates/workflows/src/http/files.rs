//! Files of a chat: streamed in, and sent out.
use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, Request, State},
    response::Response,
};
use http::{HeaderMap, Method};
use quadrille_core::{
    auth::Action,
    rest::{
        Download,
        form::{self, Form, Source},
    },
};
use quadrille_store::{Chat, NewChatFile, NewMessageOfChat, Place, Said, files::Files};
use serde_json::json;

use super::{
    caller::Caller,
    envelope::{Base, Envelope, ok},
    error::Error,
};
use crate::{door::Door, engine, wire};

/// The part that brings the file.
const FILE: &str = "file";

pub(super) async fn upload(
    State(door): State<Arc<Door>>,
    caller: Caller,
    base: Base,
    Path(chat): Path<String>,
    request: Request,
) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Write).await?;
    let life = door.core.life.clone();
    let taken = life.finish("upload", async move { take(&door, &chat, &base, request).await });
    taken.await.unwrap_or(Err(Error::Server))
}

async fn take(door: &Door, chat: &Chat, base: &Base, request: Request) -> Result<Envelope, Error> {
    let none = || Error::Invalid("No file provided".to_owned());
    let boundary = form::boundary(request.headers())?.ok_or_else(none)?;
    let limit = door.memory.max_upload_size;
    let mut source = Source::new(request.into_body());
    let stored = store(door, chat, Form::new(&mut source, boundary, limit)).await;
    let (key, name, size) = match stored {
        Ok(Some(stored)) => stored,
        Ok(None) => return Err(none()),
        Err(why) => {
            source.drain(limit).await;
            return Err(why);
        }
    };
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let new = NewChatFile { place: Place::Uploads, name: &name, key: &key, size };
    let added = door.memory.store.add_chat_file(&chat.id, new).await;
    let Ok(Some(file)) = added else {
        engine::discard(&door.memory.files, &[key]).await;
        added?;
        return Err(Error::NoChat);
    };
    let content = format!("Uploaded file: {}", file.name);
    let said = NewMessageOfChat { kind: Said::FileUpload, content: &content, metadata: "{}" };
    door.memory.store.say_in_chat(&chat.id, None, &[said]).await?;
    let data = json!({
        "file_path": wire::path(chat, &file),
        "filename": file.name,
        "download_url": wire::url(base, &chat.id, &file.name),
    });
    Ok(ok("File uploaded successfully", data))
}

/// The bytes of the first file, kept under a key that nobody knows yet.
async fn store(
    door: &Door,
    chat: &Chat,
    mut form: Form<'_>,
) -> Result<Option<(String, String, u64)>, Error> {
    let mut kept = None;
    while let Some(part) = form.next().await? {
        match (part.name(), part.file_name()) {
            (Some(FILE), Some("")) => return Err(Error::Invalid("Empty filename".to_owned())),
            (Some(FILE), Some(name)) if kept.is_none() => {
                // A blank in a name makes addresses of it hard to copy.
                let name = Files::sanitise(name).replace(' ', "_");
                let key = Files::key(&chat.id, &name);
                let size = door.memory.files.put(&key, part, door.memory.max_upload_size).await?;
                kept = Some((key, name, size));
            }
            _ => form.skip(part).await?,
        }
    }
    Ok(kept)
}

pub(super) async fn show(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Path((chat, name)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let chat = caller.chat(&chat, Action::Read).await?;
    let file = door.memory.store.chat_file(&chat.id, &name).await?.ok_or(Error::NoFile)?;
    let etag = format!("\"{}\"", file.key.split('/').nth(1).unwrap_or(&file.key));
    let download = Download {
        name: &file.name,
        media_type: media_type(&file.name),
        etag: &etag,
        size: u64::try_from(file.size).unwrap_or_default(),
    };
    let part = match download.part(&method, &headers) {
        Ok(part) => part,
        Err(answer) => return Ok(answer),
    };
    let object = door.memory.files.get(&file.key, part.clone()).await?;
    let object = object.ok_or_else(|| {
        tracing::error!(key = file.key, "the bytes of a file are gone");
        Error::NoFile
    })?;
    Ok(download.answer(part, Body::from_stream(object.stream)))
}

/// None that a browser would show instead of saving the file.
pub(super) fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "csv" => "text/csv",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}
