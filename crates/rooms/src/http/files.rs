//! Uploaded files: listed, and sent to who may see them.
use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{FromRequestParts, Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use quadrille_core::auth::Action;
use quadrille_store::FileInfo;
use serde_json::{Value, json};

use super::{
    caller::Caller, disposition, error::Error, params::Params, range::Wanted, shape::FileShape,
};
use crate::door::Door;

pub(super) async fn list(
    State(door): State<Arc<Door>>,
    caller: Caller,
    params: Params,
) -> Result<Json<Value>, Error> {
    let user = caller.user(None)?;
    let found = door.memory.store.files(&user, params.page()?).await?;
    let shapes: Vec<_> = found.iter().map(FileShape::from).collect();
    Ok(Json(json!({ "files": shapes })))
}

/// The key in a path. What is none names no file.
#[derive(Debug)]
pub(super) struct Key(String);

impl FromRequestParts<Arc<Door>> for Key {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, door: &Arc<Door>) -> Result<Self, Error> {
        let key = Path::<String>::from_request_parts(parts, door).await;
        key.map(|Path(key)| Self(key)).map_err(|_| Error::NoFile)
    }
}

pub(super) async fn show(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Key(key): Key,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let user = caller.acting(None)?;
    let file = door.memory.store.file(&key).await?.ok_or(Error::NoFile)?;
    if !may_see(&caller, user.as_deref(), &file).await? {
        return Err(Error::NoFile);
    }
    let size = u64::try_from(file.size).unwrap_or_default();
    let etag = etag(&file.key);
    if is_known(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, about(&file, &etag)).into_response());
    }
    let (status, part) = match Wanted::of(&headers, size, &etag) {
        Wanted::Whole => (StatusCode::OK, None),
        Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, Some(part)),
        Wanted::Nothing => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, range).into_response());
        }
    };
    let mut response = if method == Method::HEAD {
        Body::empty().into_response()
    } else {
        let object = door.memory.files.get(&key, part.clone()).await?;
        let object = object.ok_or_else(|| {
            tracing::error!(key, "the bytes of a file are gone");
            Error::NoFile
        })?;
        if object.size != size {
            tracing::error!(key, size, found = object.size, "a file has another size");
            return Err(Error::Defect);
        }
        Body::from_stream(object.stream).into_response()
    };
    *response.status_mut() = status;
    let sent = response.headers_mut();
    sent.extend(about(&file, &etag));
    let length = part.as_ref().map_or(size, |part| part.end - part.start);
    sent.insert(header::CONTENT_LENGTH, length.into());
    if let Some(part) = part {
        let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
        sent.insert(header::CONTENT_RANGE, value(range));
    }
    Ok(response)
}

/// Its owner, and whoever its conversation is open to.
async fn may_see(caller: &Caller, user: Option<&str>, file: &FileInfo) -> Result<bool, Error> {
    if user == Some(&*file.user_id) {
        return Ok(true);
    }
    let Some(id) = file.conversation_id else { return Ok(false) };
    match caller.conversation(id, Action::Read, user).await {
        Ok(_) => Ok(true),
        Err(Error::NoConversation) => Ok(false),
        Err(why) => Err(why),
    }
}

/// A key never gets other bytes, so the part of it that is random says which they are.
fn etag(key: &str) -> String {
    format!("\"{}\"", key.split('/').nth(1).unwrap_or(key))
}

/// Whether the client has it already.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let sent = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|it| it.to_str().ok());
    let mut tags = sent.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// What goes with a file, or without it if the client has it. Nothing in it may run: neither what
/// its type says, nor what a browser would guess.
fn about(file: &FileInfo, etag: &str) -> HeaderMap {
    let media_type = match file.media_type.as_str() {
        "text/plain" => "text/plain; charset=utf-8",
        media_type => media_type,
    };
    let fixed = |text| HeaderValue::from_static(text);
    HeaderMap::from_iter([
        (header::CONTENT_TYPE, value(media_type.to_owned())),
        (header::CONTENT_DISPOSITION, value(disposition::of(&file.media_type, &file.name))),
        (header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff")),
        (header::CONTENT_SECURITY_POLICY, fixed("sandbox")),
        (header::ETAG, value(etag.to_owned())),
        (header::CACHE_CONTROL, fixed("private")),
        (header::ACCEPT_RANGES, fixed("bytes")),
    ])
}

/// What is in the store may come from another program.
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}
