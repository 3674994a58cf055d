//! Targets of `cargo xtask fuzz` for configurations; the tests replay their seeds.
use std::sync::LazyLock;

use metrics_exporter_prometheus::PrometheusBuilder;
use quadrille_core::{Life, Shares, Turns};
use quadrille_edge::Core;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::{Config, Error, source::ConfigFile};
use crate::{
    app::{self, Protocols, routes},
    ops,
};

const TOML: &str = "file.toml";
const YAML: &str = "file.yml";

/// Holds tasks that are never polled.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));

static CORE: LazyLock<Core> = LazyLock::new(|| {
    let _inside = RUNTIME.enter();
    let (config, sources) = Config::of(None, &[]).expect("the defaults");
    app::core(&config, &sources, Life::new()).expect("the defaults")
});

/// A configuration either can be served, printed and loaded again, or is refused in one line that
/// names source and key, and repeats no secret. Lines that begin with `QUADRILLE_` are variables, the
/// others are the file.
pub fn config(data: &[u8]) {
    read(TOML, data);
}

/// [`config`] for a file in YAML.
pub fn yaml(data: &[u8]) {
    read(YAML, data);
}

fn read(name: &str, data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let is_variable = |line: &&str| line.starts_with("QUADRILLE_") && line.contains('=');
    let (variables, lines): (Vec<_>, Vec<_>) = text.split('\n').partition(is_variable);
    let variables: Vec<(String, String)> = variables
        .into_iter()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let file = lines.join("\n");
    match load(name, &file, &variables) {
        Err(err) => refused(&err.to_string(), name, &file, &variables),
        Ok(config) => good(&config),
    }
}

fn load(name: &str, text: &str, variables: &[(String, String)]) -> Result<Config, Error> {
    let file = ConfigFile { name: name.to_owned(), text: text.to_owned() };
    let (config, sources) = Config::of(Some(file), variables)?;
    let _inside = RUNTIME.enter();
    let life = Life::new();
    let core = Core { life: life.clone(), turns: Turns::default(), ..CORE.clone() };
    let composed = app::compose(&core, &config, &sources);
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    let composed = composed.map(|all| all.with_desk(&core, &config, std::sync::Arc::new(())));
    // Ends the tasks that were started for it.
    life.drain();
    let Protocols { router, routes: mut listed, described, .. } = composed?;
    // Two routes at one path would be a panic.
    listed.extend(routes::of_api());
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let operations =
        ops::router(metrics, Shares::default(), CancellationToken::new(), || None, &listed);
    drop(app::join(&core, operations, (router, described)));
    Ok(config)
}

fn good(config: &Config) {
    let level = &config.log.level;
    assert!(EnvFilter::try_new(level).is_ok(), "a level that is none: {level:?}");
    if config.auth.jwt.secrets().next().is_none() {
        let printed = config.to_toml();
        assert_eq!(load(TOML, &printed, &[]).as_ref(), Ok(config), "{printed}");
    }
}

fn refused(err: &str, name: &str, file: &str, variables: &[(String, String)]) {
    assert_eq!(err.lines().count(), 1, "{err:?}");
    let names = variables.iter().map(|(name, _)| name.as_str()).chain([name, "configuration"]);
    let said = |name| {
        let (key, rest) = err.strip_prefix(name)?.strip_prefix(':')?.split_once(": ")?;
        Some(!key.trim().is_empty() && !rest.trim().is_empty())
    };
    assert!(names.filter_map(said).any(|named| named), "neither key nor place: {err:?}");
    for secret in secrets(name, file) {
        assert!(!err.contains(&secret), "a secret is told: {err:?}");
    }
}

/// Secrets of a file that occur in it only once.
fn secrets(name: &str, file: &str) -> Vec<String> {
    let read: Option<Value> =
        if name == TOML { toml::from_str(file).ok() } else { yaml_serde::from_str(file).ok() };
    let mut found = Vec::new();
    for key in ["secret", "secrets"] {
        if let Some(given) = read.as_ref().and_then(|value| value["auth"]["jwt"].get(key)) {
            leaves(given, &mut found);
        }
    }
    found.retain(|text: &String| text.len() >= 8 && file.matches(text.as_str()).count() == 1);
    found
}

fn leaves(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|value| leaves(value, into)),
        Value::Object(all) => all.values().for_each(|value| leaves(value, into)),
        Value::String(text) => into.push(text.clone()),
        other => into.push(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_seed_is_refused_without_a_reason_or_cannot_be_served() {
        crate::fuzz::replay::replay("config", config);
    }

    #[test]
    fn no_seed_in_yaml_is_refused_without_a_reason_or_cannot_be_served() {
        crate::fuzz::replay::replay("yaml", yaml);
    }
}
