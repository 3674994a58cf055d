//! Files that requests made, for their owner, until they are removed.
use std::{path::PathBuf, sync::Arc};

use axum::{extract, response::Response};
use http::{HeaderMap, Method};
use quadrille_edge::http::Base;
use quadrille_store::files::Files;

use super::{
    super::{caller::ChatCaller, downloads as archives, error::Error, files::SentFile, path::Path},
    work::Workspace,
};
use crate::{API, engine, state::State, wire};

/// Download a result
#[utoipa::path(
    get,
    context_path = API,
    path = "/files/downloads/{name}",
    operation_id = "download",
    tag = "tables",
    params(SentFile<'_>),
    responses(SentFile<'_>)
)]
pub(super) async fn show(
    state: extract::State<Arc<State>>,
    caller: ChatCaller,
    name: Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Error> {
    archives::show(state, caller, name, method, headers).await
}

/// Stores the file at `path` under `name` or a similar free name, also if the client disconnects
/// meanwhile. Returns the name and the size in bytes.
pub(super) async fn store(
    state: &Arc<State>,
    owner: Option<Arc<str>>,
    workspace: Arc<Workspace>,
    path: PathBuf,
    name: &str,
) -> Result<(String, u64), Error> {
    let (here, name) = (Arc::clone(state), name.to_owned());
    let kept = state.core.life.finish("download", async move {
        let (store, files) = (&here.memory.store, &here.memory.files);
        let key = Files::key(owner.as_deref().unwrap_or("downloads"), &name);
        let size = engine::put(files, &key, &path).await?;
        drop(workspace);
        let bytes = i64::try_from(size).unwrap_or(i64::MAX);
        match store.add_download(&name, owner.as_deref(), &key, bytes).await {
            Ok(name) => Ok((name, size)),
            Err(err) => {
                files.discard(&[key]).await;
                Err(err.into())
            }
        }
    });
    kept.await.unwrap_or(Err(Error::Server))
}

pub(super) fn url(base: &Base, name: &str) -> String {
    base.url(&format!("{API}/files/downloads/{}", wire::escaped(name)))
}
