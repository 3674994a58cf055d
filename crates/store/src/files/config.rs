//! Section `files` of the configuration: where uploads are kept.
use object_store::{ObjectStore, local::LocalFileSystem, path::Path};
use serde::{Deserialize, Serialize};

use super::OpenError;
use crate::BadConfig;

/// Section `files`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `file://PATH`, the path as it stands, or a bucket: `s3://`, `gs://`, `az://`.
    pub url: String,
    /// Bytes of one upload.
    pub max_upload_size: u64,
}

/// Parts of a file on the way to a folder; as much is held for each upload.
const SMALL: usize = 256 << 10;

impl Default for Config {
    fn default() -> Self {
        Self { url: "file://data/files".to_owned(), max_upload_size: 16 << 20 }
    }
}

impl Config {
    /// Bounds, and whether this build has what the address needs.
    pub fn check(&self) -> Result<(), BadConfig> {
        let wrong = |key, expected: &str| Err(BadConfig { key, expected: expected.to_owned() });
        if self.max_upload_size == 0 {
            return wrong("files.max_upload_size", "expected 1 or more, found 0");
        }
        match self.url.strip_prefix("file://") {
            Some("") => wrong("files.url", "expected the path of a folder after file://"),
            Some(_) => Ok(()),
            None => wrong("files.url", "expected file://PATH"),
        }
    }
}

/// The store, what all keys are below, and how many bytes are written at once.
pub(super) fn open(config: &Config) -> Result<(Box<dyn ObjectStore>, Path, usize), OpenError> {
    config.check()?;
    let folder = config.url.strip_prefix("file://").unwrap_or_default();
    std::fs::create_dir_all(folder).map_err(|why| OpenError::Folder(folder.to_owned(), why))?;
    let store = LocalFileSystem::new_with_prefix(folder);
    let store = store.map_err(|why| OpenError::Store(why.into()))?;
    let store = store.with_automatic_cleanup(true).with_fsync(true);
    Ok((Box::new(store), Path::default(), SMALL))
}
