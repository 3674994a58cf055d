//! Copies files between the store and the scratch folder.
use std::path::Path;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use quadrille_store::files::{Files, PutError};
use tokio::{
    fs::File,
    io::{AsyncWriteExt, BufWriter},
};
use tokio_util::io::ReaderStream;

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// A file was not copied to the scratch folder.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("the file is gone; upload it again")]
    Gone,
    #[error("the file could not be copied to the scratch folder: {0}")]
    Copy(#[from] std::io::Error),
    #[error(transparent)]
    Store(#[from] quadrille_store::Error),
}

/// Copies the object `key` to `path`.
pub(crate) async fn fetch(files: &Files, key: &str, path: &Path) -> Result<(), FetchError> {
    let mut object = files.get(key, None).await?.ok_or(FetchError::Gone)?;
    let mut file = BufWriter::with_capacity(CHUNK, File::create(path).await?);
    while let Some(bytes) = object.stream.next().await {
        file.write_all(&bytes?).await?;
    }
    file.flush().await?;
    Ok(())
}

/// Stores the file at `path` under `key`. Returns its size in bytes.
pub(crate) async fn put(files: &Files, key: &str, path: &Path) -> Result<u64, PutError> {
    let file = File::open(path).await.map_err(|err| PutError::Storage(err.into()))?;
    files.put(key, stream(file), u64::MAX).await
}

fn stream(file: File) -> impl Stream<Item = std::io::Result<Bytes>> {
    ReaderStream::with_capacity(file, CHUNK)
}
