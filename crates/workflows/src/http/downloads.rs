//! What was made of a chat or of a file that came with a request, for whom it was made.
use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::{HeaderMap, Method};
use quadrille_store::files::Files;

use super::{
    caller::Caller,
    error::Error,
    files::{Sent, media_type},
    path::Path,
};
use crate::{DOWNLOADS, door::Door};

/// Download an archive
#[utoipa::path(
    get,
    context_path = DOWNLOADS,
    path = "/{file}",
    operation_id = "download_archive",
    tag = "chats",
    params(Sent<'_>),
    responses(Sent<'_>)
)]
pub(super) async fn show(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Path(name): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let download = caller.store.download(&Files::composed(&name)).await?.filter(|it| {
        let (owner, user) = (it.user_id.as_deref(), caller.principal.user.as_deref());
        door.is_open() || (owner.is_some() && owner == user)
    });
    let download = download.ok_or(Error::NoFile)?;
    let sent = Sent {
        name: &download.name,
        media_type: media_type(&download.name),
        key: &download.key,
        size: download.size,
    };
    sent.answer(&door, &method, &headers).await
}
