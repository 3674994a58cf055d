//! Downloads of archives and of results, for their owner.
use std::sync::Arc;

use axum::{extract, response::Response};
use http::{HeaderMap, Method};
use quadrille_store::files::Files;

use super::{
    caller::ChatCaller,
    error::Error,
    files::{SentFile, media_type},
    path::Path,
};
use crate::{DOWNLOADS, state::State};

/// Download an archive
#[utoipa::path(
    get,
    context_path = DOWNLOADS,
    path = "/{file}",
    operation_id = "download_archive",
    tag = "chats",
    params(SentFile<'_>),
    responses(SentFile<'_>)
)]
pub(super) async fn show(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
    Path(name): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Error> {
    // Another user's download is reported as missing.
    let user = caller.principal.user.as_deref();
    let name = Files::composed(&name);
    let download = caller.store.download(&name, user, state.is_open()).await?;
    let download = download.ok_or(Error::NoFile)?;
    let sent = SentFile {
        name: &download.name,
        media_type: media_type(&download.name),
        key: &download.key,
        size: download.size,
        formulas: 0,
    };
    sent.answer(&state, &method, &headers).await
}
