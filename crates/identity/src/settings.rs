//! Section `auth` of the configuration, as an authority takes it.
use std::{fmt, fs, net::IpAddr, time::Duration};

use jsonwebtoken::Validation;
use quadrille_core::Holder;
use serde::{Deserialize, Serialize};

use crate::{Algorithm, Secret, key::VerifyingKey};

/// Clients that are let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// All clients, under the name they give. A token is checked if there are keys.
    #[default]
    Open,
    /// Clients with a valid token.
    Jwt,
}

/// Policy for connections whose token expires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expired {
    /// Closes them, unless a new token comes before.
    #[default]
    Close,
    /// Keeps them: a token is checked when a connection begins, and at each request over HTTP.
    Keep,
}

impl Mode {
    /// The client that a connection from `peer` counts as before it has shown a token.
    pub fn newcomer(self, peer: IpAddr) -> Holder {
        match self {
            Self::Open => Holder::guest(peer),
            Self::Jwt => Holder::stranger(peer),
        }
    }
}

/// Keys and bounds that tokens are checked against.
#[derive(Clone, Debug, Default)]
pub struct AuthSettings {
    pub mode: Mode,
    /// For HS256. All of them verify.
    pub secrets: Vec<Secret>,
    pub keys: Vec<PublicKey>,
    /// A JWK set, by path or address.
    pub jwks: Option<String>,
    /// A token needs one of these, if there are any.
    pub audience: Vec<String>,
    /// A token needs one of these, if there are any.
    pub issuer: Vec<String>,
    /// Upper bound on the difference of clocks.
    pub leeway: Duration,
    pub expired: Expired,
    /// Takes secrets that are shorter than [`Secret::MIN`].
    pub short_secrets: bool,
}

/// A public key in a PEM file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicKey {
    pub file: String,
    pub algorithm: Algorithm,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
}

/// A setting of `auth.jwt` that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{key}: {expected}")]
pub struct BadSettings {
    key: String,
    expected: String,
}

// === impl AuthSettings ===

impl AuthSettings {
    /// Whether there is anything to check a token with.
    pub fn has_keys(&self) -> bool {
        !self.secrets.is_empty() || !self.keys.is_empty() || self.jwks.is_some()
    }

    /// The configured keys. Fails if the mode requires one and none is configured.
    pub(super) fn keys(&self) -> Result<Vec<VerifyingKey>, BadSettings> {
        if self.mode == Mode::Jwt && !self.has_keys() {
            let min = Secret::MIN;
            return bad(
                "secret",
                format!(
                    "expected a secret of at least {min} bytes, or auth.jwt.keys, or \
                     auth.jwt.jwks, because auth.mode is \"jwt\""
                ),
            );
        }
        let mut keys = Vec::new();
        for secret in &self.secrets {
            if secret.is_pem() {
                return bad("secret", "expected a secret, found a key file; see auth.jwt.keys");
            }
            if secret.is_short() && !self.short_secrets {
                return bad("secret", secret.too_short());
            }
            keys.push(VerifyingKey::secret(secret));
        }
        for PublicKey { file, algorithm, kid } in &self.keys {
            if algorithm.is_symmetric() {
                return bad(
                    "keys",
                    "expected RS256, ES256 or EdDSA; see auth.jwt.secret for HS256",
                );
            }
            let pem = match fs::read(file) {
                Ok(pem) => pem,
                Err(err) => return bad("keys", format!("cannot read {file}: {err}")),
            };
            let Some(key) = VerifyingKey::pem(&pem, *algorithm, kid.clone()) else {
                let name = algorithm.named();
                return bad("keys", format!("expected a public key for {name:?} as PEM in {file}"));
            };
            keys.push(key);
        }
        Ok(keys)
    }

    pub(super) fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm.named());
        let mut required = vec!["exp"];
        validation.leeway = self.leeway.as_secs();
        validation.validate_nbf = true;
        validation.validate_aud = !self.audience.is_empty();
        if !self.audience.is_empty() {
            required.push("aud");
            validation.set_audience(&self.audience);
        }
        if !self.issuer.is_empty() {
            required.push("iss");
            validation.set_issuer(&self.issuer);
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

// === impl BadSettings ===

impl BadSettings {
    /// The key of the configuration.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The expectation that the value does not meet.
    pub fn expected(&self) -> &str {
        &self.expected
    }
}

pub(super) fn bad<T>(name: &str, expected: impl fmt::Display) -> Result<T, BadSettings> {
    Err(BadSettings { key: format!("auth.jwt.{name}"), expected: expected.to_string() })
}
