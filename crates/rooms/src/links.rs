//! Signed addresses, each of which opens one file for a while without a token: a page shows them as
//! pictures, and sends no header with these.
use std::{
    collections::HashMap,
    fmt,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use aws_lc_rs::{hmac, rand};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use quadrille_edge::http::Base;
use quadrille_identity::Authority;
use quadrille_store::{
    FileInfo, Message,
    files::{Config, Files},
};

/// Purpose of the derived key, so that its signatures are valid for nothing else.
const PURPOSE: &[u8] = b"quadrille: links to files, 1";

/// Remaining lifetime that a link may have: the longest that is ever made, and a day for a wrong
/// clock.
const FURTHEST: Duration = Config::MAX_LINK_TTL.saturating_add(Duration::from_hours(24));

/// Makes and checks links.
pub(crate) struct Links {
    /// Has the secrets from which keys are derived.
    auth: Authority,
    /// The key if there is no secret.
    own: OnceLock<hmac::Key>,
    ttl: Duration,
    files: Files,
}

/// Links of one answer, by the keys of their files.
#[derive(Debug, Default)]
pub(crate) struct Addresses(HashMap<String, String>);

/// The parameters of a link.
#[derive(Debug)]
pub(crate) struct FileLink<'a> {
    expires: &'a str,
    signature: &'a str,
}

/// Whether a link opens its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opens {
    Yes,
    NotAnyMore,
    No,
}

// === impl Links ===

impl Links {
    /// Makes links with keys derived from the secrets that `auth` has at each use; without any,
    /// with a key that is kept beside the files.
    pub(crate) fn new(files: &Files, auth: &Authority, ttl: Duration) -> Self {
        let links = Self { auth: auth.clone(), own: OnceLock::new(), ttl, files: files.clone() };
        // If it is needed, its file is read now and not while somebody waits.
        links.keys();
        links
    }

    /// The keys: the first signs, all of them verify.
    fn keys(&self) -> Vec<hmac::Key> {
        let derived = self.auth.derived(|secret| derived(secret.expose().as_bytes()));
        if derived.is_empty() {
            vec![self.own.get_or_init(|| own(&self.files)).clone()]
        } else {
            derived
        }
    }

    /// Links to all files of `messages`.
    pub(crate) async fn of(&self, base: &Base, messages: &[Message]) -> Addresses {
        self.make(base, messages.iter().flat_map(|message| keys(&message.files)).collect()).await
    }

    /// Links to `files`.
    pub(crate) async fn to(&self, base: &Base, files: &[FileInfo]) -> Addresses {
        self.make(base, keys(files).collect()).await
    }

    /// Makes links: those of the bucket if the files are in one, else the gateway's own.
    async fn make(&self, base: &Base, keys: Vec<String>) -> Addresses {
        let (signs, mut all) = (self.keys(), HashMap::new());
        for key in keys {
            let address = match self.files.address(&key, self.ttl).await {
                Some(address) => address,
                None => base.url(&path(&signs, &key, SystemTime::now() + self.ttl)),
            };
            all.insert(key, address);
        }
        Addresses(all)
    }

    /// Checks a link to the file of this key. One that expires later than any that is made opens
    /// nothing, though its signature may be valid.
    pub(crate) fn opens(&self, key: &str, link: &FileLink<'_>) -> Opens {
        let Ok(expires) = link.expires.parse::<u64>() else { return Opens::No };
        let Ok(signature) = URL_SAFE_NO_PAD.decode(link.signature) else { return Opens::No };
        let message = signed(key, expires);
        // In constant time.
        let is_ours = |own: &hmac::Key| hmac::verify(own, message.as_bytes(), &signature).is_ok();
        let now = SystemTime::now();
        if expires > seconds(now + FURTHEST) || !self.keys().iter().any(is_ours) {
            Opens::No
        } else if expires <= seconds(now) {
            Opens::NotAnyMore
        } else {
            Opens::Yes
        }
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

/// Reads the key that is kept beside the files. If it cannot be, makes one for this process alone.
fn own(files: &Files) -> hmac::Key {
    let mut fresh = [0; 32];
    rand::fill(&mut fresh).expect("the system has random numbers");
    let kept = files.link_key(fresh).unwrap_or_else(|err| {
        tracing::warn!(
            error = %err,
            "the key of links to files cannot be kept: links end with this process"
        );
        fresh
    });
    derived(&kept)
}

fn derived(secret: &[u8]) -> hmac::Key {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), PURPOSE);
    hmac::Key::new(hmac::HMAC_SHA256, tag.as_ref())
}

/// A key has no character that would be escaped in an address.
fn path(signs: &[hmac::Key], key: &str, until: SystemTime) -> String {
    let expires = seconds(until);
    let signature = signs.first().map(|sign| hmac::sign(sign, signed(key, expires).as_bytes()));
    let signature = signature.map(|tag| URL_SAFE_NO_PAD.encode(tag)).unwrap_or_default();
    format!("/files/{key}?expires={expires}&signature={signature}")
}

fn keys(files: &[FileInfo]) -> impl Iterator<Item = String> {
    files.iter().map(|file| file.key.clone())
}

/// No key has a line break.
fn signed(key: &str, expires: u64) -> String {
    format!("{expires}\n{key}")
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

// === impl Addresses ===

impl Addresses {
    pub(crate) fn get(&self, file: &FileInfo) -> &str {
        self.0.get(&file.key).map(String::as_str).unwrap_or_default()
    }
}

// === impl Link ===

impl<'a> FileLink<'a> {
    /// Reads the link in a query, if there is one. None of its characters would be escaped.
    pub(crate) fn of(query: Option<&'a str>) -> Option<Self> {
        let member = |name| query?.split('&').find_map(|member| member.strip_prefix(name));
        Some(Self { expires: member("expires=")?, signature: member("signature=")? })
    }
}

#[cfg(test)]
mod tests {
    use quadrille_core::Life;
    use quadrille_identity::{AuthSettings, Secret};

    use super::*;

    const KEY: &str = "7/0193/a.png";

    fn links(secrets: &[&str]) -> Links {
        let folder = std::env::temp_dir().join("quadrille-links");
        let url = format!("file://{}", folder.display());
        let files = Files::open(&Config { url, ..Config::default() }).unwrap();
        let auth = Authority::new(&settings(secrets)).unwrap();
        Links::new(&files, &auth, Duration::from_mins(1))
    }

    fn settings(secrets: &[&str]) -> AuthSettings {
        let secrets = secrets.iter().map(|it| Secret::from((*it).to_owned())).collect();
        AuthSettings { secrets, short_secrets: true, ..AuthSettings::default() }
    }

    fn path(links: &Links, key: &str, until: SystemTime) -> String {
        super::path(&links.keys(), key, until)
    }

    fn opens(links: &Links, key: &str, path: &str) -> Opens {
        let (_, query) = path.split_once('?').unwrap();
        links.opens(key, &FileLink::of(Some(query)).unwrap())
    }

    #[test]
    fn a_link_opens_its_file_for_its_time_and_nothing_else() {
        let links = links(&["one secret"]);
        let later = SystemTime::now() + Duration::from_mins(1);
        let at = |until| path(&links, KEY, until);
        let path = at(later);
        assert_eq!(opens(&links, KEY, &path), Opens::Yes);
        assert_eq!(opens(&links, "7/0193/b.png", &path), Opens::No);
        assert_eq!(opens(&links, KEY, &at(SystemTime::UNIX_EPOCH)), Opens::NotAnyMore);
        // Not even longer than it was meant to.
        let expires = seconds(later);
        let longer = path.replace(&expires.to_string(), &(expires + 1).to_string());
        assert_eq!(opens(&links, KEY, &longer), Opens::No);
        for wrong in ["", "AAAA", "*", &"A".repeat(43)] {
            let (begin, _) = path.split_once("signature=").unwrap();
            assert_eq!(opens(&links, KEY, &format!("{begin}signature={wrong}")), Opens::No);
        }
    }

    #[test]
    fn links_outlive_a_change_of_secrets_while_the_old_one_verifies() {
        let later = SystemTime::now() + Duration::from_mins(1);
        let path = path(&links(&["old"]), KEY, later);
        assert_eq!(opens(&links(&["new", "old"]), KEY, &path), Opens::Yes);
        assert_eq!(opens(&links(&["new"]), KEY, &path), Opens::No);
        // The secret of tokens itself signs no link.
        assert_ne!(path, super::path(&links(&["new"]).keys(), KEY, later));
    }

    #[test]
    fn links_outlive_the_process_where_there_is_no_secret() {
        let later = SystemTime::now() + Duration::from_mins(1);
        let path = path(&links(&[]), KEY, later);
        assert_eq!(opens(&links(&[]), KEY, &path), Opens::Yes);
    }

    #[tokio::test]
    async fn a_secret_that_is_taken_out_opens_and_signs_nothing_from_then_on() {
        let (links, later) = (links(&["old"]), SystemTime::now() + Duration::from_mins(1));
        let now_is = async |secrets: &[&str]| {
            links.auth.reload(settings(secrets), &Life::new()).await.unwrap();
            path(&links, KEY, later)
        };
        let old = path(&links, KEY, later);
        let new = now_is(&["new", "old"]).await;
        assert_eq!([&old, &new].map(|it| opens(&links, KEY, it)), [Opens::Yes; 2]);
        assert_eq!(now_is(&["new"]).await, new);
        assert_eq!([&old, &new].map(|it| opens(&links, KEY, it)), [Opens::No, Opens::Yes]);
        // The key beside the files counts while there is no secret.
        let kept = now_is(&[]).await;
        assert_eq!(
            [&old, &new, &kept].map(|it| opens(&links, KEY, it)),
            [Opens::No, Opens::No, Opens::Yes]
        );
        assert_eq!(now_is(&["old"]).await, old);
        assert_eq!([&old, &kept].map(|it| opens(&links, KEY, it)), [Opens::Yes, Opens::No]);
    }

    #[test]
    fn a_link_that_ends_later_than_any_is_made_to_opens_nothing() {
        let (links, now) = (links(&["secret"]), SystemTime::now());
        let day = Duration::from_hours(24);
        let ending = |days| opens(&links, KEY, &path(&links, KEY, now + day * days));
        assert_eq!([7, 8, 9, 4000].map(ending), [Opens::Yes, Opens::Yes, Opens::No, Opens::No]);
        let signature = hmac::sign(&links.keys()[0], signed(KEY, u64::MAX).as_bytes());
        let (expires, signature) = (u64::MAX.to_string(), URL_SAFE_NO_PAD.encode(signature));
        let forever = FileLink { expires: &expires, signature: &signature };
        assert_eq!(links.opens(KEY, &forever), Opens::No);
    }
}
