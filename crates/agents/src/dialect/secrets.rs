//! Masking of an upstream's words for the log: without keys, in one line, and short.
use std::{borrow::Cow, cmp::Reverse};

use quadrille_identity::Secret;
use serde_json::{Map, Value};
use url::Url;

/// Characters of an upstream's words that go into the log.
pub(super) const MAX_NOTE: usize = 200;

/// Bytes of the shortest configured value that may be a key, beside the token.
const MIN_SECRET: usize = 8;

/// Texts that are never logged: the token, in each way that it is written, and possible keys in the
/// address or in the constants of a request. Longest first.
#[derive(Debug, Default)]
pub(super) struct Secrets(Vec<Secret>);

// === impl Secrets ===

impl Secrets {
    /// The secrets of an agent.
    pub(super) fn new(url: &Url, token: &Secret, body: &Map<String, Value>) -> Self {
        let query = url.query().unwrap_or_default();
        let written = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(_, value)| value.to_owned());
        let meant = url.query_pairs().map(|(_, value)| value.into_owned());
        let mut values: Vec<String> =
            written.chain(meant).filter(|value| value.len() >= MIN_SECRET).collect();
        for (name, value) in body {
            keys(name, value, &mut values);
        }
        values.push(query.to_owned());
        values.push(token.expose().to_owned());
        let encoded = |value: &String| {
            percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        };
        let all: Vec<_> = values.iter().map(encoded).chain(values.iter().cloned()).collect();
        let mut all: Vec<_> = all.into_iter().filter(|value| !value.is_empty()).collect();
        all.sort_by_key(|value| Reverse(value.len()));
        all.dedup();
        Self(all.into_iter().map(Secret::from).collect())
    }

    /// Bytes of a text that are needed to find every secret that begins within the note.
    pub(super) fn enough(&self) -> usize {
        MAX_NOTE * 4 + self.0.first().map_or(0, Secret::len).max(MAX_NOTE)
    }

    /// At most [`MAX_NOTE`] characters in one line, without the secrets and without words that look
    /// like one. Of a text that is longer than [`Self::enough`], only the begin is read.
    pub(super) fn note(&self, text: &str) -> String {
        let begin = text.get(..text.floor_char_boundary(self.enough())).unwrap_or_default();
        // The text may have been cut before.
        let is_cut = text.len() >= self.enough();
        let shown = self.masked(begin, is_cut);
        // The rest of a cut word would not be recognized as a key.
        let whole = if is_cut { shown.trim_end_matches(is_part) } else { &shown };
        without_keys(whole).chars().take(MAX_NOTE).collect()
    }

    /// `text` in one line and without the secrets; if it was cut, also without the begin of one at
    /// its end.
    fn masked(&self, text: &str, is_cut: bool) -> String {
        let (mut shown, mut rest) = (String::new(), text.chars());
        loop {
            let left = rest.as_str();
            if is_cut && self.0.iter().any(|secret| secret.expose().starts_with(left)) {
                return shown;
            }
            if let Some(after) = self.0.iter().find_map(|secret| left.strip_prefix(secret.expose()))
            {
                shown.push_str(Secret::SHOWN);
                rest = after.chars();
                continue;
            }
            match rest.next() {
                None => return shown,
                Some(letter) => shown.push(if letter.is_control() { ' ' } else { letter }),
            }
        }
    }
}

/// Collects the texts in a constant whose name is that of a secret.
fn keys(name: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.len() >= MIN_SECRET && is_secret(name) => {
            found.push(text.clone());
        }
        Value::Object(members) => members.iter().for_each(|(name, value)| keys(name, value, found)),
        Value::Array(items) => items.iter().for_each(|item| keys(name, item, found)),
        _ => {}
    }
}

/// Whether a member of this name holds a secret.
fn is_secret(name: &str) -> bool {
    const NAMES: [&str; 7] = ["key", "token", "secret", "password", "authorization", "auth", "sig"];
    let name = name.to_ascii_lowercase();
    let last = name.rsplit(['_', '-', '.']).next().unwrap_or_default();
    NAMES.iter().any(|name| last.ends_with(name))
}

/// Prefixes of the keys of providers, and of a few other secrets.
const KEY_PREFIXES: [&str; 22] = [
    "sk-",
    "sk_",
    "pk-",
    "pk_",
    "rk_",
    "gsk_",
    "xai-",
    "hf_",
    "ghp_",
    "gho_",
    "ghs_",
    "glpat-",
    "xox",
    "AIza",
    "AKIA",
    "ASIA",
    "eyJ",
    "nvapi-",
    "pplx-",
    "r8_",
    "ya29.",
    "github_pat_",
];

/// Bytes before a word that are searched for its name.
const NAME_DISTANCE: usize = 100;

/// Bytes of a key after its prefix, at least.
const MIN_AFTER_PREFIX: usize = 6;

/// Bytes of a word without a prefix that passes for a key, at least.
const MIN_MIXED: usize = 40;

/// Whether the character can be in a key.
fn is_part(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_.+/~%*".contains(letter)
}

/// Masks the words of `text` that look like keys.
fn without_keys(text: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let (mut done, mut at) = (0, 0);
    while let Some(from) = text.get(at..).and_then(|rest| rest.find(is_part)).map(|from| at + from)
    {
        let rest = text.get(from..).unwrap_or_default();
        let word = rest.get(..rest.find(|letter| !is_part(letter)).unwrap_or(rest.len()));
        let word = word.unwrap_or_default();
        at = from + word.len();
        let begin = KEY_PREFIXES
            .iter()
            .filter_map(|prefix| word.find(prefix).map(|at| (at, at + prefix.len())));
        let begin = begin
            .filter(|(at, end)| is_begin(word, *at) && word.len() >= end + MIN_AFTER_PREFIX)
            .min();
        let (hidden, is_key) = match begin {
            Some((begin, _)) => (begin, true),
            None => (0, is_named(text.get(..from).unwrap_or_default()) || is_mixed(word)),
        };
        if is_key && word.chars().any(|letter| letter.is_ascii_alphanumeric()) {
            masked.push_str(text.get(done..from + hidden).unwrap_or_default());
            masked.push_str(Secret::SHOWN);
            done = at;
        }
    }
    if done == 0 {
        return text.into();
    }
    masked.push_str(text.get(done..).unwrap_or_default());
    masked.into()
}

/// Whether a key can begin here: not in the middle of a word such as `task-force`.
fn is_begin(word: &str, at: usize) -> bool {
    let before = word.get(..at).and_then(|before| before.chars().last());
    before.is_none_or(|letter| !letter.is_ascii_alphanumeric())
}

/// Whether the text before a word names it a secret: `Bearer`, `token=`, `"api_key": "`.
fn is_named(before: &str) -> bool {
    let from = before.ceil_char_boundary(before.len().saturating_sub(NAME_DISTANCE));
    let lower = before.get(from..).unwrap_or_default().to_ascii_lowercase();
    let schemes = ["bearer ", "basic ", "api key provided: ", "api key: "];
    if schemes.iter().any(|scheme| lower.ends_with(scheme)) {
        return true;
    }
    let Some(name) = lower.trim_end_matches([' ', '"', '\'', '\\']).strip_suffix(['=', ':']) else {
        return false;
    };
    let name = name.trim_end_matches([' ', '"', '\'', '\\']);
    let from = name
        .rfind(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '-');
    let name = name.get(from.map_or(0, |at| at + 1)..).unwrap_or_default();
    // The word after it is a scheme, and no secret.
    name != "authorization" && is_secret(name)
}

/// Whether a word is long and has capitals, small letters and digits, unlike the words of a language.
fn is_mixed(word: &str) -> bool {
    let has = |is: fn(&u8) -> bool| word.as_bytes().iter().any(is);
    word.len() >= MIN_MIXED
        && !word.contains('/')
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(said: &str) -> String {
        Secrets::default().note(said)
    }

    #[test]
    fn what_looks_like_a_key_is_masked_and_the_rest_is_told() {
        let key = Secret::SHOWN;
        let cases = [
            (
                "Incorrect API key provided: sk-proj-abc123DEF.",
                format!("Incorrect API key provided: {key}"),
            ),
            ("401 for url /v1?key=AIzaSyA12345678 (x)", format!("401 for url /v1?key={key} (x)")),
            ("Authorization: Bearer abcdef", format!("Authorization: Bearer {key}")),
            ("Authorization: Basic YWJj=", format!("Authorization: Basic {key}=")),
            (
                r#"{"api_key":"0123","x-api-key": "4567","n":1}"#,
                format!(r#"{{"api_key":"{key}","x-api-key": "{key}","n":1}}"#),
            ),
            ("GET /ws/ann?token=meow&x=1", format!("GET /ws/ann?token={key}&x=1")),
            ("access_token='a b'", format!("access_token='{key} b'")),
            ("jwt eyJhbGciOi.eyJzdWIi.c2ln", format!("jwt {key}")),
            ("key hf_abcdefgh and ghp_abcdefgh", format!("key {key} and {key}")),
            ("Ab1Ab1Ab1Ab1Ab1Ab1Ab1Ab1Ab1Ab1Ab1Ab1Ab1Ab1", key.to_owned()),
        ];
        for (said, expected) in cases {
            assert_eq!(note(said), expected, "{said}");
        }
        let told = [
            "the model `gpt-4o-mini` is overloaded, request req_011CSHoEeqs5C35K2UUqR7Fy",
            "task-force: disk-full, risk-free",
            "max_tokens: 100 is too large, tokens: 7, monkey",
            "no route to 127.0.0.1:8080/v1/chat/completions",
            "0192f3c4-7e5a-7c3e-9b1a-1c2d3e4f5a6b not found",
        ];
        for said in told {
            assert_eq!(note(said), said);
        }
    }

    #[test]
    fn what_is_configured_is_masked_however_it_is_written() {
        let url = "http://host/x?v=1&key=s%2Dk-in-query".parse().unwrap();
        let body = serde_json::json!({"api_key": "in body é", "model_key": "short", "user": "not-a-secret"});
        let Value::Object(body) = body else { unreachable!() };
        let secrets = Secrets::new(&url, &"to/ken".to_owned().into(), &body);
        let said = "to/ken to%2Fken s-k-in-query s%2Dk-in-query in body é not-a-secret short";
        let key = Secret::SHOWN;
        let expected = format!("{key} {key} {key} {key} {key} not-a-secret short");
        assert_eq!(secrets.note(said), expected);
    }

    #[test]
    fn of_a_very_long_text_the_begin_is_told_and_masked() {
        // Word after word, each of which could be a key.
        let said = format!("token=meow {}", "é a ".repeat(5 << 18));
        let begin: String = said.replace("meow", Secret::SHOWN).chars().take(MAX_NOTE).collect();
        assert_eq!(note(&said), begin);
        // Nor does it matter what comes before a word, but for its name.
        let said = said.get(..1 << 20).unwrap();
        assert_eq!(without_keys(said), said.replace("meow", Secret::SHOWN));
        // The name of a word is far behind others.
        let last = format!("{said}{} token: meow", "é".repeat(NAME_DISTANCE));
        assert!(without_keys(&last).ends_with(&format!(" token: {}", Secret::SHOWN)));
        assert_eq!(note(&"a".repeat(5 << 20)), "");
    }

    #[test]
    fn a_secret_that_is_cut_off_is_not_told() {
        let secret = format!("{}!{}", "k ".repeat(400), "z ".repeat(400));
        let secrets =
            Secrets::new(&"http://host".parse().unwrap(), &secret.clone().into(), &Map::default());
        let said = format!("{secret}. {secret}. {secret}. {secret}");
        let shown = format!("{0}. ", Secret::SHOWN);
        for end in [secrets.enough(), said.len()] {
            let told = secrets.note(said.get(..end).unwrap());
            assert!(shown.repeat(4).starts_with(&told) && told.starts_with(&shown), "{told}");
        }
        // A key that is known by its begin, and a word that is known by its length.
        let word = "Ab1".repeat(100);
        let said = format!("sk-{word} {word} {word} {word} {word} {word}");
        assert!(!note(&said).contains("Ab1"), "{}", note(&said));
    }
}
