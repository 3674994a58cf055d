//! Keys that verify tokens, each for one algorithm only.
//!
//! A token names its own algorithm. That name selects among the keys, and never how a key is used:
//! otherwise a public key would serve as a shared secret.
use jsonwebtoken::{
    DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use quadrille_core::json::Object;
use serde::{Deserialize, Serialize};

use super::Secret;

/// Signature algorithm of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// By a shared secret.
    #[serde(rename = "HS256")]
    Hs256,
    /// RSA of at least 2048 bits.
    #[serde(rename = "RS256")]
    Rs256,
    /// The curve P-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    pub(super) const ALL: [Self; 4] = [Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa];

    pub(super) fn of(named: jsonwebtoken::Algorithm) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.named() == named)
    }

    pub(super) fn named(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }

    pub(super) fn is_symmetric(self) -> bool {
        self == Self::Hs256
    }
}

#[derive(Clone, Debug)]
pub(super) struct VerifyingKey {
    /// Tokens that name a key are verified with that one only, others with those without a name.
    pub(super) kid: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) verifies: DecodingKey,
}

impl VerifyingKey {
    pub(super) fn secret(secret: &Secret) -> Self {
        let verifies = DecodingKey::from_secret(secret.expose().as_bytes());
        Self { kid: None, algorithm: Algorithm::Hs256, verifies }
    }

    /// A public key; `None` if `pem` is not one for `algorithm`.
    pub(super) fn pem(pem: &[u8], algorithm: Algorithm, kid: Option<String>) -> Option<Self> {
        if !pem.starts_with(b"-----BEGIN ") || has(pem, b"PRIVATE KEY-----") {
            return None;
        }
        let verifies = match algorithm {
            Algorithm::Hs256 => return None,
            Algorithm::Rs256 => DecodingKey::from_rsa_pem(pem),
            Algorithm::Es256 => DecodingKey::from_ec_pem(pem),
            Algorithm::EdDsa => DecodingKey::from_ed_pem(pem),
        };
        let verifies = verifies.ok()?;
        // The file may hold another kind of key in the same encoding.
        let jwk = Jwk::from_decoding_key(&verifies, None).ok()?;
        let fits = Self::jwk(&jwk).is_some_and(|key| key.algorithm == algorithm);
        fits.then_some(Self { kid, algorithm, verifies })
    }

    /// A key of a JWK set, if it is a public one to verify signatures with.
    fn jwk(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        let signs = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
        let operations = common.key_operations.as_ref();
        let verifies = operations.is_none_or(|all| all.contains(&KeyOperations::Verify));
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::Rs256,
            AlgorithmParameters::EllipticCurve(params) if params.curve == EllipticCurve::P256 => {
                Algorithm::Es256
            }
            AlgorithmParameters::OctetKeyPair(params) if params.curve == EllipticCurve::Ed25519 => {
                Algorithm::EdDsa
            }
            // A published secret is not secret.
            _ => return None,
        };
        let named =
            common.key_algorithm.is_none_or(|name| name == KeyAlgorithm::from(algorithm.named()));
        if !signs || !verifies || !named {
            return None;
        }
        let (kid, verifies) = (common.key_id.clone(), DecodingKey::from_jwk(jwk).ok()?);
        Some(Self { kid, algorithm, verifies })
    }
}

/// The usable keys of a JWK set; `None` if `json` is not one.
pub(super) fn of_set(json: &[u8]) -> Option<Vec<VerifyingKey>> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let Object::<Set>(set) = serde_json::from_slice(json).ok()?;
    // One by one: a key of an unknown kind must not hide the others.
    let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
    Some(keys.filter_map(|jwk: Jwk| VerifyingKey::jwk(&jwk)).collect())
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
