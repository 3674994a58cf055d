//! Section `store` of the configuration: where the database is.
use std::{fmt, time::Duration};

use quadrille_identity::Secret;
use serde::{Deserialize, Serialize, Serializer};

use crate::OpenError;

/// A setting that cannot be used; the text begins with its key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{key}: {expected}")]
pub struct BadConfig {
    pub key: &'static str,
    pub expected: String,
}

/// Section `store`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `sqlite://PATH`, the path as it stands, or `postgres://USER:PASSWORD@HOST/DATABASE`.
    #[serde(serialize_with = "hide")]
    pub url: String,
    /// Connections that read; with `PostgreSQL`, all of them.
    pub max_connections: u32,
    /// How long to wait for a lock, or for a connection, before [`Error::Busy`](crate::Error).
    #[serde(with = "humantime_serde")]
    pub busy_timeout: Duration,
    /// Whether opening migrates an old schema; otherwise it is refused.
    pub auto_migrate: bool,
    /// How long an idempotency key is remembered.
    #[serde(with = "humantime_serde")]
    pub keep_keys: Duration,
}

/// A parsed `url`.
#[derive(Clone, Debug)]
pub(crate) enum DbUrl<'a> {
    /// A file, by its path.
    Sqlite(&'a str),
    #[cfg(feature = "postgres")]
    Postgres(Box<sqlx::postgres::PgConnectOptions>),
}

const MAX_DURATION: Duration = Duration::from_hours(365 * 24);

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            url: "sqlite://data/quadrille.db".to_owned(),
            max_connections: 8,
            busy_timeout: Duration::from_secs(5),
            auto_migrate: true,
            keep_keys: Duration::from_hours(24),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url: _, max_connections, busy_timeout, auto_migrate, keep_keys } = self;
        f.debug_struct("Config")
            .field("url", &self.shown())
            .field("max_connections", max_connections)
            .field("busy_timeout", busy_timeout)
            .field("auto_migrate", auto_migrate)
            .field("keep_keys", keep_keys)
            .finish()
    }
}

impl Config {
    /// Checks the bounds, and that this build supports the address.
    pub fn check(&self) -> Result<(), BadConfig> {
        let bad = |key, expected: &str| Err(BadConfig { key, expected: expected.to_owned() });
        self.parse_url()?;
        if self.max_connections == 0 || self.max_connections > 1000 {
            return bad("store.max_connections", "expected a number from 1 to 1000");
        }
        let durations =
            [("store.busy_timeout", self.busy_timeout), ("store.keep_keys", self.keep_keys)];
        match durations.iter().find(|(_, given)| given.is_zero() || *given > MAX_DURATION) {
            Some((key, _)) => bad(key, "expected more than zero and at most \"365days\""),
            None => Ok(()),
        }
    }

    /// Checks that the file of `SQLite` can be written or created. Leaves nothing behind.
    pub fn check_writable(&self) -> Result<(), OpenError> {
        match self.parse_url()? {
            DbUrl::Sqlite(path) => {
                let good = crate::writable::check_file(std::path::Path::new(path));
                good.map_err(|(at, err)| OpenError::Unwritable(at.display().to_string(), err))
            }
            #[cfg(feature = "postgres")]
            DbUrl::Postgres(_) => Ok(()),
        }
    }

    /// Parses the address. Errors never repeat it: it may contain a password.
    pub(crate) fn parse_url(&self) -> Result<DbUrl<'_>, BadConfig> {
        let bad =
            |expected: &str| Err(BadConfig { key: "store.url", expected: expected.to_owned() });
        if let Some(path) = self.url.strip_prefix("sqlite://") {
            let good = !path.is_empty() && !path.starts_with(':') && !path.contains(['?', '\0']);
            return if good {
                Ok(DbUrl::Sqlite(path))
            } else {
                bad("expected the path of a file after sqlite://, without parameters")
            };
        }
        if !["postgres://", "postgresql://"].iter().any(|scheme| self.url.starts_with(scheme)) {
            return bad("expected sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE");
        }
        postgres(&self.url)
    }

    /// Returns the address, or a placeholder if it may contain a secret.
    fn shown(&self) -> &str {
        shown(&self.url)
    }
}

#[cfg(feature = "postgres")]
fn postgres(url: &str) -> Result<DbUrl<'_>, BadConfig> {
    let options = url.parse().map_err(|_| {
        let expected = "expected an address such as postgres://USER:PASSWORD@HOST/DATABASE";
        BadConfig { key: "store.url", expected: expected.to_owned() }
    });
    options.map(|options| DbUrl::Postgres(Box::new(options)))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_: &str) -> Result<DbUrl<'_>, BadConfig> {
    let expected = "this build has no `postgres`; rebuild with --features postgres";
    Err(BadConfig { key: "store.url", expected: expected.to_owned() })
}

/// Hides an address that may contain a password: before an `@`, or in a parameter.
fn shown(url: &str) -> &str {
    let server = !url.starts_with("sqlite://");
    if server && (url.contains(['@', '?'])) { Secret::SHOWN } else { url }
}

fn hide<S: Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(shown(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> Option<String> {
        let config = Config { url: url.to_owned(), ..Config::default() };
        config.check().err().map(|err| err.to_string())
    }

    #[test]
    fn an_address_is_a_file_or_a_server() {
        for good in ["sqlite://data/quadrille.db", "sqlite:///var/lib/a b.db", "sqlite://a@b.db"] {
            assert_eq!(refusal(good), None, "{good}");
        }
        let path = "store.url: expected the path of a file after sqlite://, without parameters";
        for bad in ["sqlite://", "sqlite://:memory:", "sqlite://a.db?mode=ro"] {
            assert_eq!(refusal(bad).as_deref(), Some(path), "{bad}");
        }
        let other = "store.url: expected sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE";
        for bad in ["", "data/quadrille.db", "sqlite:a.db", "mysql://u:geheim@h/d"] {
            assert_eq!(refusal(bad).as_deref(), Some(other), "{bad}");
        }
    }

    #[cfg(not(feature = "postgres"))]
    #[test]
    fn what_is_not_in_this_build_is_named() {
        let expected = "store.url: this build has no `postgres`; rebuild with --features postgres";
        assert_eq!(refusal("postgres://u:geheim@localhost/d").as_deref(), Some(expected));
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn an_address_of_a_server_has_to_be_one() {
        assert_eq!(refusal("postgresql://u:geheim@localhost:5432/d?sslmode=require"), None);
        let expected =
            "store.url: expected an address such as postgres://USER:PASSWORD@HOST/DATABASE";
        assert_eq!(refusal("postgres://u:geheim@localhost:port/d").as_deref(), Some(expected));
    }

    #[test]
    fn numbers_have_bounds() {
        let none = Config { max_connections: 0, ..Config::default() };
        let expected = "store.max_connections: expected a number from 1 to 1000";
        assert_eq!(none.check().unwrap_err().to_string(), expected);
        let now = Config { keep_keys: Duration::ZERO, ..Config::default() };
        let expected = "store.keep_keys: expected more than zero and at most \"365days\"";
        assert_eq!(now.check().unwrap_err().to_string(), expected);
    }

    #[test]
    fn a_password_is_not_shown() {
        for url in ["postgres://u:geheim@h/d", "postgres://h/d?password=geheim", "odd:u:geheim@h"] {
            let config = Config { url: url.to_owned(), ..Config::default() };
            let shown = [toml::to_string(&config).unwrap(), format!("{config:?}")];
            assert!(!shown.iter().any(|text| text.contains("geheim")), "{shown:?}");
        }
        let plain = toml::to_string(&Config::default()).unwrap();
        assert!(plain.contains("url = \"sqlite://data/quadrille.db\""), "{plain}");
    }
}
