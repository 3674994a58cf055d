//! Files on their way between where they are kept and where they are worked on.
use std::path::Path;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use quadrille_store::files::{Files, PutError};
use tokio::{
    fs::File,
    io::{AsyncWriteExt, BufWriter},
};
use tokio_util::io::ReaderStream;

/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;

/// Why a file is not where it is worked on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("the file is gone; upload it again")]
    Gone,
    #[error("the file could not be copied to where it is worked on: {0}")]
    Copy(#[from] std::io::Error),
    #[error(transparent)]
    Store(#[from] quadrille_store::Error),
}

/// Copy what is kept under `key` to `path`.
pub(crate) async fn fetch(files: &Files, key: &str, path: &Path) -> Result<(), FetchError> {
    let mut object = files.get(key, None).await?.ok_or(FetchError::Gone)?;
    let mut file = BufWriter::with_capacity(CHUNK, File::create(path).await?);
    while let Some(bytes) = object.stream.next().await {
        file.write_all(&bytes?).await?;
    }
    file.flush().await?;
    Ok(())
}

/// Keep the file at `path` under `key`, and give its bytes.
pub(crate) async fn put(files: &Files, key: &str, path: &Path) -> Result<u64, PutError> {
    let file = File::open(path).await.map_err(|why| PutError::Storage(why.into()))?;
    files.put(key, stream(file), u64::MAX).await
}

fn stream(file: File) -> impl Stream<Item = std::io::Result<Bytes>> {
    ReaderStream::with_capacity(file, CHUNK)
}
