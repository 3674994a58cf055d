//! A key that is shared with the issuer of tokens, and never shown.
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A shared secret. No way of printing it shows it, errors about it included.
#[derive(Clone, Default)]
pub struct Secret(SecretString);

impl Secret {
    /// Lower bound, in bytes: as many bytes as the digest of HS256 has (RFC 7518, 3.2).
    pub const MIN: usize = 32;

    /// Printed in place of a secret.
    pub const SHOWN: &str = "(set, not shown)";

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// In bytes.
    pub fn len(&self) -> usize {
        self.expose().len()
    }

    /// Whether it can be found by brute force from one token.
    pub fn is_short(&self) -> bool {
        self.len() < Self::MIN
    }

    /// Error text for a short secret.
    pub fn too_short(&self) -> String {
        format!(
            "expected at least {} bytes, found {}; auth.jwt.allow_short_secret = true takes it",
            Self::MIN,
            self.len()
        )
    }

    /// Whether this is a key file that was taken for a secret.
    pub(super) fn is_pem(&self) -> bool {
        self.expose().trim_start().starts_with("-----BEGIN")
    }

    /// The secret itself, to send or to use; never for a message.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "(empty)" } else { Self::SHOWN })
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Serialize for Secret {
    /// Empty, or [`Self::SHOWN`].
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.is_empty() { "" } else { Self::SHOWN })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scalar)
    }
}

/// Takes numbers too: `secret = 1234` is too short, but not to be repeated in a message.
struct Scalar;

impl de::Visitor<'_> for Scalar {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
        Ok(text.to_owned().into())
    }

    fn visit_bool<E: de::Error>(self, given: bool) -> Result<Secret, E> {
        Ok(given.to_string().into())
    }

    fn visit_i64<E: de::Error>(self, given: i64) -> Result<Secret, E> {
        Ok(given.to_string().into())
    }

    fn visit_u64<E: de::Error>(self, given: u64) -> Result<Secret, E> {
        Ok(given.to_string().into())
    }

    fn visit_f64<E: de::Error>(self, given: f64) -> Result<Secret, E> {
        Ok(given.to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::from("correct horse battery staple".to_owned());
        let shown = [format!("{secret:?}"), serde_json::to_string(&secret).unwrap()];
        assert_eq!(shown, ["(set, not shown)", "\"(set, not shown)\""]);
        let wrong = serde_json::from_str::<Secret>(r#"["horse"]"#).unwrap_err().to_string();
        assert!(!wrong.contains("horse"), "{wrong}");
    }
}
