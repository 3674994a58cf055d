//! Uploaded files: listed, and sent.
use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{self, FromRequestParts, Path},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, request::Parts};
use quadrille_core::Holder;
use quadrille_edge::http::{Base, Download, Peer};
use quadrille_identity::{Action, Payer, Rate};
use quadrille_store::FileInfo;
use serde::Serialize;
use utoipa::ToSchema;

use super::{caller::RoomsCaller, error::Error, params::Params, shape::FileShape};
use crate::{
    links::{FileLink, Opens},
    state::State,
};

#[derive(Serialize, ToSchema)]
pub(super) struct FileList<'a> {
    files: Vec<FileShape<'a>>,
}

/// List your files, newest first
#[utoipa::path(
    get,
    path = "/api/files",
    operation_id = "list_files",
    tag = "rooms",
    params(
        ("limit" = Option<u128>, Query, minimum = 1, description = "at most so many, and at most 1000"),
        ("offset" = Option<u128>, Query, description = "without the first so many"),
    ),
    responses((status = 200, description = "Files", body = inline(FileList<'_>)))
)]
pub(super) async fn list(
    extract::State(state): extract::State<Arc<State>>,
    caller: RoomsCaller,
    base: Base,
    params: Params,
) -> Result<Response, Error> {
    let user = caller.user(None)?;
    let found = caller.store().files(&user, params.page()?).await?;
    let addresses = state.links.to(&base, &found).await;
    let files = FileShape::all(&found, &addresses);
    Ok(Json(FileList { files }).into_response())
}

/// The key in a path. Anything else names no file.
#[derive(Debug)]
pub(super) struct FileKey(String);

impl FromRequestParts<Arc<State>> for FileKey {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<State>) -> Result<Self, Error> {
        let key = Path::<String>::from_request_parts(parts, state).await;
        key.map(|Path(key)| Self(key)).map_err(|_| Error::NoFile)
    }
}

/// The client that asks for a file: one with a link to it, or with a token.
#[derive(Debug)]
pub(super) enum Viewer {
    Linked(Holder),
    Caller(RoomsCaller),
}

impl FromRequestParts<Arc<State>> for Viewer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<State>) -> Result<Self, Error> {
        let uri = parts.uri.clone();
        let opens = match FileLink::of(uri.query()) {
            None => None,
            Some(link) => {
                let FileKey(key) = FileKey::from_request_parts(parts, state).await?;
                Some(state.links.opens(&key, &link))
            }
        };
        if opens == Some(Opens::Yes) {
            let peer = Peer::within(&parts.extensions);
            state.core.quotas.take(Rate::Requests, &Payer::from(peer.0))?;
            return Ok(Self::Linked(Holder::guest(peer.0)));
        }
        // What is wrong with the link is told to a client that says nothing else of itself.
        let caller = RoomsCaller::from_request_parts(parts, state).await;
        let named = caller.and_then(|caller| caller.acting(None).map(|_| caller));
        match (opens, named) {
            (Some(Opens::NotAnyMore), Err(Error::NoToken | Error::NoUser)) => {
                Err(Error::LinkExpired)
            }
            (Some(_), Err(Error::NoToken | Error::NoUser)) => Err(Error::BadLink),
            (_, named) => named.map(Self::Caller),
        }
    }
}

/// Download a file
#[utoipa::path(
    get,
    path = "/files/{*key}",
    operation_id = "get_file",
    tag = "rooms",
    params(
        ("expires" = Option<u64>, Query, description = "of a link: in seconds since 1970"),
        ("signature" = Option<String>, Query, description = "of a link"),
        ("Range" = Option<String>, Header, description = "the part, as in `bytes=0-99`"),
        ("If-None-Match" = Option<String>, Header, description = "the `ETag` of the cached file"),
    ),
    responses(
        (status = 200, description = "The file", body = String, content_type = "*/*"),
        (status = 206, description = "The part that `Range` asks for", body = String, content_type = "*/*"),
        (status = 304, description = "Not modified"),
        (status = 416, description = "The range is outside of the file"),
    )
)]
pub(super) async fn show(
    extract::State(state): extract::State<Arc<State>>,
    viewer: Viewer,
    FileKey(key): FileKey,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let file = match &viewer {
        Viewer::Linked(holder) => {
            let store = state.storage.store.acting(holder.clone());
            store.file(&key).await?.ok_or(Error::NoFile)?
        }
        Viewer::Caller(caller) => {
            let user = caller.acting(None)?;
            let file = caller.store().file(&key).await?.ok_or(Error::NoFile)?;
            if !may_see(caller, user.as_deref(), &file).await? {
                return Err(Error::NoFile);
            }
            file
        }
    };
    let size = u64::try_from(file.size).unwrap_or_default();
    let etag = etag(&file.key);
    let download = Download { name: &file.name, media_type: &file.media_type, etag: &etag, size };
    let part = match download.part(&method, &headers) {
        Ok(part) => part,
        Err(answer) => return Ok(answer),
    };
    let object = state.storage.files.get(&key, part.clone()).await?;
    let object = object.ok_or_else(|| {
        tracing::error!(key, "the bytes of a file are gone");
        Error::NoFile
    })?;
    if object.size != size {
        tracing::error!(key, size, found = object.size, "a file has another size");
        return Err(Error::Defect);
    }
    Ok(download.answer(part, Body::from_stream(object.stream)))
}

/// Allows the owner, and readers of its conversation.
async fn may_see(caller: &RoomsCaller, user: Option<&str>, file: &FileInfo) -> Result<bool, Error> {
    if user == Some(&*file.user_id) {
        return Ok(true);
    }
    let Some(id) = file.conversation_id else { return Ok(false) };
    match caller.conversation(id, Action::Read, user).await {
        Ok(_) => Ok(true),
        Err(Error::NoConversation) => Ok(false),
        Err(err) => Err(err),
    }
}

/// The entity tag: the random part of the key, since its bytes never change.
fn etag(key: &str) -> String {
    format!("\"{}\"", key.split('/').nth(1).unwrap_or(key))
}
