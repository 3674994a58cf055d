//! The table of bounds in `docs/operations.md` has every bound of the configuration, with its default.
use std::{collections::BTreeMap, time::Duration};

use toml::{Table, Value};

use super::Config;

const DOCUMENT: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md"));

/// Sections whose keys are bounds, unless they are listed in [`OTHERS`].
const SECTIONS: &[&str] = &[
    "limits",
    "agents",
    "relay",
    "broker",
    "rooms",
    "workflows",
    "store",
    "files",
    "server",
    "topics",
    "turns",
];

/// Keys of these sections that bound nothing.
const OTHERS: &[&str] = &[
    "agents.*.kind",
    "agents.default",
    "agents.orphans",
    "broker.path",
    "broker.ping_interval",
    "files.url",
    "rooms.guests",
    "rooms.ping_interval",
    "server.base_path",
    "server.drain_delay",
    "server.drain_window",
    "server.grace",
    "server.hosts",
    "server.listen",
    "server.origins",
    "server.public_url",
    "server.tls.certificate",
    "server.tls.key",
    "server.trusted_proxies",
    "store.auto_migrate",
    "store.url",
    "topics.*.on_slow",
    "topics.*.presence",
    "workflows.agent",
    "workflows.backup_original",
    "workflows.enabled",
    "workflows.ping_interval",
    "workflows.scratch",
];

/// The default of each key, as the tables write it.
fn documented() -> BTreeMap<String, String> {
    let from = DOCUMENT.find("## Limits").expect("a chapter on limits");
    let chapter = DOCUMENT.get(from..).unwrap_or_default();
    let until = chapter.find("## Memory").expect("a chapter after it");
    let rows = chapter.get(..until).unwrap_or_default().lines();
    let cells = rows.filter_map(|row| {
        let mut cells = row.strip_prefix("| `")?.split('|').map(str::trim);
        let key = cells.next()?.strip_suffix('`')?;
        let key = if key.contains('.') { key.to_owned() } else { format!("limits.{key}") };
        Some((key, cells.next()?.to_owned()))
    });
    let all: Vec<_> = cells.collect();
    let map: BTreeMap<_, _> = all.iter().cloned().collect();
    assert_eq!(map.len(), all.len(), "a key has two rows");
    map
}

/// The default of each key, where `*` stands for any namespace and any agent.
fn configured() -> BTreeMap<String, Value> {
    let all: Table = toml::from_str(&Config::default().to_toml()).expect("TOML");
    let mut found = BTreeMap::new();
    for section in SECTIONS {
        collect(section, &all[*section], &mut found);
    }
    found
}

fn collect(path: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
    let Value::Table(table) = value else {
        into.insert(path.to_owned(), value.clone());
        return;
    };
    for (key, value) in table {
        let any = value.is_table() && matches!(path, "topics" | "agents");
        collect(&format!("{path}.{}", if any { "*" } else { key }), value, into);
    }
}

/// Whether `text`, such as `16 MiB` or `0: none`, is this default.
fn says(text: &str, value: &Value) -> bool {
    let text = text.split(':').next().unwrap_or_default().replace(',', "");
    let (number, unit) = text.split_once(' ').unwrap_or((&text, ""));
    match value {
        Value::Integer(value) => {
            let unit = match unit {
                "" | "bytes" => 1,
                "KiB" => 1 << 10,
                "MiB" => 1 << 20,
                "GiB" => 1 << 30,
                _ => return false,
            };
            number.parse::<i64>().is_ok_and(|number| number * unit == *value)
        }
        Value::Float(value) => unit.is_empty() && number.parse() == Ok(*value),
        Value::String(value) => {
            let said: Option<Duration> = humantime::parse_duration(&text).ok();
            said.is_some() && said == humantime::parse_duration(value).ok()
        }
        _ => false,
    }
}

#[test]
fn every_bound_is_in_the_table_with_its_default() {
    let (documented, configured) = (documented(), configured());
    for (key, value) in &configured {
        match (documented.get(key), OTHERS.contains(&key.as_str())) {
            (None, true) => {}
            (None, false) => panic!("add {key} to the table of bounds in docs/operations.md"),
            (Some(_), true) => panic!("{key} is a bound: take it out of OTHERS"),
            (Some(text), false) => {
                assert!(says(text, value), "{key} is {value}, and the table says {text:?}");
            }
        }
    }
    let stale = |key: &&str| !configured.contains_key(*key);
    let unknown: Vec<_> = documented.keys().map(String::as_str).filter(stale).collect();
    assert_eq!(unknown, [""; 0], "the table has keys that there are not");
    assert_eq!(OTHERS.iter().copied().filter(stale).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_default_is_read_as_it_is_written() {
    let good = [
        ("16,384", Value::Integer(16384)),
        ("1 GiB", Value::Integer(1 << 30)),
        ("200 bytes", Value::Integer(200)),
        ("0: none", Value::Integer(0)),
        ("0.25", Value::Float(0.25)),
        ("100 ms", Value::String("100ms".into())),
        ("1 day", Value::String("24h".into())),
    ];
    for (text, value) in good {
        assert!(says(text, &value), "{text}");
        assert!(!says("7 MiB", &value) && !says("7 s", &value) && !says("many", &value), "{text}");
    }
}
