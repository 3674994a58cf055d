//! Makes tokens, for trials and for programs without a sign-in service.
use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;

use super::Secret;

/// The claims of a token to be made.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Issue {
    pub sub: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rooms: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
    /// Separated by spaces.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// In seconds since 1970, as `exp` is.
    pub iat: u64,
    pub exp: u64,
}

impl Issue {
    /// The token, signed with HS256.
    pub fn sign(&self, secret: &Secret) -> String {
        let key = EncodingKey::from_secret(secret.expose().as_bytes());
        jsonwebtoken::encode(&Header::default(), self, &key)
            .expect("texts and numbers are JSON, and any bytes a key of HS256")
    }
}
