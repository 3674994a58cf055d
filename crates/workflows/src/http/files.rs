//! Uploads and downloads of a chat's files.
use std::sync::Arc;

use axum::{
    body::Body,
    extract::{self, Request},
    response::Response,
};
use futures_util::TryStreamExt;
use http::{HeaderMap, Method};
use quadrille_edge::http::{
    Base, Download,
    form::{self, Form, FormBody, FormPart},
};
use quadrille_identity::Action;
use quadrille_store::{
    Chat, ChatFile, MessageType, NewChatFile, NewChatMessage, Place, Store, files::Files,
};
use serde_json::{Value, json};

use super::{
    caller::ChatCaller,
    envelope::{Envelope, EnvelopeBody, ok},
    error::Error,
    path::Path,
};
use crate::{CHATS, state::State, values, wire};

/// Part with the file.
pub(super) const FILE: &str = "file";

/// A stored object that is in no chat yet.
#[derive(Debug)]
pub(super) struct KeptFile {
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
        (status = 200, description = "`file_path`, `filename` and `download_url`", body = EnvelopeBody),
    )
)]
pub(super) async fn upload(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
    base: Base,
    Path(chat): Path<String>,
    request: Request,
) -> Result<Envelope, Error> {
    let chat = caller.chat(&chat, Action::Write).await?;
    let file = take(&state, &caller, &chat, request, false).await?;
    Ok(ok("File uploaded successfully", uploaded(&chat, &file, &base)))
}

/// Shows an uploaded file.
pub(super) fn uploaded(chat: &Chat, file: &ChatFile, base: &Base) -> Value {
    let mut shown = wire::file(chat, file, base);
    shown["filename"] = file.name.clone().into();
    shown
}

/// Adds the file of a request to the chat, also if the client disconnects meanwhile.
pub(super) async fn take(
    state: &Arc<State>,
    caller: &ChatCaller,
    chat: &Chat,
    request: Request,
    is_for_bot: bool,
) -> Result<ChatFile, Error> {
    let (life, state, chat) = (state.core.life.clone(), Arc::clone(state), chat.clone());
    let store = caller.store.clone();
    let adding = async move { add(&state, &store, &chat, request, is_for_bot).await };
    let added = life.finish("upload", adding);
    added.await.unwrap_or(Err(Error::Server))
}

async fn add(
    state: &State,
    known: &Store,
    chat: &Chat,
    request: Request,
    is_for_bot: bool,
) -> Result<ChatFile, Error> {
    let none = || Error::Invalid("No file provided".to_owned());
    let boundary = form::boundary(request.headers())?.ok_or_else(none)?;
    let limit = state.memory.max_upload_size;
    let mut source = FormBody::new(request.into_body());
    let stored = store(state, chat, Form::new(&mut source, boundary, limit)).await;
    let KeptFile { key, name, size } = match stored {
        Ok(Some(stored)) => stored,
        Ok(None) => return Err(none()),
        Err(err) => {
            source.drain(limit).await;
            return Err(err);
        }
    };
    let new = NewChatFile { place: Place::Uploads, name: &name, key: &key, size };
    let added = known.add_chat_file(&chat.id, new).await;
    let Ok(Some(file)) = added else {
        state.memory.files.discard(&[key]).await;
        added?;
        return Err(Error::NoChat);
    };
    // As in the original: its client reads these after a reload.
    let content = format!("File uploaded: {}", file.name);
    let mut metadata = json!({ "file_path": wire::path(chat, &file) });
    if is_for_bot {
        metadata["filename"] = file.name.clone().into();
    }
    let metadata = metadata.to_string();
    let message =
        NewChatMessage { kind: MessageType::FileUpload, content: &content, metadata: &metadata };
    known.add_chat_messages(&chat.id, None, &[message]).await?;
    Ok(file)
}

/// Stores the first file of a form.
async fn store(state: &State, chat: &Chat, mut form: Form<'_>) -> Result<Option<KeptFile>, Error> {
    let mut kept = None;
    while let Some(part) = form.next().await? {
        match (part.name(), part.file_name()) {
            (Some(FILE), Some(_)) if kept.is_none() => {
                kept = Some(store_part(state, chat, part).await?);
            }
            _ => form.skip(part).await?,
        }
    }
    Ok(kept)
}

/// Stores a part under a new key.
pub(super) async fn store_part(
    state: &State,
    chat: &Chat,
    part: FormPart<'_>,
) -> Result<KeptFile, Error> {
    store_inspected(state, chat, part, |_| {}).await
}

/// Stores a part as [`store_part`] does, and passes its bytes to `inspect`.
pub(super) async fn store_inspected(
    state: &State,
    chat: &Chat,
    part: FormPart<'_>,
    mut inspect: impl FnMut(&[u8]) + Send,
) -> Result<KeptFile, Error> {
    let name = part.file_name().unwrap_or_default();
    if name.is_empty() {
        return Err(Error::Invalid("Empty filename".to_owned()));
    }
    // URLs with blanks are hard to copy.
    let name = Files::sanitise(name).replace(' ', "_");
    let key = Files::key(&chat.id, &name);
    let inspected = part.inspect_ok(move |bytes| inspect(bytes));
    let size = state.memory.files.put(&key, inspected, state.memory.max_upload_size).await?;
    Ok(KeptFile { key, name, size: i64::try_from(size).unwrap_or(i64::MAX) })
}

/// Download a file of a chat
#[utoipa::path(
    get,
    context_path = CHATS,
    path = "/{chat}/files/{name}",
    operation_id = "show_file",
    tag = "chats",
    params(SentFile<'_>),
    responses(SentFile<'_>)
)]
pub(super) async fn show(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
    Path((chat, name)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let chat = caller.chat(&chat, Action::Read).await?;
    let file = caller.store.chat_file(&chat.id, &name).await?.ok_or(Error::NoFile)?;
    send(&state, &file, &method, &headers).await
}

pub(super) async fn send(
    state: &State,
    file: &ChatFile,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Error> {
    let formulas = values::formulas(&file.name, &file.key);
    let sent = SentFile { formulas, ..SentFile::values(file) };
    sent.answer(state, method, headers).await
}

/// A stored file to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct SentFile<'a> {
    pub(super) name: &'a str,
    pub(super) media_type: &'a str,
    pub(super) key: &'a str,
    pub(super) size: i64,
    /// Cells that begin like a formula, and get an apostrophe.
    pub(super) formulas: u64,
}

impl<'a> SentFile<'a> {
    /// A file with its cells unchanged, for a worker.
    pub(super) fn values(file: &'a ChatFile) -> Self {
        let (name, key) = (file.name.as_str(), file.key.as_str());
        Self { name, media_type: media_type(name), key, size: file.size, formulas: 0 }
    }

    pub(super) async fn answer(
        self,
        state: &State,
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
        // With apostrophes, a part can only be found by reading the file from its beginning.
        let read = part.clone().filter(|_| formulas == 0);
        let object = state.memory.files.get(key, read).await?.ok_or_else(|| {
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

/// Media type of a download, one that browsers save instead of showing.
pub(super) fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "csv" => "text/csv",
        "json" => "application/json",
        // With its encoding it is no type that a browser shows in place.
        "sql" | "txt" => "text/plain; charset=utf-8",
        // As in the original.
        "gz" => "application/x-tar",
        _ => "application/octet-stream",
    }
}
