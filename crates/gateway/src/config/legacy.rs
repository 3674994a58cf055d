//! Translates the configuration of the program that workflows replace into our keys.
//!
//! Each key with a counterpart becomes a layer that is named after it, so that errors name the key in
//! the file.
use std::path::Path;

use figment::value::{Dict, Value};

use super::{Error, layer::Layer};

/// Its sections; none of ours has such a name.
const SECTIONS: [&str; 8] =
    ["api", "app", "chat_workflows", "excel", "file", "logging", "normalization", "sql"];

/// The legacy part of a file.
pub(super) struct Translated {
    pub(super) layers: Vec<Layer>,
    /// Keys without a counterpart.
    pub(super) ignored: Vec<String>,
}

/// A legacy key, its counterpart, and the conversion of its value; `None` if the value is invalid.
struct KeyMapping {
    theirs: &'static str,
    ours: &'static str,
    expected: &'static str,
    value: fn(&Value) -> Option<Value>,
}

const fn key(
    theirs: &'static str,
    ours: &'static str,
    expected: &'static str,
    value: fn(&Value) -> Option<Value>,
) -> KeyMapping {
    KeyMapping { theirs, ours, expected, value }
}

/// Later entries win: of the two limits on uploads, the original applied the second.
const KEYS: [KeyMapping; 11] = [
    key("chat_workflows.enabled", "workflows.enabled", "true or false", truth),
    key("chat_workflows.max_connections", "workflows.max_connections", COUNT, count),
    key("chat_workflows.websocket.ping_interval", "workflows.ping_interval", SECONDS, seconds),
    key("chat_workflows.websocket.ping_timeout", "workflows.ping_timeout", SECONDS, seconds),
    key("chat_workflows.storage.workflows_path", "files.url", "the path of a folder", folder),
    key("chat_workflows.storage.sqlite_path", "store.url", "the path of a file", database),
    key("chat_workflows.execution.max_steps", "workflows.max_steps", COUNT, count),
    key("chat_workflows.file.max_upload_size_mb", "files.max_upload_size", COUNT, mebibytes),
    key("file.max_file_size_mb", "files.max_upload_size", COUNT, mebibytes),
    key("normalization.backup_original", "workflows.backup_original", "true or false", truth),
    key("logging.level", "log.level", "DEBUG, INFO, WARNING, ERROR or CRITICAL", level),
];

const COUNT: &str = "a whole number from 1 up";
const SECONDS: &str = "whole seconds from 0 up";

/// Keys of its listeners, with the default port.
const HTTP: ListenKeys = ListenKeys { host: "app.host", port: "app.port", default: 5050 };
const SOCKET: ListenKeys = ListenKeys {
    host: "chat_workflows.websocket.host",
    port: "chat_workflows.websocket.port",
    default: 5051,
};

/// Default limit of connections.
const CONNECTIONS: u16 = 10;

struct ListenKeys {
    host: &'static str,
    port: &'static str,
    default: u16,
}

/// Removes the legacy sections from `values`, and translates them.
pub(super) fn translate(file: &str, values: &mut Dict) -> Result<Translated, Error> {
    let mut translated = Translated { layers: Vec::new(), ignored: Vec::new() };
    if !["app", "chat_workflows"].iter().any(|section| values.contains_key(*section)) {
        return Ok(translated);
    }
    let theirs: Dict =
        SECTIONS.iter().filter_map(|section| values.remove_entry(*section)).collect();
    for (name, section) in &theirs {
        unknown_keys(file, name, section, &mut translated.ignored)?;
    }
    let theirs = Value::from(theirs);
    let mut add = |names: &[&str], ours: &str, value: Value| {
        let values = figment::util::nest(ours, value).into_dict().expect("a key has a section");
        let name = format!("{file}: {}", names.join(", "));
        translated.layers.push(Layer { name, values });
    };
    let mut listen = vec![HTTP.address(file, &theirs)?];
    if theirs.find_ref("chat_workflows").is_some() {
        let enabled = theirs.find_ref("chat_workflows.enabled").and_then(Value::to_bool);
        if enabled != Some(false) {
            listen.push(SOCKET.address(file, &theirs)?);
        }
        add(&["chat_workflows"], "workflows.max_connections", CONNECTIONS.into());
    }
    add(&["app", "chat_workflows.websocket"], "server.listen", listen.into());
    for KeyMapping { theirs: name, ours, expected, value } in KEYS {
        if let Some(given) = theirs.find_ref(name) {
            let value = value(given).ok_or_else(|| Error::found(file, name, expected, given))?;
            add(&[name], ours, value);
        }
    }
    Ok(translated)
}

/// Collects the keys in `value` without a counterpart, or the section as a whole if none has one.
fn unknown_keys(
    file: &str,
    path: &str,
    value: &Value,
    ignored: &mut Vec<String>,
) -> Result<(), Error> {
    let places = [HTTP, SOCKET].into_iter().flat_map(|place| [place.host, place.port]);
    let mut known = KEYS.iter().map(|mapping| mapping.theirs).chain(places);
    let within = |key: &str| key.strip_prefix(path).map(|tail| tail.starts_with('.'));
    match known.find_map(within) {
        Some(false) => {}
        Some(true) => {
            let table = value.as_dict();
            let table = table.ok_or_else(|| Error::found(file, path, "a table", value))?;
            for (name, value) in table {
                unknown_keys(file, &format!("{path}.{name}"), value, ignored)?;
            }
        }
        None => ignored.push(path.to_owned()),
    }
    Ok(())
}

// === impl ListenKeys ===

impl ListenKeys {
    fn address(&self, file: &str, theirs: &Value) -> Result<Value, Error> {
        let host = match theirs.find_ref(self.host) {
            None => "127.0.0.1".to_owned(),
            Some(given) => ip(given).ok_or_else(|| {
                let expected = "an IP address as in \"127.0.0.1\", or \"localhost\"";
                Error::found(file, self.host, expected, given)
            })?,
        };
        let port = match theirs.find_ref(self.port) {
            None => self.default,
            Some(given) => port(given)
                .ok_or_else(|| Error::found(file, self.port, "a port, from 0 to 65535", given))?,
        };
        Ok(format!("{host}:{port}").into())
    }
}

/// Formats an IP address for use before a port.
fn ip(given: &Value) -> Option<String> {
    let name = given.as_str()?;
    if name == "localhost" {
        return Some("127.0.0.1".to_owned());
    }
    let ip: std::net::IpAddr = name.parse().ok()?;
    Some(if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() })
}

fn port(given: &Value) -> Option<u16> {
    given.to_u128()?.try_into().ok()
}

// === Conversions of values ===

fn truth(given: &Value) -> Option<Value> {
    given.to_bool().map(Value::from)
}

/// Rejects 0, which never meant "no limit".
fn count(given: &Value) -> Option<Value> {
    let number = u32::try_from(given.to_u128()?).ok()?;
    (number > 0).then(|| number.into())
}

fn mebibytes(given: &Value) -> Option<Value> {
    let number = u32::try_from(given.to_u128()?).ok()?;
    (number > 0).then(|| (u64::from(number) << 20).into())
}

fn seconds(given: &Value) -> Option<Value> {
    let number = u32::try_from(given.to_u128()?).ok()?;
    Some(format!("{number}s").into())
}

fn folder(given: &Value) -> Option<Value> {
    let path = given.as_str().filter(|path| !path.is_empty())?;
    Some(format!("file://{path}").into())
}

/// Puts our database beside the original's, which has other tables.
fn database(given: &Value) -> Option<Value> {
    let path = given.as_str().filter(|path| !path.is_empty())?;
    let path = Path::new(path).with_file_name("quadrille.db");
    Some(format!("sqlite://{}", path.display()).into())
}

fn level(given: &Value) -> Option<Value> {
    let level = match given.as_str()?.to_ascii_uppercase().as_str() {
        "DEBUG" => "debug",
        "INFO" => "info",
        "WARNING" => "warn",
        "ERROR" | "CRITICAL" => "error",
        _ => return None,
    };
    Some(level.into())
}
