//! Absolute addresses in answers.
use std::{convert::Infallible, fmt, sync::Arc};

use axum_core::extract::FromRequestParts;
use http::{Extensions, HeaderMap, header::HOST, request::Parts};

/// How clients address this gateway. The listener puts it into every request.
#[derive(Clone, Debug)]
pub struct Site {
    /// `http` or `https`: the scheme of the client, as far as a trusted proxy tells it.
    pub scheme: &'static str,
    /// The path below which the gateway is for this client, as in `/chat`; empty if it has the host
    /// for itself.
    pub path: Arc<str>,
    /// `server.public_url`, which takes the place of all others: the gateway's whole address, with
    /// its path and without a slash at its end.
    pub public: Option<Arc<str>>,
}

/// Beginning of absolute addresses in answers. Cloning shares it, so that a connection can keep that
/// of its handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(Arc<str>);

impl Default for Site {
    fn default() -> Self {
        Self { scheme: "http", path: Arc::from(""), public: None }
    }
}

impl Base {
    /// The base for the sender of `parts`: `server.public_url`, or else the scheme, the host and the
    /// path that the request came with.
    pub fn of(parts: &Parts) -> Self {
        Self::within(&parts.extensions, &parts.headers)
    }

    /// [`Self::of`] a request that was taken apart.
    pub fn within(extensions: &Extensions, headers: &HeaderMap) -> Self {
        let site = extensions.get::<Site>().cloned().unwrap_or_default();
        if let Some(public) = site.public {
            return Self(public);
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        Self(format!("{}://{host}{}", site.scheme, site.path).into())
    }

    /// The absolute address of `path`, which begins with a slash and is escaped already.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

/// Without a path: for addresses that are no client's, and in tests.
impl From<&str> for Base {
    fn from(base: &str) -> Self {
        Self(base.into())
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<S: Sync> FromRequestParts<S> for Base {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn url(site: Option<Site>, host: Option<&str>) -> String {
        let mut request = Request::builder();
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.extend(site.map_or_else(Extensions::new, |site| {
            let mut extensions = Extensions::new();
            extensions.insert(site);
            extensions
        }));
        Base::of(&parts).url("/files/a")
    }

    #[test]
    fn an_address_begins_as_the_client_began_its_own_or_as_the_operator_says() {
        let site = |path: &str, public: Option<&str>| {
            Some(Site { scheme: "https", path: path.into(), public: public.map(Arc::from) })
        };
        let host = Some("chat.example:8443");
        assert_eq!(url(None, None), "http://localhost/files/a");
        assert_eq!(url(site("", None), host), "https://chat.example:8443/files/a");
        assert_eq!(url(site("/chat", None), host), "https://chat.example:8443/chat/files/a");
        let public = site("/chat", Some("https://public.example/x"));
        assert_eq!(url(public, host), "https://public.example/x/files/a");
    }
}
