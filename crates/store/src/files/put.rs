//! Stores a file from a stream: whole, or not at all.
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, TryStreamExt};
use object_store::{MultipartUpload, ObjectStoreExt};

use super::{Files, PutError};

impl Files {
    /// Stores a stream under a [key](Self::key), and returns its size. Beyond `limit` bytes, or if the
    /// stream or the store fails, nothing is kept.
    ///
    /// Dropping the future leaves nothing in a folder; a bucket needs a rule that removes incomplete
    /// uploads.
    pub async fn put<S, E>(&self, key: &str, stream: S, limit: u64) -> Result<u64, PutError>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let path = self.path(key);
        let path = path.ok_or_else(|| PutError::Storage("the key is not one of a file".into()))?;
        self.check_usable().await?;
        if let Some(ledger) = self.0.ledger.get() {
            ledger.expect_file(key).await.map_err(|_| PutError::Unavailable)?;
        }
        let mut upload = self.0.store.put_multipart(&path).await?;
        let written = self.write(&mut *upload, stream, limit).await;
        match written {
            Ok(size) => {
                upload.complete().await?;
                self.check_still_there().await?;
                Ok(size)
            }
            Err(err) => {
                if let Err(err) = upload.abort().await {
                    tracing::warn!(error = %err, key, "parts of an interrupted upload may be left");
                }
                Err(err)
            }
        }
    }

    async fn write<S, E>(
        &self,
        upload: &mut dyn MultipartUpload,
        stream: S,
        limit: u64,
    ) -> Result<u64, PutError>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut stream = std::pin::pin!(stream);
        let mut part = BytesMut::new();
        let mut size = 0;
        while let Some(bytes) =
            stream.try_next().await.map_err(|err| PutError::BrokenOff(err.into()))?
        {
            size += bytes.len() as u64;
            if size > limit {
                return Err(PutError::TooLarge(limit));
            }
            part.extend_from_slice(&bytes);
            // Some stores want parts of one size.
            while part.len() >= self.0.part {
                upload.put_part(part.split_to(self.0.part).freeze().into()).await?;
            }
        }
        if !part.is_empty() || size == 0 {
            upload.put_part(part.freeze().into()).await?;
        }
        Ok(size)
    }
}
