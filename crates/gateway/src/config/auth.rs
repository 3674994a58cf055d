//! Section `auth`: the mode, and the keys and rules that tokens are checked against.
use std::{fmt, time::Duration};

use quadrille_identity::{AuthSettings, Expired, Mode, PublicKey, Secret};
use serde::{Deserialize, Deserializer, Serialize, de};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuthConfig {
    pub(crate) mode: Mode,
    pub(crate) allow_open: bool,
    pub(crate) jwt: Jwt,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Jwt {
    pub(crate) secret: Secret,
    #[serde(deserialize_with = "one_or_many")]
    pub(crate) secrets: Vec<Secret>,
    pub(crate) jwks: String,
    #[serde(deserialize_with = "one_or_many")]
    pub(crate) audience: Vec<String>,
    #[serde(deserialize_with = "one_or_many")]
    pub(crate) issuer: Vec<String>,
    #[serde(with = "humantime_serde")]
    pub(crate) leeway: Duration,
    pub(crate) expired_connections: Expired,
    pub(crate) allow_short_secret: bool,
    /// Last, because it is a list of tables.
    pub(crate) keys: Vec<PublicKey>,
}

impl Default for Jwt {
    fn default() -> Self {
        Self {
            secret: Secret::default(),
            secrets: Vec::new(),
            jwks: String::new(),
            audience: Vec::new(),
            issuer: Vec::new(),
            leeway: Duration::from_secs(5),
            expired_connections: Expired::default(),
            allow_short_secret: false,
            keys: Vec::new(),
        }
    }
}

impl AuthConfig {
    pub(crate) fn settings(&self) -> AuthSettings {
        let Jwt { jwks, audience, issuer, leeway, keys, .. } = &self.jwt;
        let Jwt { expired_connections, allow_short_secret, .. } = self.jwt;
        AuthSettings {
            mode: self.mode,
            secrets: self.jwt.secrets().cloned().collect(),
            keys: keys.clone(),
            jwks: (!jwks.is_empty()).then(|| jwks.clone()),
            audience: audience.clone(),
            issuer: issuer.clone(),
            leeway: *leeway,
            expired: expired_connections,
            short_secrets: allow_short_secret,
        }
    }
}

impl Jwt {
    /// Whether a secret is too short to be safe.
    pub(crate) fn has_short_secret(&self) -> bool {
        self.secrets().any(Secret::is_short)
    }

    /// All secrets: each verifies, the first signs.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let single = Some(&self.secret).filter(|secret| !secret.is_empty());
        single.into_iter().chain(&self.secrets)
    }
}

/// Reads a list, or its only element. Errors do not repeat the value, which may be a secret.
fn one_or_many<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct List<T>(std::marker::PhantomData<T>);

    impl<'de, T: Deserialize<'de>> de::Visitor<'de> for List<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(r#"a list such as ["…", "…"]"#)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
            // A list in a variable that is not JSON.
            if text.trim_start().starts_with('[') {
                return Err(E::custom(r#"expected a list such as ["…", "…"], in JSON"#));
            }
            Ok(vec![T::deserialize(de::value::StrDeserializer::new(text))?])
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(one) = list.next_element()? {
                all.push(one);
            }
            Ok(all)
        }
    }

    deserializer.deserialize_any(List(std::marker::PhantomData))
}
