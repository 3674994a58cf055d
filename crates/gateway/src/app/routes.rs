//! Routes that are listed for people, and the paths that are taken.
use quadrille_identity::Mode;

use crate::{
    config::Config,
    openapi, ops,
    route::{ClientUrls, Route},
};

/// Routes of the protocols.
pub(super) fn of_protocols(config: &Config) -> Vec<Route> {
    let mut routes = Vec::new();
    #[cfg(feature = "relay")]
    routes.push(Route {
        name: quadrille_relay::NAME,
        summary: "one question, one reply",
        path: quadrille_relay::PATH.to_owned(),
        example: send,
    });
    #[cfg(feature = "rooms")]
    routes.push(Route {
        name: quadrille_rooms::NAME,
        summary: "conversations over Socket.IO",
        path: quadrille_rooms::PATH.to_owned(),
        example: rooms,
    });
    #[cfg(feature = "workflows")]
    if config.workflows.enabled {
        routes.push(Route {
            name: quadrille_workflows::NAME,
            summary: "spreadsheet jobs that can be watched",
            path: quadrille_workflows::PATH.to_owned(),
            example: workflows,
        });
    }
    #[cfg(feature = "broker")]
    routes.push(Route {
        name: quadrille_broker::NAME,
        summary: "channels over a WebSocket",
        path: config.broker.path.clone(),
        example: subscribe,
    });
    routes
}

/// Routes of the API.
pub(crate) fn of_api() -> Vec<Route> {
    let route = |name, summary, path: &str, example| Route {
        name,
        summary,
        path: path.to_owned(),
        example,
    };
    vec![
        route(
            "events",
            "topics as server-sent events",
            quadrille_api::EVENTS,
            |urls, path, mode| {
                format!("{} -N '{}{path}?topic=demo'{}", urls.curl, urls.http, bearer(mode))
            },
        ),
        route(
            "publish",
            "publish a record",
            &format!("{}v1/publish", quadrille_api::API),
            |urls, path, mode| {
                let record = r#"{"channel":"demo","payload":{"message":"hello"}}"#;
                format!("{} {}{path} --json '{record}'{}", urls.curl, urls.http, bearer(mode))
            },
        ),
        route("api", "description of every HTTP endpoint", openapi::PATH, |urls, path, _| {
            format!("{} {}{path}", urls.curl, urls.http)
        }),
    ]
}

/// The option with which `curl` sends a token, if one is needed.
fn bearer(mode: Mode) -> &'static str {
    match mode {
        Mode::Open => "",
        Mode::Jwt => r#" -H "Authorization: Bearer $TOKEN""#,
    }
}

#[cfg(feature = "relay")]
fn send(urls: &ClientUrls, path: &str, mode: Mode) -> String {
    let user = if mode == Mode::Open { r#""user_id":"7","# } else { "" };
    let question = format!(r#"{{{user}"message":"hello"}}"#);
    format!("{} {}{path} --json '{question}'{}", urls.curl, urls.http, bearer(mode))
}

#[cfg(feature = "rooms")]
fn rooms(urls: &ClientUrls, _: &str, mode: Mode) -> String {
    let user = if mode == Mode::Open { "?user_id=7" } else { "" };
    format!("{} '{}/conversations{user}' --json '{{}}'{}", urls.curl, urls.http, bearer(mode))
}

#[cfg(feature = "workflows")]
fn workflows(urls: &ClientUrls, _: &str, mode: Mode) -> String {
    let chats = quadrille_workflows::CHATS;
    format!("{} -X POST {}{chats}{}", urls.curl, urls.http, bearer(mode))
}

#[cfg(feature = "broker")]
fn subscribe(urls: &ClientUrls, path: &str, mode: Mode) -> String {
    const FRAME: &str =
        r#"{"channel":"subscription","payload":{"action":"subscribe","channel":"demo"}}"#;
    let query = match mode {
        Mode::Open => "",
        Mode::Jwt => r#""?token=$TOKEN""#,
    };
    format!("npx -y wscat -c {}{path}{query} -x '{FRAME}' -w 60", urls.ws)
}

/// Whether `path` belongs to another route.
#[cfg(feature = "broker")]
pub(super) fn is_taken(path: &str) -> bool {
    let below = |taken| {
        path.strip_prefix(taken).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    path.starts_with(quadrille_api::API) || taken().any(below)
}

/// Paths of all routes, or their prefixes.
pub(crate) fn paths(config: &Config) -> impl Iterator<Item = &str> + use<'_> {
    #[cfg(feature = "broker")]
    let broker = Some(config.broker.path.as_str());
    #[cfg(not(feature = "broker"))]
    let broker = None;
    let taken = taken().map(|path| -> &str { path });
    taken.chain([quadrille_api::API]).chain(broker)
}

/// Paths of all routes but the broker's.
pub(super) fn taken() -> impl Iterator<Item = &'static str> {
    #[cfg(feature = "relay")]
    let relay = Some(quadrille_relay::PATH);
    #[cfg(not(feature = "relay"))]
    let relay = None;
    #[cfg(feature = "rooms")]
    let rooms = quadrille_rooms::PATHS;
    #[cfg(not(feature = "rooms"))]
    let rooms = &[];
    #[cfg(feature = "workflows")]
    let chats = Some(quadrille_workflows::PATH);
    #[cfg(not(feature = "workflows"))]
    let chats = None;
    let own = ops::PATHS.into_iter().chain([quadrille_api::EVENTS, openapi::PATH]);
    own.chain(relay).chain(rooms.iter().copied()).chain(chats)
}
