//! Routes as people are told of them: where each is, and a command line that tries it.
use quadrille_identity::Mode;

/// An entry point of the gateway.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) path: String,
    /// Renders a command line that shows it at work.
    pub(crate) example: fn(&ClientUrls, &str, Mode) -> String,
}

/// How a client on this machine reaches a listener.
#[derive(Debug)]
pub(crate) struct ClientUrls {
    /// Base of HTTP URLs.
    pub(crate) http: String,
    /// Base of WebSocket URLs.
    pub(crate) ws: String,
    /// `curl`, with the options that the listener needs.
    pub(crate) curl: String,
}
