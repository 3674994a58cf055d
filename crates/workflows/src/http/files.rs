//! Files of a chat: streamed in, and sent out.
use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use futures_util::TryStreamExt;
use http::{HeaderMap, Method};
use quadrille_edge::http::{
    Download,
    form::{self, Form, FormBody, FormPart},
};
use quadrille_identity::Action;
use quadrille_store::{
    Chat, ChatFile, MessageType, NewChatFile, NewChatMessage, Place, Store, files::Files,
};
use serde_json::{Value, json};

use super::{
    caller::Caller,
    envelope::{Answer, Base, Envelope, ok},
    error::Error,
    path::Path,
    values,
};
use crate::{CHATS, door::Door, engine, wire};

/// The part that brings the file.
pub(super) const FILE: &str = "file";

/// A file that has its bytes, and is in no chat yet.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) key: String,
    pub(super) name: String,
    /// In bytes.
    pub(super) size: i64,
}

/// Add a file to a chat
///
/// The first step of a run works on the file that was uploaded last.
#[utoipa::path(
    post,
    context_path = CHATS,
    path = "/{chat}/upload",
    operation_id = "upload_file",
    tag = "chats",
    responses(
        (status = 200, description = "`file_path`, `filename` and `download_url`", body = Answer),
    )
)]
pub(super) async fn upload(
    State(door): State<Arc<Door>>,
    caller: Caller,
    base: Base,
    Path(chat): Path<String>,
    request: Request,
) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Write).await?;
    let file = take(&door, &caller, &chat, request, false).await?;
    Ok(ok("File uploaded successfully", uploaded(&chat, &file, &base)))
}

/// What is said of a file that was uploaded.
pub(super) fn uploaded(chat: &Chat, file: &ChatFile, base: &Base) -> Value {
    let mut shown = wire::file(chat, file, base);
    shown["filename"] = file.name.clone().into();
    shown
}

/// Add the file that the request brings to the chat, also if the client leaves in between.
pub(super) async fn take(
    door: &Arc<Door>,
    caller: &Caller,
    chat: &Chat,
    request: Request,
    is_for_bot: bool,
) -> Result<ChatFile, Error> {
    let (life, door, chat) = (door.core.life.clone(), Arc::clone(door), chat.clone());
    let store = caller.store.clone();
    let adding = async move { add(&door, &store, &chat, request, is_for_bot).await };
    let taken = life.finish("upload", adding);
    taken.await.unwrap_or(Err(Error::Server))
}

async fn add(
    door: &Door,
    known: &Store,
    chat: &Chat,
    request: Request,
    is_for_bot: bool,
) -> Result<ChatFile, Error> {
    let none = || Error::Invalid("No file provided".to_owned());
    let boundary = form::boundary(request.headers())?.ok_or_else(none)?;
    let limit = door.memory.max_upload_size;
    let mut source = FormBody::new(request.into_body());
    let stored = store(door, chat, Form::new(&mut source, boundary, limit)).await;
    let Kept { key, name, size } = match stored {
        Ok(Some(stored)) => stored,
        Ok(None) => return Err(none()),
        Err(why) => {
            source.drain(limit).await;
            return Err(why);
        }
    };
    let new = NewChatFile { place: Place::Uploads, name: &name, key: &key, size };
    let added = known.add_chat_file(&chat.id, new).await;
    let Ok(Some(file)) = added else {
        engine::discard(&door.memory.files, &[key]).await;
        added?;
        return Err(Error::NoChat);
    };
    // As the original has it: its client reads these after a reload.
    let content = format!("File uploaded: {}", file.name);
    let mut metadata = json!({ "file_path": wire::path(chat, &file) });
    if is_for_bot {
        metadata["filename"] = file.name.clone().into();
    }
    let metadata = metadata.to_string();
    let said =
        NewChatMessage { kind: MessageType::FileUpload, content: &content, metadata: &metadata };
    known.add_chat_messages(&chat.id, None, &[said]).await?;
    Ok(file)
}

/// The first file.
async fn store(door: &Door, chat: &Chat, mut form: Form<'_>) -> Result<Option<Kept>, Error> {
    let mut kept = None;
    while let Some(part) = form.next().await? {
        match (part.name(), part.file_name()) {
            (Some(FILE), Some(_)) if kept.is_none() => kept = Some(keep(door, chat, part).await?),
            _ => form.skip(part).await?,
        }
    }
    Ok(kept)
}

/// The bytes of a part, under a key that nobody knows yet.
pub(super) async fn keep(door: &Door, chat: &Chat, part: FormPart<'_>) -> Result<Kept, Error> {
    keep_seen(door, chat, part, |_| {}).await
}

/// The same, where `see` sees the bytes on their way.
pub(super) async fn keep_seen(
    door: &Door,
    chat: &Chat,
    part: FormPart<'_>,
    mut see: impl FnMut(&[u8]) + Send,
) -> Result<Kept, Error> {
    let name = part.file_name().unwrap_or_default();
    if name.is_empty() {
        return Err(Error::Invalid("Empty filename".to_owned()));
    }
    // A blank in a name makes addresses of it hard to copy.
    let name = Files::sanitise(name).replace(' ', "_");
    let key = Files::key(&chat.id, &name);
    let seen = part.inspect_ok(move |bytes| see(bytes));
    let size = door.memory.files.put(&key, seen, door.memory.max_upload_size).await?;
    Ok(Kept { key, name, size: i64::try_from(size).unwrap_or(i64::MAX) })
}

/// Download a file of a chat
#[utoipa::path(
    get,
    context_path = CHATS,
    path = "/{chat}/files/{name}",
    operation_id = "show_file",
    tag = "chats",
    params(Sent<'_>),
    responses(Sent<'_>)
)]
pub(super) async fn show(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Path((chat, name)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let chat = caller.chat(&chat, Action::Read).await?;
    let file = caller.store.chat_file(&chat.id, &name).await?.ok_or(Error::NoFile)?;
    send(&door, &file, &method, &headers).await
}

pub(super) async fn send(
    door: &Door,
    file: &ChatFile,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Error> {
    let formulas = values::formulas(&file.name, &file.key);
    let sent = Sent { formulas, ..Sent::values(file) };
    sent.answer(door, method, headers).await
}

/// A file that is kept, on its way to a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent<'a> {
    pub(super) name: &'a str,
    pub(super) media_type: &'a str,
    pub(super) key: &'a str,
    pub(super) size: i64,
    /// Cells that begin like a formula and get an apostrophe on their way.
    pub(super) formulas: u64,
}

impl<'a> Sent<'a> {
    /// A file with its cells as they are, for what works on with it.
    pub(super) fn values(file: &'a ChatFile) -> Self {
        let (name, key) = (file.name.as_str(), file.key.as_str());
        Self { name, media_type: media_type(name), key, size: file.size, formulas: 0 }
    }

    pub(super) async fn answer(
        self,
        door: &Door,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Response, Error> {
        let Self { name, media_type, key, size, formulas } = self;
        let etag = format!("\"{}\"", key.split('/').nth(1).unwrap_or(key));
        let size = u64::try_from(size).unwrap_or_default().saturating_add(formulas);
        let download = Download { name, media_type, etag: &etag, size };
        let part = match download.part(method, headers) {
            Ok(part) => part,
            Err(answer) => return Ok(answer),
        };
        // Where a part of it is in the file is not known without reading what comes before.
        let read = part.clone().filter(|_| formulas == 0);
        let object = door.memory.files.get(key, read).await?.ok_or_else(|| {
            tracing::error!(key, "the bytes of a file are gone");
            Error::NoFile
        })?;
        let body = if formulas == 0 {
            Body::from_stream(object.stream)
        } else {
            Body::from_stream(values::defused(object.stream, part.clone()))
        };
        Ok(download.answer(part, body))
    }
}

/// None that a browser would show instead of saving the file.
pub(super) fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "csv" => "text/csv",
        "json" => "application/json",
        // With its encoding it is no type that a browser shows in place.
        "sql" | "txt" => "text/plain; charset=utf-8",
        // As clients of the original know it.
        "gz" => "application/x-tar",
        _ => "application/octet-stream",
    }
}
