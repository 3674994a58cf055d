//! Tokens, made as an identity provider or an attacker would.
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rsa,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};

/// A shared secret, as short as one may be.
pub const SECRET: &str = "a secret of thirty-two bytes, ok";

/// Settings with which the gateway requires tokens signed with [`SECRET`].
pub const JWT: [(&str, &str); 2] = [("auth.mode", "jwt"), ("auth.jwt.secret", SECRET)];

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A token of [`SECRET`] for an hour, with these claims. `null` takes a claim away.
pub fn token(claims: Value) -> String {
    sign(&Header::default(), claims, SECRET.as_bytes())
}

/// The same with any header and HMAC secret.
pub fn sign(header: &Header, claims: Value, secret: &[u8]) -> String {
    let key = EncodingKey::from_secret(secret);
    encode(header, &complete(claims), &key).expect("claims are JSON")
}

/// A token put together by hand: any header, and any text as signature.
pub fn forge(header: &Value, claims: Value, signature: &str) -> String {
    let part = |it: &Value| URL_SAFE_NO_PAD.encode(it.to_string());
    format!("{}.{}.{signature}", part(header), part(&complete(claims)))
}

fn complete(mut claims: Value) -> Value {
    let map = claims.as_object_mut().expect("claims are an object");
    map.entry("exp").or_insert_with(|| (now() + 3600).into());
    map.retain(|_, value| !value.is_null());
    claims
}

/// A key pair.
#[derive(Debug)]
pub struct Pair {
    algorithm: Algorithm,
    private: EncodingKey,
    /// The public half, as a PEM file has it.
    pub public: String,
}

impl Pair {
    pub fn rsa() -> Self {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).expect("random numbers");
        let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).expect("a key has a form");
        let private = pem("PRIVATE KEY", private.as_ref());
        let private = EncodingKey::from_rsa_pem(private.as_bytes()).expect("a key in PEM");
        Self::new(Algorithm::RS256, private, pair.public_key())
    }

    pub fn ec() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        let pair = pair.expect("random numbers");
        let private = pair.to_pkcs8v1().expect("a key has a form");
        let private = EncodingKey::from_ec_der(private.as_ref());
        Self::new(Algorithm::ES256, private, pair.public_key())
    }

    pub fn ed() -> Self {
        let pair = Ed25519KeyPair::generate().expect("random numbers");
        let private = pair.to_pkcs8v1().expect("a key has a form");
        let private = EncodingKey::from_ed_der(private.as_ref());
        Self::new(Algorithm::EdDSA, private, pair.public_key())
    }

    fn new<P>(algorithm: Algorithm, private: EncodingKey, public: &P) -> Self
    where
        P: AsDer<PublicKeyX509Der<'static>>,
    {
        let public = public.as_der().expect("a key has a form");
        Self { algorithm, private, public: pem("PUBLIC KEY", public.as_ref()) }
    }

    /// As `alg` names it.
    pub fn algorithm(&self) -> String {
        format!("{:?}", self.algorithm)
    }

    pub fn token(&self, kid: Option<&str>, claims: Value) -> String {
        let header = Header { kid: kid.map(Into::into), ..Header::new(self.algorithm) };
        encode(&header, &complete(claims), &self.private).expect("claims are JSON")
    }

    /// The public half, as a JWK set has it.
    pub fn jwk(&self, kid: &str) -> Value {
        let jwk = Jwk::from_encoding_key(&self.private, self.algorithm).expect("a known form");
        let mut jwk = json!(jwk);
        jwk["kid"] = kid.into();
        jwk["use"] = "sig".into();
        jwk
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}
