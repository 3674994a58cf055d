//! What links to files need: the key that signs them, and the addresses that a bucket signs itself.
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    time::Duration,
};

use object_store::path::Path;

use super::{Files, watch::Folder};

/// The name of the key's file. No key of a file names it: those have three parts.
const NAME: &str = ".link-key";

/// Bytes of the key.
const LEN: usize = 32;

/// What signs the addresses of a bucket.
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
pub(super) type Signer = std::sync::Arc<dyn object_store::signer::Signer>;
/// This build has no buckets.
#[cfg(not(any(feature = "s3", feature = "gcs", feature = "azure")))]
pub(super) type Signer = std::sync::Arc<std::convert::Infallible>;

impl Files {
    /// The key that is kept in the folder, for nobody but the process's own user: `fresh` if there
    /// was none. A bucket keeps none: it signs its addresses itself.
    pub fn link_key(&self, fresh: [u8; LEN]) -> io::Result<[u8; LEN]> {
        let Some(folder) = self.0.folder.as_ref().map(Folder::path) else { return Ok(fresh) };
        let path = folder.join(NAME);
        match fs::read(&path) {
            Ok(bytes) => {
                return bytes.try_into().map_err(|_| io::ErrorKind::InvalidData.into());
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => {}
            Err(why) => return Err(why),
        }
        // Whole under another name first: a kill leaves no half of a key.
        let begun = folder.join(format!("{NAME}.new"));
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&begun)?;
        file.write_all(&fresh)?;
        file.sync_all()?;
        fs::rename(begun, path)?;
        Ok(fresh)
    }

    /// The address at which the bucket itself gives the file of this key to anybody, for as long as
    /// `ttl`; `None` if the files are in a folder, or the bucket's credentials cannot sign.
    pub async fn address(&self, key: &str, ttl: Duration) -> Option<String> {
        let (signer, path) = (self.0.signer.as_ref()?, self.path(key)?);
        signed(signer, &path, ttl).await
    }
}

#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
async fn signed(signer: &Signer, path: &Path, ttl: Duration) -> Option<String> {
    match signer.signed_url(object_store::signer::Method::GET, path, ttl).await {
        Ok(url) => Some(url.into()),
        Err(why) => {
            tracing::warn!(error = %why, "the bucket's address of a file cannot be signed");
            None
        }
    }
}

#[cfg(not(any(feature = "s3", feature = "gcs", feature = "azure")))]
fn signed(signer: &Signer, _: &Path, _: Duration) -> std::future::Ready<Option<String>> {
    match **signer {}
}
