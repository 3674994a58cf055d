//! The token of a request, from each of its places.
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use quadrille_identity::Token;

use super::Origins;

#[cfg(any(test, fuzzing))]
pub mod fuzz;

/// Beginning of the entry of `Sec-WebSocket-Protocol` that carries a token.
const PREFIX: &str = "quadrille.token.";

/// The cookie that holds a token.
const COOKIE: &str = "access_token";

/// Returns the token of `request`: of `Authorization: Bearer`, or else of `Sec-WebSocket-Protocol`,
/// or else of the query, or else of the cookie, where [that counts](Origins::takes_cookie). The first
/// that is there counts, whether it is good or not.
pub fn of<B>(request: &Request<B>, origins: &Origins) -> Option<Token> {
    find(request.method(), request.headers(), request.uri(), origins)
}

/// [`of`] a request that was taken apart.
pub fn find(method: &Method, headers: &HeaderMap, uri: &Uri, origins: &Origins) -> Option<Token> {
    let in_list = || protocols(headers).find_map(|entry| entry.strip_prefix(PREFIX));
    let in_cookie = || cookie(headers).filter(|_| origins.takes_cookie(method, headers));
    let found = bearer(headers).or_else(in_list).or_else(|| in_query(uri)).or_else(in_cookie);
    found.filter(|token| !token.is_empty()).map(|token| within(token, headers))
}

/// Returns the token `text`, which a protocol found elsewhere in a request with these headers.
pub fn within(text: &str, headers: &HeaderMap) -> Token {
    let token = Token::from(text);
    // Such a request names no origin when it is for a picture, say.
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let foreign = matches!(site, Some(b"cross-site" | b"same-site"));
    if foreign && !headers.contains_key(header::ORIGIN) { token.foreign() } else { token }
}

/// The subprotocol to agree to: when a client sends its token in the list, the first entry that is
/// not the token. Browsers end a connection for which none of their list was chosen.
pub fn subprotocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let is_token = |entry: &&str| entry.starts_with(PREFIX);
    protocols(headers).find(is_token)?;
    let chosen = protocols(headers).find(|entry| !is_token(entry) && is_word(entry))?;
    HeaderValue::from_str(chosen).ok()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(header::AUTHORIZATION).iter();
    values.filter_map(|value| value.to_str().ok()).find_map(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("Bearer").then_some(token.trim())
    })
}

/// The token in the cookie that holds one.
pub fn cookie(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then_some(value.trim_matches('"'))
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

    use http::Request;
    use quadrille_identity::Payer;

    fn request(uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        let request =
            headers.iter().fold(Request::get(uri), |request, (k, v)| request.header(*k, *v));
        request.body(()).unwrap()
    }

    fn found(uri: &str, headers: &[(&str, &str)]) -> Option<String> {
        let origins = Origins::new(&["https://chat.example"]).unwrap();
        of(&request(uri, headers), &origins).map(|token| token.expose().to_owned())
    }

    #[test]
    fn a_token_is_found_in_each_of_its_places() {
        let list = ("Sec-WebSocket-Protocol", "quadrille, quadrille.token.a.b.c");
        let cookie = ("Cookie", "a=b; access_token=\"a.b.c\"");
        let upgrade = ("Upgrade", "websocket");
        let cases: [(&str, &[(&str, &str)], _); 14] = [
            ("/ws", &[], None),
            ("/ws?token=a.b.c", &[], Some("a.b.c")),
            ("/ws?x=1&token=a.b.c&y", &[], Some("a.b.c")),
            ("/ws?token=", &[], None),
            ("/ws?mytoken=a", &[], None),
            ("/ws", &[("Authorization", "bearer  a.b.c")], Some("a.b.c")),
            ("/ws?token=q", &[("Authorization", "Basic YTpi")], Some("q")),
            ("/ws?token=q", &[list], Some("a.b.c")),
            ("/ws?token=q", &[list, ("Authorization", "Bearer h")], Some("h")),
            ("/ws", &[cookie, upgrade], Some("a.b.c")),
            ("/ws?token=q", &[cookie], Some("q")),
            ("/ws", &[cookie, upgrade, ("Origin", "https://chat.example")], Some("a.b.c")),
            ("/ws", &[cookie, upgrade, ("Origin", "https://evil.example")], None),
            ("/ws", &[("Cookie", "xaccess_token=a; access_token=")], None),
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
            assert_eq!(chosen.as_ref().map(|value| value.to_str().unwrap()), agreed, "{offer}");
        }
    }

    #[test]
    fn what_a_page_from_elsewhere_has_a_browser_fetch_is_known_as_foreign() {
        let foreign = |sent: &[(&str, &str)]| {
            let request = request("/events?token=a", sent);
            let token = of(&request, &Origins::default()).unwrap();
            matches!(token.blamed([127, 0, 0, 1].into()), Payer::Foreign(_))
        };
        let cross = ("Sec-Fetch-Site", "cross-site");
        assert!(foreign(&[cross]) && foreign(&[("Sec-Fetch-Site", "same-site")]));
        assert!(!foreign(&[]) && !foreign(&[("Sec-Fetch-Site", "same-origin")]));
        assert!(!foreign(&[cross, ("Origin", "https://listed.example")]));
    }
}
