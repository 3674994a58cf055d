//! A token as a client sends it, and where in a request it is looked for.
use std::fmt;

use http::{HeaderMap, HeaderValue, Request, Uri, header};
use secrecy::{ExposeSecret, SecretString};

/// What a client shows to say who it is. No way of printing it shows it.
#[derive(Clone)]
pub struct Token(SecretString);

/// What the entry of `Sec-WebSocket-Protocol` begins with that carries a token.
const PREFIX: &str = "quadrille.token.";

impl Token {
    /// The longest one, in bytes.
    pub const MAX: usize = 8 << 10;

    /// The token of `request`: of `Authorization: Bearer`, or else of `Sec-WebSocket-Protocol`, or
    /// else of the query. The first that is there counts, whether it is good or not.
    pub fn of<B>(request: &Request<B>) -> Option<Self> {
        Self::find(request.headers(), request.uri())
    }

    /// [`Self::of`] a request that was taken apart.
    pub fn find(headers: &HeaderMap, uri: &Uri) -> Option<Self> {
        let in_list = || protocols(headers).find_map(|it| it.strip_prefix(PREFIX));
        let found = bearer(headers).or_else(in_list).or_else(|| in_query(uri));
        found.filter(|token| !token.is_empty()).map(Self::from)
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<&str> for Token {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(not shown)")
    }
}

/// The subprotocol to agree to: when a client sends its token in the list, the first entry that is
/// not the token. Browsers end a connection for which none of their list was chosen.
pub fn subprotocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let is_token = |it: &&str| it.starts_with(PREFIX);
    protocols(headers).find(is_token)?;
    let chosen = protocols(headers).find(|it| !is_token(it) && is_word(it))?;
    HeaderValue::from_str(chosen).ok()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(header::AUTHORIZATION).iter();
    values.filter_map(|value| value.to_str().ok()).find_map(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("Bearer").then_some(token.trim())
    })
}

fn protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim)
}

/// A token has no character that would be escaped in a query.
fn in_query(uri: &Uri) -> Option<&str> {
    uri.query()?.split('&').find_map(|member| member.strip_prefix("token="))
}

/// Whether `text` is a `token` of RFC 9110, 5.6.2.
fn is_word(text: &str) -> bool {
    let special = |b| b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || special(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        let request = headers.iter().fold(Request::get(uri), |it, (k, v)| it.header(*k, *v));
        request.body(()).unwrap()
    }

    fn found(uri: &str, headers: &[(&str, &str)]) -> Option<String> {
        Token::of(&request(uri, headers)).map(|token| token.expose().to_owned())
    }

    #[test]
    fn a_token_is_found_in_each_of_its_places() {
        let list = ("Sec-WebSocket-Protocol", "quadrille, quadrille.token.a.b.c");
        let cases: [(&str, &[(&str, &str)], _); 9] = [
            ("/ws", &[], None),
            ("/ws?token=a.b.c", &[], Some("a.b.c")),
            ("/ws?x=1&token=a.b.c&y", &[], Some("a.b.c")),
            ("/ws?token=", &[], None),
            ("/ws?mytoken=a", &[], None),
            ("/ws", &[("Authorization", "bearer  a.b.c")], Some("a.b.c")),
            ("/ws?token=q", &[("Authorization", "Basic YTpi")], Some("q")),
            ("/ws?token=q", &[list], Some("a.b.c")),
            ("/ws?token=q", &[list, ("Authorization", "Bearer h")], Some("h")),
        ];
        for (uri, headers, token) in cases {
            assert_eq!(found(uri, headers).as_deref(), token, "{uri} {headers:?}");
        }
    }

    #[test]
    fn what_is_agreed_to_was_offered_and_is_not_the_token() {
        let cases = [
            ("chat, superchat", None),
            ("quadrille.token.a", None),
            ("quadrille.token.a, quadrille", Some("quadrille")),
            ("chat,quadrille.token.a,quadrille", Some("chat")),
            ("a b, quadrille.token.a", None),
        ];
        for (offer, agreed) in cases {
            let request = request("/ws", &[("Sec-WebSocket-Protocol", offer)]);
            let chosen = subprotocol(request.headers());
            assert_eq!(chosen.as_ref().map(|it| it.to_str().unwrap()), agreed, "{offer}");
        }
    }

    #[test]
    fn a_token_is_never_shown() {
        assert_eq!(format!("{:?}", Token::from("a.b.c")), "Token(not shown)");
    }
}
