//! `POST …/sqlite/backup`: copies the database, for operators.
use std::sync::Arc;

use axum::extract;
use quadrille_core::Permit;
use quadrille_store::BackupError;
use serde_json::json;

use super::{
    caller::ChatCaller,
    dump::stamp,
    envelope::{Envelope, EnvelopeBody, ok},
    error::Error,
};
use crate::{BACKUP, state::State};

/// Scope that the token needs.
const SCOPE: &str = "backup";

/// Upper bound on the backups in the folder.
const MAX_BACKUPS: usize = 100;

/// Back up the database
///
/// A token needs the scope `backup`.
#[utoipa::path(
    post,
    path = BACKUP,
    operation_id = "back_up",
    tag = "chats",
    responses(
        (status = 200, description = "`backup_file` and its `path`, relative to the folder of the database", body = EnvelopeBody),
        (status = 409, description = "There are 100 backups, or one was made in this second", body = EnvelopeBody),
        (status = 501, description = "The database is PostgreSQL, which has its own tools", body = EnvelopeBody),
    )
)]
pub(super) async fn backup(
    extract::State(state): extract::State<Arc<State>>,
    caller: ChatCaller,
) -> Result<Envelope, Error> {
    caller.require_scope(SCOPE)?;
    let permit = caller.admit()?;
    let life = state.core.life.clone();
    let work = async move { make(&state, &permit).await };
    let (name, path) = life.finish("backup", work).await.unwrap_or(Err(Error::Server))?;
    let data = json!({ "backup_file": name, "path": path });
    Ok(ok("Database backup created successfully", data))
}

/// Returns the name of the backup, and its path relative to the folder of the database.
async fn make(state: &State, permit: &Permit) -> Result<(String, String), Error> {
    let _turn = state.direct_limit.worker(permit).await;
    let store = &state.memory.store;
    let folder = store.backups().ok_or(Error::NoBackup)?;
    let existing = std::fs::read_dir(&folder).map_or(0, Iterator::count);
    if existing >= MAX_BACKUPS {
        return Err(Error::Conflict("there are 100 backups; move some elsewhere first"));
    }
    let name = format!("quadrille_{}.db", stamp());
    match store.back_up(&folder.join(&name)).await {
        Ok(()) => {}
        Err(BackupError::NotAFile) => return Err(Error::NoBackup),
        Err(BackupError::There) => {
            return Err(Error::Conflict("a backup was made in this second; use that one"));
        }
        Err(BackupError::Folder(err)) => {
            tracing::error!(error = %err, "cannot create the folder of backups");
            return Err(Error::Server);
        }
        Err(BackupError::Store(err)) => return Err(err.into()),
    }
    let inside = folder.file_name().unwrap_or_default().to_string_lossy();
    let path = format!("{inside}/{name}");
    Ok((name, path))
}
