//! Section `files` of the configuration: where uploads are kept.
use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt, time::Duration};

use object_store::{ObjectStore, local::LocalFileSystem, path::Path};
use serde::{Deserialize, Serialize};

use super::{OpenError, link::Signer};
use crate::BadConfig;

/// Section `files`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `file://PATH`, the path as it stands, or a bucket and what all keys begin with there:
    /// `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`, `az://CONTAINER/PREFIX`. What a bucket needs
    /// besides is in the usual variables (`AWS_…`, `GOOGLE_…`, `AZURE_…`).
    pub url: String,
    /// Bytes of one upload.
    pub max_upload_size: u64,
    /// How long an address in an answer opens its file without a token.
    #[serde(with = "humantime_serde")]
    pub link_ttl: Duration,
}

/// What `url` names.
#[derive(Clone, Debug)]
enum Place<'a> {
    Folder(&'a str),
    Bucket { kind: Kind, prefix: Path },
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    S3,
    Gcs,
    Azure,
}

/// Parts of a file on the way to a folder; as much is held for each upload.
const SMALL: usize = 256 << 10;

/// Times that links may last.
const LINK_TTL: std::ops::RangeInclusive<Duration> = Duration::from_mins(1)..=Config::LONGEST_LINK;

/// The least that S3 takes as a part of more.
const LARGE: usize = 5 << 20;

const KINDS: [(&str, &str, Kind, bool); 3] = [
    ("s3://", "s3", Kind::S3, cfg!(feature = "s3")),
    ("gs://", "gcs", Kind::Gcs, cfg!(feature = "gcs")),
    ("az://", "azure", Kind::Azure, cfg!(feature = "azure")),
];

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            url: "file://data/files".to_owned(),
            max_upload_size: 16 << 20,
            link_ttl: Duration::from_hours(24),
        }
    }
}

impl Config {
    /// The longest time that a link may last; a bucket of S3 signs none for longer.
    pub const LONGEST_LINK: Duration = Duration::from_hours(7 * 24);

    /// Bounds, and whether this build has what the address needs.
    pub fn check(&self) -> Result<(), BadConfig> {
        self.place()?;
        if self.max_upload_size == 0 {
            let expected = "expected 1 or more, found 0".to_owned();
            return Err(BadConfig { key: "files.max_upload_size", expected });
        }
        if !LINK_TTL.contains(&self.link_ttl) {
            let expected = "expected at least \"1m\" and at most \"7d\"".to_owned();
            return Err(BadConfig { key: "files.link_ttl", expected });
        }
        Ok(())
    }

    /// Whether files could be kept there: a folder that is there can be written to, and one that is
    /// not can be made. Leaves nothing behind.
    pub fn check_writable(&self) -> Result<(), OpenError> {
        let Some(path) = self.folder() else { return Ok(()) };
        crate::writable::check_folder(std::path::Path::new(path))
            .map_err(|(folder, why)| OpenError::Unwritable(folder.display().to_string(), why))
    }

    /// The folder, if it is one.
    pub(super) fn folder(&self) -> Option<&str> {
        match self.place() {
            Ok(Place::Folder(path)) => Some(path),
            _ => None,
        }
    }

    /// Nothing of the address is repeated in an error: it may hold a password.
    fn place(&self) -> Result<Place<'_>, BadConfig> {
        let wrong = |expected: String| BadConfig { key: "files.url", expected };
        if let Some(path) = self.url.strip_prefix("file://") {
            let good = !path.is_empty() && !path.contains('\0');
            let expected = "expected the path of a folder after file://";
            return good.then_some(Place::Folder(path)).ok_or_else(|| wrong(expected.to_owned()));
        }
        let known = KINDS.into_iter().find(|(scheme, ..)| self.url.starts_with(scheme));
        let Some((scheme, feature, kind, there)) = known else {
            return Err(wrong("expected file://PATH, s3://…, gs://… or az://…".to_owned()));
        };
        if !there {
            let expected =
                format!("this build has no `{feature}`; rebuild with --features {feature}");
            return Err(wrong(expected));
        }
        let rest = self.url.strip_prefix(scheme).unwrap_or_default();
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = Path::parse(prefix).ok().filter(|_| !bucket.is_empty());
        let prefix = prefix.filter(|_| !rest.contains(['@', '?', '#', ':']));
        let expected =
            format!("expected {scheme}BUCKET or {scheme}BUCKET/PREFIX, and no secret in it");
        Ok(Place::Bucket { kind, prefix: prefix.ok_or_else(|| wrong(expected))? })
    }
}

pub(super) struct Opened {
    pub(super) store: Box<dyn ObjectStore>,
    /// What all keys are below.
    pub(super) prefix: Path,
    /// Bytes that are written at once.
    pub(super) part: usize,
    /// What signs the addresses of a bucket.
    pub(super) signer: Option<Signer>,
}

pub(super) fn open(config: &Config) -> Result<Opened, OpenError> {
    config.check()?;
    match config.place()? {
        Place::Folder(path) => Ok(Opened {
            store: Box::new(folder(path)?),
            prefix: Path::default(),
            part: SMALL,
            signer: None,
        }),
        Place::Bucket { kind, prefix } => {
            let (store, signer) = bucket(kind, &config.url)?;
            Ok(Opened { store, prefix, part: LARGE, signer: Some(signer) })
        }
    }
}

fn folder(path: &str) -> Result<LocalFileSystem, OpenError> {
    // As that of the database.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|why| OpenError::Folder(path.to_owned(), why))?;
    let store = LocalFileSystem::new_with_prefix(path)?;
    Ok(store.with_automatic_cleanup(true).with_fsync(true))
}

/// A bucket, and the same as what signs its addresses.
type Bucket = (Box<dyn ObjectStore>, Signer);

#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
fn both<T: ObjectStore + object_store::signer::Signer + Clone>(store: T) -> Bucket {
    (Box::new(store.clone()), std::sync::Arc::new(store))
}

fn bucket(kind: Kind, url: &str) -> Result<Bucket, OpenError> {
    match kind {
        #[cfg(feature = "s3")]
        Kind::S3 => Ok(both(object_store::aws::AmazonS3Builder::from_env().with_url(url).build()?)),
        #[cfg(feature = "gcs")]
        Kind::Gcs => {
            use object_store::gcp::GoogleCloudStorageBuilder;
            Ok(both(GoogleCloudStorageBuilder::from_env().with_url(url).build()?))
        }
        #[cfg(feature = "azure")]
        Kind::Azure => {
            use object_store::azure::MicrosoftAzureBuilder;
            Ok(both(MicrosoftAzureBuilder::from_env().with_url(url).build()?))
        }
        #[allow(unreachable_patterns, reason = "there may be no other kind in this build")]
        _ => Err(OpenError::Store(format!("this build cannot use {url}").into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(url: &str) -> Option<String> {
        let config = Config { url: url.to_owned(), ..Config::default() };
        config.check().err().map(|why| why.to_string())
    }

    #[test]
    fn an_address_is_a_folder_or_a_bucket() {
        for good in ["file://data/files", "file:///var/lib/a b"] {
            assert_eq!(wrong(good), None, "{good}");
        }
        let folder = "files.url: expected the path of a folder after file://";
        assert_eq!(wrong("file://").as_deref(), Some(folder));
        let other = "files.url: expected file://PATH, s3://…, gs://… or az://…";
        for bad in ["", "data/files", "ftp://u:geheim@h/", "memory:///"] {
            assert_eq!(wrong(bad).as_deref(), Some(other), "{bad}");
        }
        let none = Config { max_upload_size: 0, ..Config::default() };
        let expected = "files.max_upload_size: expected 1 or more, found 0";
        assert_eq!(none.check().unwrap_err().to_string(), expected);
    }

    #[test]
    fn a_bucket_needs_its_feature_and_holds_no_secret() {
        for (scheme, feature, _, there) in KINDS {
            let said = wrong(&format!("{scheme}bucket/a/b"));
            let absent = format!(
                "files.url: this build has no `{feature}`; rebuild with --features {feature}"
            );
            assert_eq!(said, (!there).then_some(absent));
            for bad in ["", "/a", "key:geheim@bucket", "bucket?key=geheim", "bucket/../a"] {
                let said = wrong(&format!("{scheme}{bad}")).unwrap();
                assert!(!said.contains("geheim"), "{said}");
            }
        }
    }
}
