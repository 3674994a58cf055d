//! Public keys, in PEM files and in JWK sets.
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rsa,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use jsonwebtoken::jwk::Jwk;

use super::*;

/// A key pair: how to sign with it, and its public half as PEM.
struct Pair {
    algorithm: Algorithm,
    private: EncodingKey,
    public: String,
}

impl Pair {
    fn all() -> [Self; 3] {
        let rsa = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
        let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&rsa).unwrap();
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(rsa.public_key()).unwrap();
        let rsa = Self {
            algorithm: Algorithm::Rs256,
            private: EncodingKey::from_rsa_pem(pem("PRIVATE KEY", private.as_ref()).as_bytes())
                .unwrap(),
            public: pem("PUBLIC KEY", public.as_ref()),
        };
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(ec.public_key()).unwrap();
        let ec = Self {
            algorithm: Algorithm::Es256,
            private: EncodingKey::from_ec_der(ec.to_pkcs8v1().unwrap().as_ref()),
            public: pem("PUBLIC KEY", public.as_ref()),
        };
        let ed = Ed25519KeyPair::generate().unwrap();
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(ed.public_key()).unwrap();
        let ed = Self {
            algorithm: Algorithm::EdDsa,
            private: EncodingKey::from_ed_der(ed.to_pkcs8v1().unwrap().as_ref()),
            public: pem("PUBLIC KEY", public.as_ref()),
        };
        [rsa, ec, ed]
    }

    fn token(&self, kid: Option<&str>) -> String {
        let named = self.algorithm.named();
        let header = Header { kid: kid.map(Into::into), ..Header::new(named) };
        jsonwebtoken::encode(&header, &json!({"sub": "7", "exp": now() + 60}), &self.private)
            .unwrap()
    }

    fn jwk(&self, kid: &str) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.private, self.algorithm.named()).unwrap();
        jwk.common.key_id = Some(kid.into());
        serde_json::to_value(jwk).unwrap()
    }
}

fn with_key(file: &File, algorithm: Algorithm, kid: Option<&str>) -> AuthSettings {
    let key = PublicKey { file: file.path(), algorithm, kid: kid.map(Into::into) };
    AuthSettings { secrets: Vec::new(), keys: vec![key], ..settings() }
}

#[test]
fn a_public_key_verifies_its_own_algorithm_and_nothing_else() {
    for pair in Pair::all() {
        let file = File::new(&format!("{:?}.pem", pair.algorithm), &pair.public);
        let authority = Authority::new(&with_key(&file, pair.algorithm, None)).unwrap();
        assert!(check(&authority, &pair.token(None)).is_ok(), "{:?}", pair.algorithm);
        // The public key is no secret: everybody could sign with it.
        for secret in [pair.public.as_bytes(), pair.public.trim_end().as_bytes()] {
            let forged = signed(&Header::default(), json!({"sub": "7"}), secret);
            assert_eq!(check(&authority, &forged).err(), Some(Denied::Algorithm));
        }
        for other in Algorithm::ALL.into_iter().filter(|algorithm| *algorithm != pair.algorithm) {
            let why = Authority::new(&with_key(&file, other, None)).unwrap_err().to_string();
            assert!(why.starts_with("auth.jwt.keys: expected "), "{why}");
        }
    }
}

#[test]
fn a_named_key_is_for_tokens_that_name_it() {
    let [pair, other, _] = Pair::all();
    let file = File::new("named.pem", &pair.public);
    let authority = Authority::new(&with_key(&file, pair.algorithm, Some("a"))).unwrap();
    let result = |token: &str| check(&authority, token).err();
    assert_eq!(result(&pair.token(Some("a"))), None);
    assert_eq!(result(&pair.token(Some("b"))), Some(Denied::Key));
    assert_eq!(result(&pair.token(None)), Some(Denied::Key));
    assert_eq!(result(&other.token(Some("a"))), Some(Denied::Algorithm));
}

#[test]
fn a_set_of_keys_is_taken_without_what_is_not_a_public_key_for_signatures() {
    let pairs = Pair::all();
    let mut keys: Vec<_> =
        pairs.iter().zip(["a", "b", "c"]).map(|(pair, kid)| pair.jwk(kid)).collect();
    let secret = URL_SAFE_NO_PAD.encode(SECRET);
    keys.push(json!({"kty": "oct", "kid": "d", "alg": "HS256", "k": secret}));
    keys.push(json!({"kty": "new", "kid": "e"}));
    keys.push(json!("nonsense"));
    let mut encrypts = pairs[0].jwk("f");
    encrypts["use"] = "enc".into();
    keys.push(encrypts);
    let mut other = pairs[0].jwk("g");
    other["alg"] = "RS512".into();
    keys.push(other);
    let file = File::new("set.json", &json!({"keys": keys}).to_string());
    let settings = AuthSettings { secrets: Vec::new(), jwks: Some(file.path()), ..settings() };
    let authority = Authority::new(&settings).unwrap();
    for (pair, kid) in pairs.iter().zip(["a", "b", "c"]) {
        assert!(check(&authority, &pair.token(Some(kid))).is_ok(), "{kid}");
    }
    let named = |kid: &str| Header { kid: Some(kid.into()), ..Header::default() };
    let published = signed(&named("d"), json!({"sub": "7"}), SECRET.as_bytes());
    assert_eq!(check(&authority, &published).err(), Some(Denied::Key));
    for kid in ["f", "g"] {
        assert_eq!(check(&authority, &pairs[0].token(Some(kid))).err(), Some(Denied::Key), "{kid}");
    }
}
