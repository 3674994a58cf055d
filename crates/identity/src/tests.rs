//! Tokens, good and bad, against every kind of key.
mod keys;

use std::{fs, path::PathBuf, time::Duration};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{EncodingKey, Header};
use quadrille_core::Topic;
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn now() -> u64 {
    quadrille_core::now() / 1000
}

fn settings() -> AuthSettings {
    AuthSettings {
        mode: Mode::Jwt,
        secrets: vec![SECRET.to_owned().into()],
        leeway: Duration::from_secs(5),
        ..AuthSettings::default()
    }
}

fn authority() -> Authority {
    Authority::new(&settings()).unwrap()
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// A file of a test's own, gone when dropped.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("quadrille-auth-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

/// Signed by the secret, valid for a minute, with these claims besides.
fn token(claims: Value) -> String {
    signed(&Header::default(), claims, SECRET.as_bytes())
}

fn signed(header: &Header, mut claims: Value, secret: &[u8]) -> String {
    if claims.get("exp").is_none() {
        claims["exp"] = (now() + 60).into();
    }
    let claims = without_null(claims);
    jsonwebtoken::encode(header, &claims, &EncodingKey::from_secret(secret)).unwrap()
}

fn without_null(mut claims: Value) -> Value {
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// A token put together by hand.
fn forged(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

fn check(authority: &Authority, token: &str) -> Result<Principal, Denied> {
    authority.recognise(Some(&Token::from(token)))
}

fn denied(token: &str) -> Option<Denied> {
    check(&authority(), token).err()
}

fn may(who: &Principal, action: Action, topic: &str) -> bool {
    authority().allow(who, action, &topic.parse::<Topic>().unwrap()).is_ok()
}

#[test]
fn a_good_token_says_who_it_is_and_for_how_long() {
    let who = check(&authority(), &token(json!({"sub": "7"}))).unwrap();
    assert_eq!(who.user.as_deref(), Some("7"));
    let left = who.expires.unwrap() - tokio::time::Instant::now();
    assert!((58..=60).contains(&left.as_secs()), "{left:?}");
    let number = check(&authority(), &token(json!({"sub": 7}))).unwrap();
    assert_eq!(number.user.as_deref(), Some("7"));
    let nobody = check(&authority(), &token(json!({}))).unwrap();
    assert_eq!(nobody.user, None);
}

#[test]
fn what_is_wrong_with_a_token_is_told_by_its_own_name() {
    let kid = |kid: &str| Header { kid: Some(kid.into()), ..Header::default() };
    let with = |header: &Header| signed(header, json!({"sub": "7"}), SECRET.as_bytes());
    let crit = Header { crit: Some(vec!["b64".into()]), ..Header::default() };
    let hs512 = Header::new(jsonwebtoken::Algorithm::HS512);
    let claims = json!({"sub": "7", "exp": now() + 60});
    let good = token(json!({"sub": "7"}));
    let (start, _) = good.rsplit_once('.').unwrap();
    let cases = [
        (String::new(), Denied::Malformed),
        ("a.b".into(), Denied::Malformed),
        ("a.b.c.d".into(), Denied::Malformed),
        ("x".repeat(100_000), Denied::TooLong),
        (forged(&json!({"alg": "none"}), &claims, ""), Denied::Malformed),
        (forged(&json!({"alg": "None"}), &claims, ""), Denied::Malformed),
        (forged(&json!({"alg": "HS256"}), &claims, ""), Denied::Signature),
        (forged(&json!({"alg": ["HS256"]}), &claims, "AAAA"), Denied::Malformed),
        (format!("{start}."), Denied::Signature),
        (format!("{start}.AAAA"), Denied::Signature),
        (signed(&Header::default(), json!({}), &[b'x'; 32]), Denied::Signature),
        (with(&hs512), Denied::Algorithm),
        (with(&crit), Denied::Malformed),
        (with(&kid("other")), Denied::Key),
        (with(&kid("../../../../dev/null")), Denied::Key),
        (with(&kid("' OR 1=1 --")), Denied::Key),
        (with(&kid(&"k".repeat(257))), Denied::Malformed),
        (token(json!({"exp": now() - 60})), Denied::Expired),
        (token(json!({"exp": "tomorrow"})), Denied::Claims),
        (token(json!({"exp": -1})), Denied::Claims),
        (token(json!({"nbf": now() + 60})), Denied::Early),
        (token(json!({"nbf": "later"})), Denied::Claims),
        (token(json!({"sub": ["7"]})), Denied::Claims),
        (token(json!({"sub": ""})), Denied::Claims),
        (token(json!({"sub": "a\nb"})), Denied::Claims),
        (token(json!({"channels": "news"})), Denied::Claims),
        (token(json!({"rooms": {"raed": ["1"]}})), Denied::Claims),
        (token(json!({"rooms": [["1"], ["2"]]})), Denied::Claims),
        (token(json!({"type": "refresh"})), Denied::Renewal),
    ];
    for (token, why) in cases {
        assert_eq!(denied(&token), Some(why), "{token}");
    }
    let endless = jsonwebtoken::encode(
        &Header::default(),
        &json!({"sub": "7"}),
        &EncodingKey::from_secret(SECRET.as_bytes()),
    );
    assert_eq!(denied(&endless.unwrap()), Some(Denied::Claims), "no exp");
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let list = jsonwebtoken::encode(&Header::default(), &vec![now() + 60; 5], &key).unwrap();
    assert_eq!(denied(&list), Some(Denied::Claims), "a list of claims");
    assert_eq!(authority().recognise(None).unwrap_err(), Denied::Missing);
}

#[test]
fn clocks_may_differ_by_the_leeway() {
    let late = token(json!({"exp": now() - 2}));
    let left = check(&authority(), &late).unwrap().expires.unwrap() - tokio::time::Instant::now();
    assert!(left.as_secs() <= 3, "to the end of the leeway and not after it: {left:?}");
    assert_eq!(denied(&token(json!({"nbf": now() + 3}))), None);
}

#[test]
fn audience_and_issuer_are_checked_when_configured() {
    let strict = AuthSettings {
        audience: vec!["gateway".into(), "other".into()],
        issuer: vec!["https://id.example".into()],
        ..settings()
    };
    let authority = Authority::new(&strict).unwrap();
    let cases = [
        (json!({"aud": "gateway", "iss": "https://id.example"}), None),
        (json!({"aud": ["x", "other"], "iss": "https://id.example"}), None),
        (json!({"aud": "x", "iss": "https://id.example"}), Some(Denied::Audience)),
        (json!({"aud": "gateway", "iss": "https://evil.example"}), Some(Denied::Issuer)),
        (json!({"iss": "https://id.example"}), Some(Denied::Claims)),
        (json!({"aud": "gateway"}), Some(Denied::Claims)),
        (json!({"aud": 7, "iss": "https://id.example"}), Some(Denied::Claims)),
    ];
    for (claims, why) in cases {
        assert_eq!(check(&authority, &token(claims.clone())).err(), why, "{claims}");
    }
    assert_eq!(denied(&token(json!({"aud": "anything", "iss": "anybody"}))), None);
}

#[test]
fn claims_open_topics_to_read_and_to_write() {
    let who = check(
        &authority(),
        &token(json!({
            "sub": "7",
            "channels": ["news-*", "chan:lobby"],
            "rooms": {"read": [42], "write": ["43"]},
            "topics": ["chat:*"],
            "scope": "publish sessions:read",
            "scopes": ["history"],
        })),
    )
    .unwrap();
    let (read, write) = (Action::Read, Action::Write);
    let cases = [
        (read, "chan:news-1", true),
        (write, "chan:news-1", true),
        (write, "chan:lobby", true),
        (read, "chan:lobby2", false),
        (read, "room:42", true),
        (write, "room:42", false),
        (read, "room:43", false),
        (write, "room:43", true),
        (write, "chat:1", true),
        (read, "user:7", true),
        (write, "user:7", true),
        (read, "user:77", false),
        (read, "user:8", false),
        (read, "chan:user:7", false),
    ];
    for (action, topic, allowed) in cases {
        assert_eq!(may(&who, action, topic), allowed, "{action:?} {topic}");
    }
    let scopes =
        ["publish", "sessions:read", "history", "sessions"].map(|scope| who.has_scope(scope));
    assert_eq!(scopes, [true, true, true, false]);
    let star = check(&authority(), &token(json!({"sub": "*"}))).unwrap();
    assert!(!may(&star, read, "user:7") && may(&star, read, "user:*"));
}

#[test]
fn every_secret_verifies() {
    let new = "n".repeat(32);
    let secrets = vec![new.clone().into(), SECRET.to_owned().into()];
    let authority = Authority::new(&AuthSettings { secrets, ..settings() }).unwrap();
    let issue = Issue { sub: "7".into(), exp: now() + 60, ..Issue::default() };
    for secret in [new, SECRET.to_owned()] {
        assert!(check(&authority, &issue.sign(&secret.into())).is_ok());
    }
    assert!(check(&authority, &issue.sign(&"o".repeat(32).into())).is_err());
}

#[test]
fn in_open_mode_a_token_is_optional_and_checked_only_if_there_are_keys() {
    let open = Authority::new(&AuthSettings { mode: Mode::Open, ..settings() }).unwrap();
    let guest = open.recognise(None).unwrap();
    assert!(guest.user.is_none() && may(&guest, Action::Write, "user:7") && guest.has_scope("x"));
    let known = check(&open, &token(json!({"sub": "7"}))).unwrap();
    assert!(known.user.as_deref() == Some("7") && may(&known, Action::Write, "room:1"));
    assert_eq!(check(&open, "rubbish").err(), Some(Denied::Malformed));
    assert_eq!(check(&Authority::default(), "rubbish").unwrap().user, None);
}

#[test]
fn settings_that_cannot_work_are_refused_with_their_key() {
    let with = |change: fn(&mut AuthSettings)| {
        let mut settings = settings();
        change(&mut settings);
        Authority::new(&settings).unwrap_err().to_string()
    };
    let nothing = with(|settings| settings.secrets.clear());
    let expected = "auth.jwt.secret: expected a secret of at least 32 bytes, or auth.jwt.keys, or \
                    auth.jwt.jwks, because auth.mode is \"jwt\"";
    assert_eq!(nothing, expected);
    let short = with(|settings| settings.secrets.push("geheim".to_owned().into()));
    assert_eq!(
        short,
        "auth.jwt.secret: expected at least 32 bytes, found 6; auth.jwt.allow_short_secret = true takes it"
    );
    let pem = with(|settings| settings.secrets.push(pem("PUBLIC KEY", &[0; 90]).into()));
    assert_eq!(pem, "auth.jwt.secret: expected a secret, found a key file; see auth.jwt.keys");
    let missing = with(|settings| settings.jwks = Some("/nowhere/jwks.json".into()));
    assert!(missing.starts_with("auth.jwt.jwks: cannot read it: No such file"), "{missing}");
    let list = File::new("list.json", "[[]]");
    let list = Authority::new(&AuthSettings { jwks: Some(list.path()), ..settings() }).unwrap_err();
    assert!(list.to_string().contains("it is not a JWK set"), "{list}");
    let user = with(|settings| settings.jwks = Some("https://me:pw@id.example/jwks".into()));
    assert!(user.contains("without a user") && !user.contains("pw"), "{user}");
}

#[test]
fn a_connection_ends_with_its_token_or_outlives_it() {
    let token = signed(&Header::default(), json!({"sub": "7"}), SECRET.as_bytes());
    for (expired, ends) in [(Expired::Close, true), (Expired::Keep, false)] {
        let authority = Authority::new(&AuthSettings { expired, ..settings() }).unwrap();
        let who = authority.recognise(Some(&Token::from(&*token))).unwrap();
        assert_eq!((who.expires.is_some(), who.expires_in().is_some()), (ends, ends));
        // A token that has ended lets nobody in, either way.
        let past = signed(&Header::default(), json!({"exp": 1}), SECRET.as_bytes());
        let denied = authority.recognise(Some(&Token::from(&*past)));
        assert_eq!(denied.map(|who| who.user), Err(Denied::Expired));
    }
}

#[test]
fn a_short_secret_is_taken_where_it_is_said() {
    let short = AuthSettings { secrets: vec!["jwt_default".to_owned().into()], ..settings() };
    let why = Authority::new(&short).unwrap_err().to_string();
    let expected = "auth.jwt.secret: expected at least 32 bytes, found 11; \
                    auth.jwt.allow_short_secret = true takes it";
    assert_eq!(why, expected);
    let authority = Authority::new(&AuthSettings { short_secrets: true, ..short }).unwrap();
    let token = signed(&Header::default(), json!({"sub": "7"}), b"jwt_default");
    assert!(authority.recognise(Some(&Token::from(&*token))).is_ok());
}

#[test]
fn a_user_is_called_what_the_token_says() {
    let authority = Authority::new(&settings()).unwrap();
    let long = "n".repeat(101);
    let cases = [
        (json!({"name": " Ada ", "username": "ada"}), Some("Ada")),
        (json!({"name": null, "username": "ada"}), Some("ada")),
        (json!({"name": "a\nb", "username": 7}), None),
        (json!({"name": "", "username": long}), None),
        (json!({"name": ["Ada"]}), None),
    ];
    for (claims, name) in cases {
        let token = signed(&Header::default(), claims.clone(), SECRET.as_bytes());
        let who = authority.recognise(Some(&Token::from(&*token))).unwrap();
        assert_eq!((who.name.as_deref(), who.is_guest()), (name, false), "{claims}");
    }
}
