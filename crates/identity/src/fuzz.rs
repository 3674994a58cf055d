//! Fuzz targets for tokens, key sets and grants of `cargo xtask fuzz`. The tests replay their seeds.
use std::{sync::LazyLock, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, Validation};
use quadrille_core::Topic;
use serde_json::{Value, json};

use super::{
    Action, Algorithm, AuthSettings, Authority, Mode, Token, claims::Claims, key,
    pattern::TopicPattern,
};

const SECRET: &str = "a secret of thirty-two bytes, ok";
const LEEWAY: Duration = Duration::from_secs(5);

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    super::install_crypto();
    let secrets = vec![SECRET.to_owned().into()];
    let settings =
        AuthSettings { mode: Mode::Jwt, secrets, leeway: LEEWAY, ..AuthSettings::default() };
    Authority::new(&settings).expect("good settings")
});

/// Checks that a token passes only with a signature of the secret, and then opens what its claims say and no
/// more. Lines: header, signature, a topic, claims.
pub fn tokens(data: &[u8]) {
    let whole = String::from_utf8_lossy(data);
    passes_not(&whole);
    let mut lines = whole.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (header, signature, topic, claims) = (line(), line(), line(), line());
    let unsigned = |header: &str| {
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    };
    passes_not(&format!("{}.{signature}", unsigned(header)));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signed = |header: &str| {
        let text = unsigned(header);
        let algorithm = jsonwebtoken::Algorithm::HS256;
        let signature = jsonwebtoken::crypto::sign(text.as_bytes(), &key, algorithm);
        format!("{text}.{}", signature.expect("HMAC signs everything"))
    };
    passes_not(&format!("{}{signature}x", signed(header)));
    let recognise = |token: &str| AUTHORITY.recognise(Some(&Token::from(token)));
    if recognise(&signed(header)).is_ok() {
        let header: Value = serde_json::from_str(header).expect("a header is JSON");
        let kind = (&header["alg"], &header["kid"], &header["crit"]);
        assert_eq!(kind, (&json!("HS256"), &Value::Null, &Value::Null));
    }
    let Ok(who) = recognise(&signed(r#"{"alg":"HS256"}"#)) else { return };
    let claims: Value = serde_json::from_str(claims).expect("claims are JSON");
    assert!(claims.is_object(), "{claims}");
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("it is later");
    let late = since.as_secs_f64() - LEEWAY.as_secs_f64() - 2.0;
    assert!(claims["exp"].as_f64().is_some_and(|exp| exp > late) && claims["type"] != "refresh");
    let user = as_name(&claims["sub"]);
    assert_eq!(who.user.as_deref(), user.as_deref());
    let fixed = ["chan:a", "chan:news-1", "room:42", "chat:*", "user:7"];
    for topic in fixed.into_iter().chain([topic]) {
        let Ok(topic) = topic.parse::<Topic>() else { continue };
        for (action, access) in [(Action::Read, "read"), (Action::Write, "write")] {
            let granted = grants(&claims, access, topic.as_str())
                || user.as_ref().is_some_and(|user| topic.as_str() == format!("user:{user}"));
            assert_eq!(who.allows(action, &topic), granted, "{access} {topic} by {claims}");
        }
    }
}

fn passes_not(token: &str) {
    assert!(AUTHORITY.recognise(Some(&Token::from(token))).is_err(), "{token}");
}

/// Grants of claims by `docs/identity.md`.
fn grants(claims: &Value, access: &str, topic: &str) -> bool {
    let names = |kind: &str| {
        let given = &claims[kind];
        let list = if given.is_array() { given } else { &given[access] };
        list.as_array().into_iter().flatten().filter_map(as_name).collect::<Vec<_>>()
    };
    let channel = |name: String| match name.strip_prefix("chan:") {
        Some(_) => name,
        None => format!("chan:{name}"),
    };
    names("channels").into_iter().any(|name| covers(&channel(name), topic))
        || names("rooms").into_iter().any(|name| format!("room:{name}") == topic)
        || names("topics").into_iter().any(|name| covers(&name, topic))
}

fn as_name(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()))
}

/// Whether some beginning of `topic` and a star are the pattern, or `topic` itself.
fn covers(pattern: &str, topic: &str) -> bool {
    let begins = |(at, _)| topic.get(..at).is_some_and(|begin| format!("{begin}*") == pattern);
    let all = format!("{topic}*") == pattern;
    all || topic.char_indices().any(begins) || (pattern == topic && !pattern.ends_with('*'))
}

/// A pattern matches as its model does. Lines: a pattern, a topic.
pub fn patterns(data: &[u8]) {
    let Some((pattern, topic)) = str::from_utf8(data).ok().and_then(|text| text.split_once('\n'))
    else {
        return;
    };
    let Ok(topic) = Topic::from_channel(topic) else { return };
    for kind in ["channels", "rooms", "topics"] {
        let parsed = match kind {
            "channels" => TopicPattern::channel(pattern),
            "rooms" => TopicPattern::room(pattern),
            _ => TopicPattern::topic(pattern),
        };
        let claims = json!({ kind: [pattern] });
        let expected = grants(&claims, "read", topic.as_str());
        assert_eq!(parsed.matches(&topic), expected, "{parsed:?} {topic}");
        let claims = json!({ kind: { "write": [pattern] }, "exp": 0 });
        assert!(serde_json::from_value::<Claims>(claims).is_ok());
    }
}

/// A key set gives public keys only, whatever stands beside them, and no key takes any signature.
pub fn key_set(data: &[u8]) {
    LazyLock::force(&AUTHORITY);
    let Some(keys) = key::of_set(data) else { return };
    for key in &keys {
        assert_ne!(key.algorithm, Algorithm::Hs256, "a secret that is published is none");
        let token = "eyJhbGciOiJub25lIn0.e30.";
        let named = key.algorithm.named();
        for signature in ["", "AAAA", &"A".repeat(86), &"A".repeat(342)] {
            let verified = jsonwebtoken::crypto::verify(signature, b"a.b", &key.verifies, named);
            assert!(!verified.unwrap_or(false), "anything is a signature");
        }
        assert!(
            jsonwebtoken::decode::<Value>(token, &key.verifies, &Validation::new(named)).is_err()
        );
    }
    let Ok(mut set) = serde_json::from_slice::<Value>(data) else { return };
    let Some(list) = set.get_mut("keys").and_then(Value::as_array_mut) else {
        panic!("no set: {set}")
    };
    list.push(json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET)}));
    list.insert(0, json!({"kty": "new"}));
    list.push(json!(7));
    let again = key::of_set(set.to_string().as_bytes()).expect("it is a set as before");
    assert_eq!(again.len(), keys.len());
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::*;

    use super::replay::replay;

    #[test]
    fn no_seed_passes_for_a_token_or_opens_more_than_it_says() {
        replay("tokens", tokens);
    }

    #[test]
    fn no_seed_is_a_pattern_that_matches_more_than_it_says() {
        replay("patterns", patterns);
    }

    #[test]
    fn no_seed_makes_a_key_that_is_none() {
        replay("key_set", key_set);
    }
}
