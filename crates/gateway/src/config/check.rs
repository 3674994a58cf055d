//! Checks that types cannot express: bounds, and values that contradict each other.
use std::time::Duration;

use quadrille_core::{Limits, NAMESPACES};
use quadrille_edge::http::Origins;
use quadrille_identity::Mode;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};

use super::{Config, ListenAddress, LogConfig, Server, auth::Jwt};
use crate::url;

/// A key with an invalid value.
#[derive(Debug)]
pub(super) struct InvalidKey {
    pub(super) key: String,
    pub(super) expected: String,
}

fn invalid<T>(key: impl Into<String>, expected: impl Into<String>) -> Result<T, InvalidKey> {
    Err(InvalidKey { key: key.into(), expected: expected.into() })
}

pub(super) fn check(config: &Config) -> Result<(), InvalidKey> {
    server(&config.server)?;
    open(config)?;
    jwt(&config.auth.jwt)?;
    limits(&config.limits)?;
    topics(config)?;
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    config.agents.check().or_else(|err| invalid(err.key(), err.expected()))?;
    #[cfg(feature = "relay")]
    at_least_one("relay.max_body_size", config.relay.max_body_size)?;
    #[cfg(feature = "broker")]
    broker(&config.broker)?;
    #[cfg(feature = "rooms")]
    rooms(&config.rooms)?;
    #[cfg(feature = "workflows")]
    workflows(&config.workflows, &config.agents)?;
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    config.store.check().or_else(|err| invalid(err.key, err.expected))?;
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    turns(&config.turns)?;
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    config.files.check().or_else(|err| invalid(err.key, err.expected))?;
    #[cfg(feature = "otel")]
    otel(&config.otel)?;
    log(&config.log)
}

fn server(server: &Server) -> Result<(), InvalidKey> {
    let Server { listen, origins, hosts, header_timeout, idle_timeout, grace, .. } = server;
    let Server { public_url, base_path, drain_delay, drain_window, .. } = server;
    if listen.is_empty() {
        return invalid("server.listen", "expected at least one IP:PORT, found none");
    }
    if let Err(err) = Origins::new(origins) {
        return invalid("server.origins", err.to_string());
    }
    if let Some(name) = hosts.iter().find(|host| !url::is_host(host)) {
        let expected =
            format!("expected names without port as in chat.example.com, found {name:?}");
        return invalid("server.hosts", expected);
    }
    if !public_url.is_empty() && !url::is_base_url(public_url) {
        let expected = format!(
            "expected an address as in https://chat.example.com/assistant, without a query, found \
             {public_url:?}"
        );
        return invalid("server.public_url", expected);
    }
    if !matches!(&**base_path, "" | "/") && !url::is_path(base_path) {
        let expected = format!("expected a path as in /assistant, found {base_path:?}");
        return invalid("server.base_path", expected);
    }
    tls(server)?;
    let needed = [("server.header_timeout", header_timeout), ("server.idle_timeout", idle_timeout)];
    for (key, given) in needed {
        if given.is_zero() {
            return invalid(key, "expected more than zero, as in \"10s\"");
        }
        duration(key, *given)?;
    }
    duration("server.drain_delay", *drain_delay)?;
    duration("server.drain_window", *drain_window)?;
    duration("server.grace", *grace)
}

/// Requires files for an `https://` address, and the other way round. Their content is checked later.
fn tls(server: &Server) -> Result<(), InvalidKey> {
    let needed = server.listen.iter().any(ListenAddress::is_tls);
    let files =
        [("server.tls.certificate", &server.tls.certificate), ("server.tls.key", &server.tls.key)];
    for (key, file) in files {
        // An error on an unreadable path would show it.
        if file.to_string_lossy().contains("-----BEGIN") {
            return invalid(key, "expected the path of a file in PEM, found what is in one");
        }
        let given = !file.as_os_str().is_empty();
        if needed && !given {
            return invalid(
                key,
                "expected a file in PEM, as an https:// address needs it, found none",
            );
        }
        if given && !needed {
            return invalid(key, "expected an https://IP:PORT in server.listen, or no file");
        }
    }
    Ok(())
}

/// Allows other machines without sign-in only if `auth.allow_open` confirms it.
fn open(config: &Config) -> Result<(), InvalidKey> {
    if config.auth.mode != Mode::Open {
        return Ok(());
    }
    match config.server.listen.iter().find(|address| !address.is_local()) {
        Some(address) if !config.auth.allow_open => invalid(
            "server.listen",
            format!(
                "{address} lets other machines in without sign-in; \
                 expected a loopback address, or auth.allow_open = true"
            ),
        ),
        _ => Ok(()),
    }
}

/// Checks the keys of tokens without reading files; those are checked at the start.
fn jwt(jwt: &Jwt) -> Result<(), InvalidKey> {
    let Jwt { secret, secrets, keys, leeway, .. } = jwt;
    let single = (!secret.is_empty()).then_some(("auth.jwt.secret", secret));
    let listed = secrets.iter().map(|secret| ("auth.jwt.secrets", secret));
    for (key, secret) in single.into_iter().chain(listed) {
        if secret.is_short() && !jwt.allow_short_secret {
            return invalid(key, secret.too_short());
        }
    }
    if keys.iter().any(|key| key.file.contains("-----BEGIN")) {
        return invalid(
            "auth.jwt.keys",
            "expected the path of a file in PEM, found what is in one",
        );
    }
    if *leeway > Duration::from_hours(1) {
        return invalid("auth.jwt.leeway", "expected at most \"1h\"");
    }
    Ok(())
}

/// Rejects policies of namespaces that no protocol has.
pub(super) fn namespaces(mut given: impl Iterator<Item = String>) -> Result<(), InvalidKey> {
    match given.find(|name| !NAMESPACES.contains(&name.as_str())) {
        Some(name) => {
            let known = NAMESPACES.join(", ");
            invalid(format!("topics.{name}"), format!("unknown namespace, expected one of {known}"))
        }
        None => Ok(()),
    }
}

fn limits(limits: &Limits) -> Result<(), InvalidKey> {
    at_least_one("limits.http_connections", limits.http_connections)?;
    at_least_one("limits.input_bytes", limits.input_bytes)?;
    let Limits { user_share, address_share, stranger_share, .. } = *limits;
    let parts = [("limits.user_share", user_share), ("limits.stranger_share", stranger_share)];
    for (key, part) in parts {
        if !(part > 0.0 && part <= 1.0) {
            return invalid(key, format!("expected a part above 0 and at most 1, found {part}"));
        }
    }
    if !(0.0..=1.0).contains(&address_share) {
        let expected =
            format!("expected a part of at most 1, or 0 for none, found {address_share}");
        return invalid("limits.address_share", expected);
    }
    Ok(())
}

fn topics(config: &Config) -> Result<(), InvalidKey> {
    for (namespace, policy) in &config.topics.0 {
        let key = |name: &str| format!("topics.{namespace}.{name}");
        at_least_one(key("events"), policy.events)?;
        at_least_one(key("bytes"), policy.bytes)?;
        duration(key("keep"), policy.keep)?;
        duration(key("patience"), policy.patience)?;
    }
    Ok(())
}

#[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
fn turns(turns: &quadrille_turns::Config) -> Result<(), InvalidKey> {
    if turns.keep.is_zero() {
        return invalid("turns.keep", "expected more than zero, as in \"30days\"");
    }
    duration("turns.keep", turns.keep)
}

#[cfg(feature = "rooms")]
fn rooms(rooms: &quadrille_rooms::Config) -> Result<(), InvalidKey> {
    at_least_one("rooms.max_rooms", rooms.max_rooms)?;
    at_least_one("rooms.max_message_size", rooms.max_message_size)?;
    let needed = [
        ("rooms.connect_timeout", rooms.connect_timeout),
        ("rooms.ping_interval", rooms.ping_interval),
        ("rooms.ping_timeout", rooms.ping_timeout),
    ];
    for (key, given) in needed {
        if given.is_zero() {
            return invalid(key, "expected more than zero, as in \"25s\"");
        }
        duration(key, given)?;
    }
    duration("rooms.write_timeout", rooms.write_timeout)?;
    if rooms.recovery > Duration::from_mins(10) {
        return invalid("rooms.recovery", "expected at most \"10m\"");
    }
    Ok(())
}

#[cfg(feature = "workflows")]
fn workflows(
    workflows: &quadrille_workflows::Config,
    agents: &quadrille_agents::Config,
) -> Result<(), InvalidKey> {
    if !workflows.agent.is_empty() && !agents.named.contains_key(&workflows.agent) {
        let expected = "expected the name of an agent that is configured, or \"\" for none";
        return invalid("workflows.agent", expected);
    }
    if workflows.ping_timeout.is_zero() && !workflows.ping_interval.is_zero() {
        let expected = "expected more than zero, as in \"10s\", or workflows.ping_interval = \"0s\" \
                        for no pings";
        return invalid("workflows.ping_timeout", expected);
    }
    if workflows.lease < Duration::from_millis(300) {
        return invalid("workflows.lease", "expected at least \"300ms\"");
    }
    at_least_one("workflows.max_message_size", workflows.max_message_size)?;
    at_least_one("workflows.max_waiting", workflows.max_waiting)?;
    at_least_one("workflows.max_steps", workflows.max_steps)?;
    duration("workflows.lease", workflows.lease)?;
    duration("workflows.ping_interval", workflows.ping_interval)?;
    duration("workflows.ping_timeout", workflows.ping_timeout)?;
    duration("workflows.write_timeout", workflows.write_timeout)?;
    duration("workflows.keep_downloads", workflows.keep_downloads)
}

#[cfg(feature = "broker")]
fn broker(broker: &quadrille_broker::Config) -> Result<(), InvalidKey> {
    if broker.ping_timeout.is_zero() && !broker.ping_interval.is_zero() {
        return invalid(
            "broker.ping_timeout",
            "expected more than zero, as in \"10s\", or broker.ping_interval = \"0s\" for no pings",
        );
    }
    at_least_one("broker.max_message_size", broker.max_message_size)?;
    duration("broker.ping_interval", broker.ping_interval)?;
    duration("broker.ping_timeout", broker.ping_timeout)?;
    duration("broker.write_timeout", broker.write_timeout)
}

/// Rejects an endpoint with a password, which `print-config` would show; a header can be set by a
/// variable.
#[cfg(feature = "otel")]
fn otel(otel: &super::section::OtelConfig) -> Result<(), InvalidKey> {
    let good = |uri: axum::http::Uri| {
        let authority = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        authority && matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none()
    };
    if otel.endpoint.is_empty() || otel.endpoint.parse().is_ok_and(good) {
        return Ok(());
    }
    invalid(
        "otel.endpoint",
        "expected the address of a collector, such as http://127.0.0.1:4318, without a user",
    )
}

fn at_least_one(key: impl Into<String>, given: usize) -> Result<(), InvalidKey> {
    if given == 0 { invalid(key, "expected 1 or more, found 0") } else { Ok(()) }
}

/// Bounds durations: adding much more to a clock may overflow.
fn duration(key: impl Into<String>, given: Duration) -> Result<(), InvalidKey> {
    if given > Duration::from_hours(365 * 24) {
        return invalid(key, "expected at most \"365days\"");
    }
    Ok(())
}

/// Rejects unknown levels, which would be taken for the name of a module and silence all others.
fn log(log: &LogConfig) -> Result<(), InvalidKey> {
    let bad =
        log.level.split(',').map(str::trim).any(|directive| match directive.split_once('=') {
            Some((target, level)) => target.is_empty() || level.parse::<LevelFilter>().is_err(),
            None => directive.parse::<LevelFilter>().is_err(),
        });
    if bad || EnvFilter::try_new(&log.level).is_err() {
        let found = &log.level;
        return invalid(
            "log.level",
            format!(
                "expected off, error, warn, info, debug or trace, and MODULE=LEVEL after a comma, \
                 found {found:?}"
            ),
        );
    }
    Ok(())
}
