//! What is served, put together: one call for each protocol, and no more machinery than that.
#![cfg_attr(
    not(feature = "broker"),
    allow(unused, clippy::unnecessary_wraps, reason = "there is no protocol to put together")
)]
use std::net::SocketAddr;

use axum::Router;
use quadrille_core::{
    Core, Hub, Life, Presence, Registry,
    auth::{Authority, Mode},
    ws::Origins,
};

use crate::{
    config::{self, Config, Sources},
    doors, ops,
};

/// Where a protocol is found.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) path: String,
    /// A command line that shows it at work.
    pub(crate) try_it: fn(SocketAddr, &str, Mode) -> String,
}

/// The state that all protocols share.
pub(crate) fn core(config: &Config, sources: &Sources, life: Life) -> Result<Core, config::Error> {
    let auth = Authority::new(&config.auth.settings()).map_err(|why| blame(&why, sources))?;
    let origins = Origins::new(&config.server.origins).expect("the configuration was checked");
    // Elsewhere a page that a name server sent here would pass for one of this host's.
    let origins = origins.with_own(auth.mode() == Mode::Jwt);
    Ok(Core {
        hub: Hub::new(config.topics.clone(), &config.limits, None, &life),
        sessions: Registry::new(config.limits.clone()),
        presence: Presence::default(),
        auth,
        origins,
        life,
    })
}

/// The protocols, and where they are.
pub(crate) fn compose(
    core: &Core,
    config: &Config,
    sources: &Sources,
) -> Result<(Router, Vec<Door>), config::Error> {
    let mut router = Router::new();
    let mut doors = Vec::new();
    #[cfg(feature = "broker")]
    {
        let path = config.broker.path.clone();
        let protocol = quadrille_broker::router(core, config.broker.clone());
        let protocol = protocol.map_err(|why| blame(&why, sources))?;
        // The same path twice would be a panic.
        if is_taken(&path) {
            let taken = [&ops::PATHS[..], &[doors::EVENTS, doors::OPENAPI]].concat().join(", ");
            let expected =
                format!("expected a path other than {taken}, and not below {}", doors::API);
            return Err(sources.blame("broker.path", expected));
        }
        router = router.merge(protocol);
        doors.push(Door {
            name: quadrille_broker::NAME,
            what: "channels over a WebSocket",
            path,
            try_it: subscribe,
        });
    }
    Ok((router, doors))
}

#[cfg(feature = "broker")]
fn subscribe(address: SocketAddr, path: &str, mode: Mode) -> String {
    const FRAME: &str =
        r#"{"channel":"subscription","payload":{"action":"subscribe","channel":"demo"}}"#;
    let query = match mode {
        Mode::Open => "",
        Mode::Jwt => r#""?token=$TOKEN""#,
    };
    format!("npx -y wscat -c ws://{address}{path}{query} -x '{FRAME}' -w 60")
}

/// Whether the gateway itself is at `path`.
#[cfg(feature = "broker")]
fn is_taken(path: &str) -> bool {
    let mut exact = ops::PATHS.into_iter().chain([doors::EVENTS, doors::OPENAPI]);
    path.starts_with(doors::API) || exact.any(|taken| taken == path)
}

/// The errors of a protocol or of the core begin with the key.
fn blame(why: &impl std::error::Error, sources: &Sources) -> config::Error {
    let text = why.to_string();
    let (key, expected) = text.split_once(": ").unwrap_or(("configuration", &text));
    sources.blame(key, expected)
}

/// What would be served, in one line.
pub(crate) fn check(config: &Config, sources: &Sources) -> Result<String, config::Error> {
    let (_, doors) = compose(&core(config, sources, Life::new())?, config, sources)?;
    let doors: Vec<_> = doors.iter().map(|it| format!("{} at {}", it.name, it.path)).collect();
    let doors = if doors.is_empty() { "no protocol".to_owned() } else { doors.join(", ") };
    let listen: Vec<_> = config.server.listen.iter().map(SocketAddr::to_string).collect();
    Ok(format!("the configuration is good: {doors} on {}\n", listen.join(", ")))
}
