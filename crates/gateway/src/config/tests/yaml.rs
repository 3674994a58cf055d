//! A file in YAML, and one with the keys of the original.
use std::{path::PathBuf, time::Duration};

use super::super::{Config, source::ConfigFile};
use crate::config::Sources;

fn load(text: &str) -> Result<(Config, Sources), String> {
    let file = ConfigFile { name: "application.yml".to_owned(), text: text.to_owned() };
    Config::of(Some(file), &[]).map_err(|err| err.to_string())
}

fn error_in(text: &str) -> String {
    let line = load(text).unwrap_err();
    line.strip_prefix("application.yml").unwrap_or_else(|| panic!("{line}")).to_owned()
}

#[test]
fn yaml_says_what_toml_does() {
    let text = "\
        # As in the reference.\n\
        server:\n  listen: [\"127.0.0.1:1\", \"[::1]:2\"]\n  grace: 3s\n\
        limits:\n  topics: 7\n\
        topics:\n  chan:\n    presence: false\n\
        broker:\n\
        log:\n  level:\n";
    let mut expected = Config::default();
    expected.server.listen = vec!["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()];
    expected.server.grace = Duration::from_secs(3);
    expected.limits.topics = 7;
    expected.topics.0.get_mut("chan").unwrap().presence = false;
    assert_eq!(load(text).unwrap().0, expected);
    for nothing in ["", "# nothing\n", "---\n", "~"] {
        assert_eq!(load(nothing).unwrap().0, Config::default(), "{nothing:?}");
    }
}

#[test]
fn what_is_wrong_in_yaml_is_named_with_its_key_or_its_line() {
    let cases = [
        (
            "server:\n  listn: []",
            ": server.listn: unknown key, expected one of listen, origins, \
          hosts, trusted_proxies, public_url, base_path, header_timeout, idle_timeout, \
          drain_delay, drain_window, grace, tls",
        ),
        (
            "limits:\n  topics: many",
            ": limits.topics: expected a whole number from 0 up, found \"many\"",
        ),
        ("limits:\n  topics: -1", ": limits.topics: expected a whole number from 0 up, found -1"),
        (
            "file:\n  url: x",
            ": file: unknown key, expected one of server, auth, limits, topics, \
          agents, relay, rooms, workflows, broker, store, turns, files, log, otel",
        ),
        ("- a", ":1:1: expected a table of sections, found something else"),
        ("log:\n  1: a", ": log: expected texts as keys, found something else"),
        (
            "log:\n  level: !env a",
            ": log.level: expected no tag; put quotes around a text that begins with \"!\"",
        ),
        ("auth:\n  jwt:\n    secret: [geheim]", ": auth.jwt.secret: expected a text, found a list"),
        (
            "log:\n\tlevel: info",
            ":2:1: found character that cannot start any token, while scanning for the next token",
        ),
        (
            "log: {level: a",
            ":2:1: did not find expected ',' or '}', while parsing a flow mapping \
          at line 1 column 6",
        ),
        ("log: {}\nlog: {}", ":1:1: duplicate entry with key \"log\""),
    ];
    for (text, expected) in cases {
        assert_eq!(error_in(text), expected, "{text}");
    }
}

#[test]
fn the_keys_of_the_original_are_understood() {
    let text = "\
        app:\n  name: x\n  debug: true\n  host: localhost\n  port: 5000\n\
        api:\n  version: v1\n\
        file:\n  max_file_size_mb: 50\n  allowed_extensions: [\".csv\"]\n\
        normalization:\n  backup_original: false\n\
        logging:\n  level: WARNING\n\
        chat_workflows:\n  enabled: true\n  max_connections: 12\n\
        \x20 websocket:\n    host: \"::1\"\n    port: 5061\n    ping_interval: 31\n    \
            ping_timeout: 11\n\
        \x20 storage:\n    workflows_path: ./automation/workflows\n    dumps_path: ./dumps\n    \
            sqlite_path: ./automation/sqlite/chat.db\n\
        \x20 partition:\n    enabled: true\n    strategy: time-based\n\
        \x20 file:\n    max_upload_size_mb: 40\n\
        \x20 execution:\n    max_steps: 49\n    stream_progress: true\n\
        auth:\n  allow_open: true\n";
    let (config, sources) = load(text).unwrap();
    let mut expected = Config::default();
    expected.server.listen = vec!["127.0.0.1:5000".parse().unwrap(), "[::1]:5061".parse().unwrap()];
    expected.files.max_upload_size = 50 << 20;
    expected.files.url = "file://./automation/workflows".to_owned();
    expected.store.url = "sqlite://./automation/sqlite/quadrille.db".to_owned();
    expected.workflows.backup_original = false;
    expected.workflows.max_connections = 12;
    expected.workflows.ping_interval = Duration::from_secs(31);
    expected.workflows.ping_timeout = Duration::from_secs(11);
    expected.workflows.max_steps = 49;
    expected.log.level = "warn".to_owned();
    expected.auth.allow_open = true;
    assert_eq!(config, expected);
    let ignored = [
        "api",
        "app.debug",
        "app.name",
        "chat_workflows.execution.stream_progress",
        "chat_workflows.partition",
        "chat_workflows.storage.dumps_path",
        "file.allowed_extensions",
    ];
    assert_eq!(sources.ignored(), ignored);
}

#[test]
fn what_the_original_was_not_told_is_as_it_was_there() {
    let (config, _) = load("chat_workflows:\n  max_connections: 3\n").unwrap();
    let both = ["127.0.0.1:5050", "127.0.0.1:5051"].map(|address| address.parse().unwrap());
    assert_eq!((config.server.listen.as_slice(), config.workflows.max_connections), (&both[..], 3));
    let (config, _) = load("chat_workflows:\n  websocket: {port: 5051}\n").unwrap();
    assert_eq!(config.workflows.max_connections, 10);
    let (config, _) = load("chat_workflows:\n  enabled: false\n").unwrap();
    assert_eq!((config.server.listen.len(), config.workflows.enabled), (1, false));
    let (config, _) = load("app: {port: 1}\n").unwrap();
    assert_eq!(config.server.listen, ["127.0.0.1:1".parse().unwrap()]);
    // Our own keys have the last word.
    let own = "app: {port: 1}\nserver: {listen: [\"127.0.0.1:2\"]}\n";
    assert_eq!(load(own).unwrap().0.server.listen, ["127.0.0.1:2".parse().unwrap()]);
}

#[test]
fn what_is_wrong_with_a_key_of_the_original_names_that_key() {
    let cases = [
        ("chat_workflows: 1", ": chat_workflows: expected a table, found 1"),
        (
            "chat_workflows: {max_connections: many}",
            ": chat_workflows.max_connections: expected a whole number from 1 up, found \"many\"",
        ),
        (
            "chat_workflows: {max_connections: 0}",
            ": chat_workflows.max_connections: expected a whole number from 1 up, found 0",
        ),
        (
            "chat_workflows: {websocket: {port: 70000}}",
            ": chat_workflows.websocket.port: expected a port, from 0 to 65535, found 70000",
        ),
        (
            "chat_workflows: {websocket: {ping_interval: 30s}}",
            ": chat_workflows.websocket.ping_interval: expected whole seconds from 0 up, found \
          \"30s\"",
        ),
        (
            "app: {host: example.com}",
            ": app.host: expected an IP address as in \"127.0.0.1\", or \
          \"localhost\", found \"example.com\"",
        ),
        (
            "app: {}\nfile: {max_file_size_mb: -1}",
            ": file.max_file_size_mb: expected a whole number from 1 up, found -1",
        ),
        (
            "app: {}\nnormalization: {backup_original: maybe}",
            ": normalization.backup_original: expected true or false, found \"maybe\"",
        ),
        (
            "app: {}\nlogging: {level: LOUD}",
            ": logging.level: expected DEBUG, INFO, WARNING, \
          ERROR or CRITICAL, found \"LOUD\"",
        ),
        (
            "chat_workflows: {websocket: {ping_timeout: 0}}",
            ": chat_workflows.websocket.ping_timeout: workflows.ping_timeout: expected more than \
          zero, as in \"10s\", or workflows.ping_interval = \"0s\" for no pings",
        ),
        (
            "app: {host: 0.0.0.0}",
            ": app, chat_workflows.websocket: server.listen: 0.0.0.0:5050 \
          lets other machines in without sign-in; expected a loopback address, or \
          auth.allow_open = true",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(error_in(text), expected, "{text}");
    }
}

#[test]
fn the_name_of_a_file_says_what_it_is() {
    let folder = std::env::temp_dir();
    for (ending, good) in [("yaml", true), ("YML", true), ("toml", false)] {
        let name = format!("quadrille-named-{}.{ending}", std::process::id());
        let path: PathBuf = folder.join(name);
        std::fs::write(&path, "limits: {topics: 5}").unwrap();
        let loaded = Config::load(Some(&path), &[]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(loaded.is_ok(), good, "{ending}");
    }
}
