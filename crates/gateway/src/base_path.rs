//! A gateway below a path: `https://example.com/assistant/` instead of a host of its own. Some proxies
//! strip the path and some do not, so both are understood.
use std::{collections::BTreeSet, sync::Arc};

use axum::http::{Uri, uri::PathAndQuery};
use quadrille_edge::http::Site;

use crate::config::{Config, Server};

/// The path below which clients reach the gateway, unless a proxy names another.
#[derive(Clone, Debug)]
pub(crate) struct BasePath {
    base: Arc<str>,
    public: Option<Arc<str>>,
    /// First segments of the gateway's own paths.
    roots: Arc<BTreeSet<String>>,
}

impl BasePath {
    /// Takes the gateway's own paths as `paths`.
    pub(crate) fn new<'a>(config: &Config, paths: impl Iterator<Item = &'a str>) -> Self {
        let Server { base_path, public_url, .. } = &config.server;
        let public = public_url.trim_end_matches('/');
        Self {
            base: base_path.trim_end_matches('/').into(),
            public: (!public.is_empty()).then(|| public.into()),
            roots: Arc::new(paths.filter_map(root).map(str::to_owned).collect()),
        }
    }

    /// Strips the base path from `uri`, if the rest is a path of the gateway: `/chat` may be a base path
    /// and a path of the gateway that a proxy has stripped already.
    pub(crate) fn without_base(&self, uri: &Uri) -> Option<Uri> {
        if self.base.is_empty() {
            return None;
        }
        let rest = uri.path().strip_prefix(&*self.base)?;
        let is_own = match root(rest) {
            Some(root) => rest.starts_with('/') && self.roots.contains(root),
            None => rest == "/" || rest.is_empty() && !self.is_root(&self.base),
        };
        if !is_own {
            return None;
        }
        let rest = if rest.is_empty() { "/" } else { rest };
        let target = match uri.query() {
            Some(query) => format!("{rest}?{query}"),
            None => rest.to_owned(),
        };
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
        Uri::from_parts(parts).ok()
    }

    fn is_root(&self, path: &str) -> bool {
        root(path).is_some_and(|root| self.roots.contains(root))
    }

    /// Returns the address that a client uses. `prefix` is the path that a proxy reports as stripped;
    /// `taken` means that the base path was stripped here.
    pub(crate) fn site(&self, scheme: &'static str, prefix: Option<String>, taken: bool) -> Site {
        let path = match prefix {
            None => Arc::clone(&self.base),
            Some(prefix) if taken => format!("{prefix}{}", self.base).into(),
            Some(prefix) => prefix.into(),
        };
        Site { scheme, path, public: self.public.clone() }
    }
}

/// First segment of a path.
fn root(path: &str) -> Option<&str> {
    path.split('/').find(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(base: &str) -> BasePath {
        let mut config = Config::default();
        config.server.base_path = base.to_owned();
        let paths = ["/", "/events", "/api/", "/chat", "/chat/stream", "/ws"];
        BasePath::new(&config, paths.into_iter())
    }

    fn without(base: &str, uri: &str) -> Option<String> {
        below(base).without_base(&uri.parse().unwrap()).map(|uri| uri.to_string())
    }

    #[test]
    fn the_base_path_is_taken_away_where_a_path_of_the_gateway_remains() {
        let cases = [
            ("/x", "/x", Some("/")),
            ("/x", "/x/", Some("/")),
            ("/x", "/x?a=/b", Some("/?a=/b")),
            ("/x/", "/x/events?topic=%C3%A4", Some("/events?topic=%C3%A4")),
            ("/x", "http://a.example/x/api/v1", Some("http://a.example/api/v1")),
            ("/x", "/events", None),
            ("/x", "/xevents", None),
            ("/x", "/y/x/events", None),
            ("/x", "/x/nowhere", None),
            ("/a/b", "/a/b/api/v1/chat", Some("/api/v1/chat")),
            ("", "/events", None),
            ("/chat", "/chat", None),
            ("/chat", "/chat/stream", None),
            ("/chat", "/chat/chat/stream", Some("/chat/stream")),
            ("/chat", "/chat/api/v1/publish", Some("/api/v1/publish")),
            ("/chat", "/chat/some-chat", None),
            ("/ws", "/ws", None),
            ("/ws", "/ws/ws", Some("/ws")),
        ];
        for (base, uri, expected) in cases {
            assert_eq!(without(base, uri).as_deref(), expected, "{uri} below {base}");
        }
    }

    #[test]
    fn a_client_is_where_its_proxies_say_or_else_the_operator() {
        let path = |base, prefix: Option<&str>, taken| {
            below(base).site("https", prefix.map(str::to_owned), taken).path.to_string()
        };
        assert_eq!(path("", None, false), "");
        assert_eq!(path("/x", None, false), "/x");
        assert_eq!(path("/x", None, true), "/x");
        assert_eq!(path("/x", Some("/y"), false), "/y");
        assert_eq!(path("/x", Some("/y"), true), "/y/x");
    }
}
