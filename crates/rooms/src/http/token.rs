//! The places of a token in a request, and protection from cross-site request forgery.
use http::{HeaderMap, Method, Uri, header};
use quadrille_edge::http::{
    Origins,
    token::{cookie, within},
};
use quadrille_identity::Token;

/// A token, and whether it was in a cookie.
#[derive(Debug)]
pub(super) struct RequestToken {
    pub(super) token: Token,
    pub(super) in_cookie: bool,
}

impl RequestToken {
    /// Finds the token: in the header, the cookie, or the query as `jwt` or `token`. The first one
    /// counts, whether it is valid or not.
    pub(super) fn of(headers: &HeaderMap, uri: &Uri) -> Option<Self> {
        let found = |text: &str, in_cookie| {
            (!text.is_empty()).then(|| Self { token: within(text, headers), in_cookie })
        };
        let in_query = || query(uri, "jwt=").or_else(|| query(uri, "token="));
        bearer(headers)
            .and_then(|value| found(value, false))
            .or_else(|| cookie(headers).and_then(|value| found(value, true)))
            .or_else(|| in_query().and_then(|value| found(value, false)))
    }

    /// Whether the page that sent the token may; false for a forged cross-site request.
    pub(super) fn is_meant(&self, method: &Method, headers: &HeaderMap, origins: &Origins) -> bool {
        !self.in_cookie || origins.takes_cookie(method, headers)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(header::AUTHORIZATION).iter();
    values.filter_map(|value| value.to_str().ok()).find_map(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("Bearer").then_some(token.trim())
    })
}

/// A token has no character that would be escaped in a query.
fn query<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    uri.query()?.split('&').find_map(|member| member.strip_prefix(name))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn request(uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        let request = headers.iter().fold(Request::post(uri), |it, (k, v)| it.header(*k, *v));
        request.body(()).unwrap()
    }

    #[test]
    fn a_token_is_looked_for_in_four_places() {
        let in_cookie = |uri: &str, headers: &[(&str, &str)]| {
            let request = request(uri, headers);
            RequestToken::of(request.headers(), request.uri()).map(|it| it.in_cookie)
        };
        let cookie = ("Cookie", "a=b; access_token=\"x.y.z\"");
        assert_eq!(in_cookie("/a?b=c", &[("Cookie", "token=1")]), None);
        assert_eq!(in_cookie("/a?token=", &[("Authorization", "Bearer ")]), None);
        assert_eq!(in_cookie("/a?x=1&jwt=a", &[]), Some(false));
        assert_eq!(in_cookie("/a?token=a", &[]), Some(false));
        assert_eq!(in_cookie("/a?token=a", &[cookie]), Some(true));
        assert_eq!(in_cookie("/a", &[cookie, ("Authorization", "bearer a")]), Some(false));
    }

    #[test]
    fn a_cookie_changes_something_only_for_a_page_that_is_known() {
        let origins = Origins::new(&["https://chat.example.com"]).unwrap();
        let meant = |headers: &[(&str, &str)]| {
            let all = [&[("Cookie", "access_token=a")], headers].concat();
            let request = request("/messages", &all);
            let found = RequestToken::of(request.headers(), request.uri()).unwrap();
            assert!(found.is_meant(&Method::GET, request.headers(), &origins));
            found.is_meant(&Method::POST, request.headers(), &origins)
        };
        assert!(!meant(&[]));
        assert!(!meant(&[("Origin", "https://evil.example")]));
        assert!(!meant(&[("Sec-Fetch-Site", "cross-site")]));
        assert!(!meant(&[("Sec-Fetch-Site", "same-site")]));
        assert!(meant(&[("Origin", "https://chat.example.com")]));
        assert!(meant(&[("Sec-Fetch-Site", "same-origin")]));
        assert!(meant(&[("Sec-Fetch-Site", "none")]));
        assert!(meant(&[("Authorization", "Bearer a")]));
    }
}
