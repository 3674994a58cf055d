//! Links to files: the key that signs them, and links that a bucket signs itself.
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    time::Duration,
};

use object_store::path::Path;

use super::{Files, watch::Folder};

/// File of the signing key. No upload can have this name: keys of uploads have three parts.
const KEY_FILE: &str = ".link-key";

/// Bytes of the key.
const KEY_LEN: usize = 32;

/// Signs links to a bucket.
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
pub(super) type Signer = std::sync::Arc<dyn object_store::signer::Signer>;
/// This build has no buckets.
#[cfg(not(any(feature = "s3", feature = "gcs", feature = "azure")))]
pub(super) type Signer = std::sync::Arc<std::convert::Infallible>;

impl Files {
    /// Reads the signing key from the folder, or stores `fresh` if there is none. Only the process's
    /// own user can read its file. For a bucket, which signs its links itself, returns `fresh`.
    pub fn link_key(&self, fresh: [u8; KEY_LEN]) -> io::Result<[u8; KEY_LEN]> {
        let Some(folder) = self.0.folder.as_ref().map(Folder::path) else { return Ok(fresh) };
        let path = folder.join(KEY_FILE);
        match fs::read(&path) {
            Ok(bytes) => {
                return bytes.try_into().map_err(|_| io::ErrorKind::InvalidData.into());
            }
            Err(err) if err.kind() == io::ErrorKind::NotFound => {}
            Err(err) => return Err(err),
        }
        // Written under another name first, so that a kill leaves no partial key.
        let partial = folder.join(format!("{KEY_FILE}.new"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)?;
        file.write_all(&fresh)?;
        file.sync_all()?;
        fs::rename(partial, path)?;
        Ok(fresh)
    }

    /// Returns a link to the file in the bucket, valid for `ttl` without credentials. `None` if files
    /// are in a folder, or the bucket's credentials cannot sign.
    pub async fn address(&self, key: &str, ttl: Duration) -> Option<String> {
        let (signer, path) = (self.0.signer.as_ref()?, self.path(key)?);
        sign(signer, &path, ttl).await
    }
}

#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
async fn sign(signer: &Signer, path: &Path, ttl: Duration) -> Option<String> {
    match signer.signed_url(object_store::signer::Method::GET, path, ttl).await {
        Ok(url) => Some(url.into()),
        Err(err) => {
            tracing::warn!(error = %err, "cannot sign a link to a file in the bucket");
            None
        }
    }
}

#[cfg(not(any(feature = "s3", feature = "gcs", feature = "azure")))]
fn sign(signer: &Signer, _: &Path, _: Duration) -> std::future::Ready<Option<String>> {
    match **signer {}
}
