//! Section `files` of the configuration: where uploads are kept.
use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt, time::Duration};

use object_store::{ObjectStore, local::LocalFileSystem, path::Path};
use serde::{Deserialize, Serialize};

use super::{FilesError, link::Signer};
use crate::BadConfig;

/// Section `files`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `file://PATH`, the path as it stands, or a bucket and the prefix of all keys in it:
    /// `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`, `az://CONTAINER/PREFIX`. Credentials and region
    /// of a bucket are in the usual variables (`AWS_…`, `GOOGLE_…`, `AZURE_…`).
    pub url: String,
    /// Most bytes of one upload.
    pub max_upload_size: u64,
    /// Lifetime of links in responses, which open a file without a token.
    #[serde(with = "humantime_serde")]
    pub link_ttl: Duration,
}

/// A parsed `url`.
#[derive(Clone, Debug)]
enum FilesUrl<'a> {
    Folder(&'a str),
    Bucket { kind: BucketKind, prefix: Path },
}

#[derive(Clone, Copy, Debug)]
enum BucketKind {
    S3,
    Gcs,
    Azure,
}

/// Bytes of a part on the way to a folder. Each upload holds one part in memory.
const FOLDER_PART_SIZE: usize = 256 << 10;

/// Bounds of `link_ttl`.
const LINK_TTL_RANGE: std::ops::RangeInclusive<Duration> =
    Duration::from_mins(1)..=Config::MAX_LINK_TTL;

/// Bytes of a part on the way to a bucket: the least that S3 allows.
const BUCKET_PART_SIZE: usize = 5 << 20;

const BUCKET_KINDS: [(&str, &str, BucketKind, bool); 3] = [
    ("s3://", "s3", BucketKind::S3, cfg!(feature = "s3")),
    ("gs://", "gcs", BucketKind::Gcs, cfg!(feature = "gcs")),
    ("az://", "azure", BucketKind::Azure, cfg!(feature = "azure")),
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
    /// Longest lifetime of a link: the most that S3 signs.
    pub const MAX_LINK_TTL: Duration = Duration::from_hours(7 * 24);

    /// Checks the bounds, and that this build supports the address.
    pub fn check(&self) -> Result<(), BadConfig> {
        self.parse_url()?;
        if self.max_upload_size == 0 {
            let expected = "expected 1 or more, found 0".to_owned();
            return Err(BadConfig { key: "files.max_upload_size", expected });
        }
        if !LINK_TTL_RANGE.contains(&self.link_ttl) {
            let expected = "expected at least \"1m\" and at most \"7d\"".to_owned();
            return Err(BadConfig { key: "files.link_ttl", expected });
        }
        Ok(())
    }

    /// Checks that the folder is writable, or can be created. Leaves nothing behind. A bucket is not
    /// checked.
    pub fn check_writable(&self) -> Result<(), FilesError> {
        let Some(path) = self.folder() else { return Ok(()) };
        crate::writable::check_folder(std::path::Path::new(path))
            .map_err(|(folder, err)| FilesError::Unwritable(folder.display().to_string(), err))
    }

    /// Returns the folder; `None` for a bucket.
    pub(super) fn folder(&self) -> Option<&str> {
        match self.parse_url() {
            Ok(FilesUrl::Folder(path)) => Some(path),
            _ => None,
        }
    }

    /// Parses the address. Errors never repeat it: it may contain a password.
    fn parse_url(&self) -> Result<FilesUrl<'_>, BadConfig> {
        let bad = |expected: String| BadConfig { key: "files.url", expected };
        if let Some(path) = self.url.strip_prefix("file://") {
            let good = !path.is_empty() && !path.contains('\0');
            let expected = "expected the path of a folder after file://";
            return good.then_some(FilesUrl::Folder(path)).ok_or_else(|| bad(expected.to_owned()));
        }
        let known = BUCKET_KINDS.into_iter().find(|(scheme, ..)| self.url.starts_with(scheme));
        let Some((scheme, feature, kind, there)) = known else {
            return Err(bad("expected file://PATH, s3://…, gs://… or az://…".to_owned()));
        };
        if !there {
            let expected =
                format!("this build has no `{feature}`; rebuild with --features {feature}");
            return Err(bad(expected));
        }
        let rest = self.url.strip_prefix(scheme).unwrap_or_default();
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = Path::parse(prefix).ok().filter(|_| !bucket.is_empty());
        let prefix = prefix.filter(|_| !rest.contains(['@', '?', '#', ':']));
        let expected =
            format!("expected {scheme}BUCKET or {scheme}BUCKET/PREFIX, and no secret in it");
        Ok(FilesUrl::Bucket { kind, prefix: prefix.ok_or_else(|| bad(expected))? })
    }
}

pub(super) struct Opened {
    pub(super) store: Box<dyn ObjectStore>,
    /// Prefix of all keys.
    pub(super) prefix: Path,
    /// Bytes of a part.
    pub(super) part: usize,
    /// Signs links to a bucket.
    pub(super) signer: Option<Signer>,
}

pub(super) fn open(config: &Config) -> Result<Opened, FilesError> {
    config.check()?;
    match config.parse_url()? {
        FilesUrl::Folder(path) => Ok(Opened {
            store: Box::new(folder(path)?),
            prefix: Path::default(),
            part: FOLDER_PART_SIZE,
            signer: None,
        }),
        FilesUrl::Bucket { kind, prefix } => {
            let (store, signer) = bucket(kind, &config.url)?;
            Ok(Opened { store, prefix, part: BUCKET_PART_SIZE, signer: Some(signer) })
        }
    }
}

fn folder(path: &str) -> Result<LocalFileSystem, FilesError> {
    // The same mode as the folder of the database.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|err| FilesError::Folder(path.to_owned(), err))?;
    let store = LocalFileSystem::new_with_prefix(path)?;
    Ok(store.with_automatic_cleanup(true).with_fsync(true))
}

/// A bucket, and the same as its signer.
type Bucket = (Box<dyn ObjectStore>, Signer);

#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
fn signing_bucket<T: ObjectStore + object_store::signer::Signer + Clone>(store: T) -> Bucket {
    (Box::new(store.clone()), std::sync::Arc::new(store))
}

fn bucket(kind: BucketKind, url: &str) -> Result<Bucket, FilesError> {
    match kind {
        #[cfg(feature = "s3")]
        BucketKind::S3 => Ok(signing_bucket(
            object_store::aws::AmazonS3Builder::from_env().with_url(url).build()?,
        )),
        #[cfg(feature = "gcs")]
        BucketKind::Gcs => {
            use object_store::gcp::GoogleCloudStorageBuilder;
            Ok(signing_bucket(GoogleCloudStorageBuilder::from_env().with_url(url).build()?))
        }
        #[cfg(feature = "azure")]
        BucketKind::Azure => {
            use object_store::azure::MicrosoftAzureBuilder;
            Ok(signing_bucket(MicrosoftAzureBuilder::from_env().with_url(url).build()?))
        }
        #[allow(unreachable_patterns, reason = "there may be no other kind in this build")]
        _ => Err(FilesError::Store(format!("this build cannot use {url}").into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> Option<String> {
        let config = Config { url: url.to_owned(), ..Config::default() };
        config.check().err().map(|err| err.to_string())
    }

    #[test]
    fn an_address_is_a_folder_or_a_bucket() {
        for good in ["file://data/files", "file:///var/lib/a b"] {
            assert_eq!(refusal(good), None, "{good}");
        }
        let folder = "files.url: expected the path of a folder after file://";
        assert_eq!(refusal("file://").as_deref(), Some(folder));
        let other = "files.url: expected file://PATH, s3://…, gs://… or az://…";
        for bad in ["", "data/files", "ftp://u:geheim@h/", "memory:///"] {
            assert_eq!(refusal(bad).as_deref(), Some(other), "{bad}");
        }
        let none = Config { max_upload_size: 0, ..Config::default() };
        let expected = "files.max_upload_size: expected 1 or more, found 0";
        assert_eq!(none.check().unwrap_err().to_string(), expected);
    }

    #[test]
    fn a_bucket_needs_its_feature_and_holds_no_secret() {
        for (scheme, feature, _, there) in BUCKET_KINDS {
            let said = refusal(&format!("{scheme}bucket/a/b"));
            let absent = format!(
                "files.url: this build has no `{feature}`; rebuild with --features {feature}"
            );
            assert_eq!(said, (!there).then_some(absent));
            for bad in ["", "/a", "key:geheim@bucket", "bucket?key=geheim", "bucket/../a"] {
                let said = refusal(&format!("{scheme}{bad}")).unwrap();
                assert!(!said.contains("geheim"), "{said}");
            }
        }
    }
}
