//! `POST …/sqlite/backup`: a copy of the database beside it, for operators.
use std::sync::Arc;

use axum::extract::State;
use quadrille_core::Permit;
use quadrille_store::BackupError;
use serde_json::json;

use super::{
    caller::Caller,
    dump::stamp,
    envelope::{Answer, Envelope, ok},
    error::Error,
};
use crate::{BACKUP, door::Door};

/// What a token needs for it.
const SCOPE: &str = "backup";

/// Backups that may be there.
const MOST: usize = 100;

/// Copy the whole database
///
/// A token needs the scope `backup`.
#[utoipa::path(
    post,
    path = BACKUP,
    operation_id = "back_up",
    tag = "chats",
    responses(
        (status = 200, description = "`backup_file` and its `path`, from the folder of the database on", body = Answer),
        (status = 409, description = "There are 100 backups, or there is one of this second", body = Answer),
        (status = 501, description = "The database is PostgreSQL, which has its own tools", body = Answer),
    )
)]
pub(super) async fn backup(
    State(door): State<Arc<Door>>,
    caller: Caller,
) -> Result<Envelope, Error> {
    caller.need(SCOPE)?;
    let inside = caller.place()?;
    let life = door.core.life.clone();
    let work = async move { make(&door, &inside).await };
    let (name, path) = life.finish("backup", work).await.unwrap_or(Err(Error::Server))?;
    let data = json!({ "backup_file": name, "path": path });
    Ok(ok("Database backup created successfully", data))
}

/// Gives the name of the backup, and its path from the folder of the database on.
async fn make(door: &Door, place: &Permit) -> Result<(String, String), Error> {
    let _turn = door.room.work(place).await;
    let store = &door.memory.store;
    let folder = store.backups().ok_or(Error::NoBackup)?;
    let there = std::fs::read_dir(&folder).map_or(0, Iterator::count);
    if there >= MOST {
        return Err(Error::Conflict("there are 100 backups; move some of them elsewhere first"));
    }
    let name = format!("quadrille_{}.db", stamp());
    match store.back_up(&folder.join(&name)).await {
        Ok(()) => {}
        Err(BackupError::NotAFile) => return Err(Error::NoBackup),
        Err(BackupError::There) => {
            return Err(Error::Conflict("a backup was made this second; that one is enough"));
        }
        Err(BackupError::Folder(why)) => {
            tracing::error!(error = %why, "the folder of backups cannot be made");
            return Err(Error::Server);
        }
        Err(BackupError::Store(why)) => return Err(why.into()),
    }
    let inside = folder.file_name().unwrap_or_default().to_string_lossy();
    let path = format!("{inside}/{name}");
    Ok((name, path))
}
