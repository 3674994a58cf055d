//! What requests made, for whoever asked, until it is swept.
use std::{path::PathBuf, sync::Arc};

use axum::{extract::State, response::Response};
use http::{HeaderMap, Method};
use quadrille_store::files::Files;

use super::{
    super::{
        caller::Caller, downloads as archives, envelope::Base, error::Error, files::Sent,
        path::Path,
    },
    ROOT,
    asked::Place,
};
use crate::{door::Door, engine, wire};

/// Download what was made of a file
#[utoipa::path(
    get,
    context_path = ROOT,
    path = "/files/downloads/{name}",
    operation_id = "download",
    tag = "tables",
    params(Sent<'_>),
    responses(Sent<'_>)
)]
pub(super) async fn show(
    door: State<Arc<Door>>,
    caller: Caller,
    name: Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Error> {
    archives::show(door, caller, name, method, headers).await
}

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
    base.url(&format!("{ROOT}/files/downloads/{}", wire::escaped(name)))
}
