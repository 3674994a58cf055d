//! What requests made, for whoever asked, until it is swept.
use std::{path::PathBuf, sync::Arc};

use axum::{
    body::Body,
    extract::{Path, State},
    response::Response,
};
use http::{HeaderMap, Method};
use quadrille_core::rest::Download;
use quadrille_store::files::Files;

use super::{
    super::{caller::Caller, envelope::Base, error::Error, files::media_type},
    ROOT,
    asked::Place,
};
use crate::{door::Door, engine, wire};

/// Keep the file at `path` under `name`, or one like it. Gives its name and its bytes. A client that
/// leaves meanwhile leaves nothing half done.
pub(super) async fn keep(
    door: &Arc<Door>,
    owner: Option<Arc<str>>,
    place: Arc<Place>,
    path: PathBuf,
    name: &str,
) -> Result<(String, u64), Error> {
    let (here, name) = (Arc::clone(door), name.to_owned());
    let kept = door.core.life.finish("download", async move {
        let (store, files) = (&here.memory.store, &here.memory.files);
        let key = Files::key(owner.as_deref().unwrap_or("downloads"), &name);
        let size = engine::put(files, &key, &path).await?;
        drop(place);
        let bytes = i64::try_from(size).unwrap_or(i64::MAX);
        match store.add_download(&name, owner.as_deref(), &key, bytes).await {
            Ok(name) => Ok((name, size)),
            Err(why) => {
                engine::discard(files, &[key]).await;
                Err(why.into())
            }
        }
    });
    kept.await.unwrap_or(Err(Error::Server))
}

pub(super) fn url(base: &Base, name: &str) -> String {
    format!("{}{ROOT}/files/downloads/{}", base.0, wire::escaped(name))
}

/// What is not the caller's does not exist.
pub(super) async fn show(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Path(name): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let file = door.memory.store.download(&name).await?.ok_or(Error::NoFile)?;
    let owner = file.user_id.as_deref();
    if !door.is_open() && (owner.is_none() || owner != caller.principal.user.as_deref()) {
        return Err(Error::NoFile);
    }
    let etag = format!("\"{}\"", file.key.split('/').nth(1).unwrap_or(&file.key));
    let media_type = match file.name.rsplit_once('.') {
        // With its encoding it is no type that a browser shows in place.
        Some((_, "sql" | "txt")) => "text/plain; charset=utf-8",
        _ => media_type(&file.name),
    };
    let size = u64::try_from(file.size).unwrap_or_default();
    let download = Download { name: &file.name, media_type, etag: &etag, size };
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
