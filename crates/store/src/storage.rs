//! Storage as the protocols get it.
use std::time::Duration;

use crate::{Store, files::Files};

/// The database, the files, and the limits on uploads.
#[derive(Clone, Debug)]
pub struct Storage {
    pub store: Store,
    pub files: Files,
    /// Most bytes of one uploaded file.
    pub max_upload_size: u64,
    /// Lifetime of a link to a file.
    pub link_ttl: Duration,
}
