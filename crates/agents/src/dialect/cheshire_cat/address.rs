//! The address of the Cat for a user: `/ws/{user_id}`, as `PyPI` `cheshire-cat-api` 1.4.9 has it.
use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use quadrille_identity::Secret;
use url::Url;

use crate::BadConfig;

/// The characters that are not escaped; with the dot in it, the ids `.` and `..` would change the path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');

/// The address of a Cat, which holds its token: not to be printed.
pub(super) struct Address {
    /// Host and port, to connect to.
    pub(super) peer: String,
    pub(super) is_secure: bool,
    /// Everything before the user id.
    prefix: String,
    /// Empty, or the query with the token.
    query: String,
}

// === impl Address ===

impl Address {
    /// The address in agent `name`'s `url`, which may have a path of its own.
    pub(super) fn new(name: &str, url: &Url, token: &Secret) -> Result<Self, BadConfig> {
        let wrong = |expected: &str| {
            Err(BadConfig { key: format!("{name}.url"), expected: expected.to_owned() })
        };
        if url.query().is_some() {
            return wrong(&format!("expected no ? in it; see agents.{name}.token"));
        }
        let base = url.path().trim_end_matches('/');
        if base.ends_with("/ws") {
            return wrong("expected it without the /ws at its end, which is added for each user");
        }
        let is_secure = matches!(url.scheme(), "https" | "wss");
        let (scheme, port) = if is_secure { ("wss", 443) } else { ("ws", 80) };
        let host = url.host_str().unwrap_or_default();
        let explicit = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let query = match token.expose() {
            "" => String::new(),
            token => format!("?token={}", utf8_percent_encode(token, PLAIN)),
        };
        Ok(Self {
            peer: format!("{host}:{}", url.port().unwrap_or(port)),
            is_secure,
            prefix: format!("{scheme}://{host}{explicit}{base}/ws/"),
            query,
        })
    }

    /// The address for `user`. The id is one segment of the path, whatever its characters.
    pub(super) fn of(&self, user: &str) -> Result<Uri, http::uri::InvalidUri> {
        let Self { prefix, query, .. } = self;
        format!("{prefix}{}{query}", utf8_percent_encode(user, PLAIN)).parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str, token: &str) -> Result<Address, BadConfig> {
        Address::new("cat", &url.parse().unwrap(), &token.to_owned().into())
    }

    #[test]
    fn every_form_of_address_leads_to_ws_and_the_user() {
        let of = |url, token| {
            let address = address(url, token).unwrap();
            (address.of("ann").unwrap().to_string(), address.peer)
        };
        let pair = |uri: &str, peer: &str| (uri.to_owned(), peer.to_owned());
        let cases = [
            (of("http://cat:1865", ""), pair("ws://cat:1865/ws/ann", "cat:1865")),
            (of("ws://cat/", ""), pair("ws://cat/ws/ann", "cat:80")),
            (of("https://cat/base/", "k"), pair("wss://cat/base/ws/ann?token=k", "cat:443")),
            (of("wss://[::1]:9/a/b", ""), pair("wss://[::1]:9/a/b/ws/ann", "[::1]:9")),
            (
                of("ws://cat:1", "a&b=c#é"),
                pair("ws://cat:1/ws/ann?token=a%26b%3Dc%23%C3%A9", "cat:1"),
            ),
        ];
        for (got, expected) in cases {
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn what_is_in_a_user_id_stays_one_segment() {
        let address = address("ws://cat:1", "").unwrap();
        for user in
            ["a/../b", "..", ".", "?token=x", "#x", "%2e%2e", "%0d%0aX: y", "è 日本", "a\\b"]
        {
            let uri = address.of(user).unwrap();
            let segment = uri.path().strip_prefix("/ws/").unwrap();
            assert!(!segment.contains(['/', '.', '\\']), "{uri}");
            assert_eq!(uri.query(), None, "{uri}");
            let decoded = percent_encoding::percent_decode_str(segment).decode_utf8().unwrap();
            assert_eq!(decoded, user);
        }
    }

    #[test]
    fn an_address_that_would_not_lead_there_is_refused() {
        let wrong = |url| address(url, "").err().map(|err| err.to_string()).unwrap_or_default();
        assert!(wrong("ws://cat/?token=x").starts_with("agents.cat.url: expected no ?"));
        assert!(wrong("ws://cat/ws/").starts_with("agents.cat.url: expected it without the /ws"));
    }
}
