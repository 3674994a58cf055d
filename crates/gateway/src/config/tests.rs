//! Every error is one line, asserted whole; every file in `config/` loads.
use std::{fs, path::PathBuf, time::Duration};

use super::Config;

#[cfg(feature = "workflows")]
mod yaml;

/// The error of `text` as the only file.
fn error_in(text: &str) -> String {
    let line = load(text, &[]).unwrap_err();
    line.strip_prefix(file().to_str().unwrap()).unwrap().to_owned()
}

/// The error of one variable.
fn error_of(name: &str, value: &str) -> String {
    load("", &[(name, value)]).unwrap_err()
}

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let path = file();
    fs::write(&path, text).unwrap();
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let loaded = Config::load(Some(&path), &environment);
    fs::remove_file(&path).unwrap();
    loaded.map(|(config, _)| config).map_err(|err| err.to_string())
}

/// A file for each test: they run at once.
fn file() -> PathBuf {
    let thread = std::thread::current().id();
    std::env::temp_dir().join(format!("quadrille-{}-{thread:?}.toml", std::process::id()))
}

#[test]
fn the_reference_is_the_default() {
    assert_eq!(load(&Config::reference(), &[]), Ok(Config::default()));
    assert_eq!(load(&Config::default().to_toml(), &[]), Ok(Config::default()));
}

#[test]
fn every_file_that_ships_loads() {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config"));
    let mut names = Vec::new();
    for folder in [root.clone(), root.join("examples")] {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().extension().is_some_and(|extension| extension == "toml") {
                Config::load(Some(&entry.path()), &[]).unwrap();
                names.push(entry.file_name().into_string().unwrap());
            }
        }
    }
    names.sort();
    assert_eq!(names, ["broker.toml", "quadrille.toml", "relay.toml", "rooms.toml", "seeds.toml"]);
}

#[test]
fn a_variable_overrides_the_file_and_the_file_the_default() {
    let config = load(
        "[limits]\ntopics = 5\nconnections = 6\n[topics.chan]\nkeep = \"1h\"",
        &[
            ("QUADRILLE_LIMITS__TOPICS", "7"),
            ("QUADRILLE_AUTH__ALLOW_OPEN", "true"),
            ("QUADRILLE_TOPICS__CHAN__EVENTS", "8"),
            ("QUADRILLE_SERVER__LISTEN", r#"["0.0.0.0:1", "[::1]:2"]"#),
            ("QUADRILLE_SERVER__ORIGINS", "https://a.example"),
            ("QUADRILLE_LOG__LEVEL", "off"),
            ("OTHER_LIMITS__TOPICS", "9"),
        ],
    );
    let mut expected = Config::default();
    expected.limits.topics = 7;
    expected.limits.connections = 6;
    expected.auth.allow_open = true;
    expected.server.listen = vec!["0.0.0.0:1".parse().unwrap(), "[::1]:2".parse().unwrap()];
    expected.server.origins = vec!["https://a.example".into()];
    expected.log.level = "off".into();
    let chan = expected.topics.0.get_mut("chan").unwrap();
    (chan.events, chan.keep) = (8, Duration::from_hours(1));
    assert_eq!(config.as_ref(), Ok(&expected));
    assert_eq!(load(&expected.to_toml(), &[]), config, "what is printed can be loaded again");
}

#[test]
fn secrets_are_printed_as_comments_and_the_rest_can_be_loaded_again() {
    let secret = "correct horse battery staple and more";
    let text = format!(
        "[auth]\nmode = \"jwt\"\n[auth.jwt]\nsecret = \"{secret}\"\nsecrets = [\"{secret}\"]\n\
         audience = \"gateway\"\nkeys = [{{ file = \"x.pem\", algorithm = \"EdDSA\" }}]"
    );
    let config = load(&text, &[]).unwrap();
    assert_eq!(config.auth.jwt.secrets().count(), 2);
    assert!(!format!("{config:?}").contains("horse"));
    let printed = config.to_toml();
    assert!(!printed.contains("horse") && printed.contains("# secret = "), "{printed}");
    let secrets = [
        ("QUADRILLE_AUTH__JWT__SECRET", secret),
        ("QUADRILLE_AUTH__JWT__SECRETS", r#"["correct horse battery staple and more"]"#),
    ];
    assert_eq!(load(&printed, &secrets), Ok(config));
}

#[test]
fn a_key_in_place_of_its_file_is_refused_and_not_repeated() {
    let pem = "-----BEGIN PRIVATE KEY-----\nZ2VoZWlt\n-----END PRIVATE KEY-----\n";
    let tls = [("QUADRILLE_SERVER__LISTEN", "https://127.0.0.1:443")];
    let [key, certificate] = ["QUADRILLE_SERVER__TLS__KEY", "QUADRILLE_SERVER__TLS__CERTIFICATE"];
    let expected = "expected the path of a file in PEM, found what is in one";
    let err = load("", &[tls[0], (key, pem), (certificate, "a.pem")]).unwrap_err();
    assert_eq!(err, format!("{key}: server.tls.key: {expected}"));
    let err = load("", &[tls[0], (key, "a.pem"), (certificate, pem)]).unwrap_err();
    assert_eq!(err, format!("{certificate}: server.tls.certificate: {expected}"));
    let keys = format!("auth.jwt.keys = [{{ file = {pem:?}, algorithm = \"EdDSA\" }}]");
    assert_eq!(error_in(&keys), format!(": auth.jwt.keys: {expected}"));
}

#[test]
fn what_kubernetes_sets_beside_a_service_is_none_of_ours() {
    let set = [("QUADRILLE_PORT", "tcp://10.0.0.1:80"), ("QUADRILLE_SERVICE_HOST", "10.0.0.1")];
    assert_eq!(load("", &set), Ok(Config::default()));
}

#[test]
fn a_wrong_file_is_named_with_the_key_and_what_was_expected() {
    let cases = [
        ("[server]\nlisten = [", ":2:11: unclosed array, expected `]`"),
        ("[log]\nlevel = \"a\"\nlevel = \"b\"", ":3:1: duplicate key"),
        (
            "servre.x = 1",
            ": servre: unknown key, expected one of server, auth, limits, topics, agents, relay, \
             rooms, workflows, broker, store, turns, files, log, otel",
        ),
        ("server = 1", ": server: expected a table, found 1"),
        (
            "server.listen = \"127.0.0.1:80\"",
            ": server.listen: expected a list such as [\"…\", \"…\"], found \"127.0.0.1:80\"",
        ),
        (
            "server.listen = [\"localhost:80\"]",
            ": server.listen.0: expected IP:PORT as in 127.0.0.1:8080, https://IP:PORT, or \
             unix:/PATH, found \"localhost:80\"",
        ),
        ("server.listen = []", ": server.listen: expected at least one IP:PORT, found none"),
        (
            "server.listen = [\"127.0.0.1:80\", \"0.0.0.0:80\"]",
            ": server.listen: 0.0.0.0:80 lets other machines in without sign-in; expected a \
             loopback address, or auth.allow_open = true",
        ),
        (
            "server.origins = [\"example.com\"]",
            ": server.origins: `example.com` is not an origin; write scheme and host, as in \
             https://chat.example.com, or `*`",
        ),
        (
            "server.grace = 5",
            ": server.grace: expected a duration such as \"10s\" or \"300ms\", found 5",
        ),
        ("server.grace = \"9000years\"", ": server.grace: expected at most \"365days\""),
        (
            "server.header_timeout = \"0s\"",
            ": server.header_timeout: expected more than zero, as in \"10s\"",
        ),
        ("auth.allow_open = 1", ": auth.allow_open: expected true or false, found 1"),
        ("limits.topics = 1.5", ": limits.topics: expected a whole number from 0 up, found 1.5"),
        (
            "topics.rooom.events = 1",
            ": topics.rooom: unknown namespace, expected one of chan, chat, room, user",
        ),
        ("topics.room.events = 0", ": topics.room.events: expected 1 or more, found 0"),
        ("topics.room.bytes = 0", ": topics.room.bytes: expected 1 or more, found 0"),
        (
            "topics.room.on_slow = \"wait\"",
            ": topics.room.on_slow: expected one of skip, coalesce, disconnect, found \"wait\"",
        ),
        ("agents.default = \"ghost\"", ": agents.default: expected one of echo, found \"ghost\""),
        ("agents.max_running = 0", ": agents.max_running: expected 1 or more, found 0"),
        ("agents.defualt = \"echo\"", ": agents.defualt: expected a table, found \"echo\""),
        (
            "agents.cat.kind = \"dog\"",
            ": agents.cat.kind: expected one of cheshire-cat, agui, openai, http, echo, found \
             \"dog\"",
        ),
        (
            "agents.echo.total_timeout = \"0s\"",
            ": agents.echo.total_timeout: expected more than zero and at most \"365days\"",
        ),
        ("store.max_connections = 0", ": store.max_connections: expected a number from 1 to 1000"),
        ("files.max_upload_size = 0", ": files.max_upload_size: expected 1 or more, found 0"),
        ("relay.max_body_size = 0", ": relay.max_body_size: expected 1 or more, found 0"),
        (
            "log.level = \"a[b=info\"",
            ": log.level: expected off, error, warn, info, debug or trace, and MODULE=LEVEL after \
             a comma, found \"a[b=info\"",
        ),
        (
            "log.level = \"inf\"",
            ": log.level: expected off, error, warn, info, debug or trace, and MODULE=LEVEL after \
             a comma, found \"inf\"",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(error_in(text), expected, "{text}");
    }
}

#[test]
fn the_password_of_a_database_is_in_no_message() {
    let cases = [
        ("store = \"u:geheim@h\"", ": store: expected a table, found a text"),
        ("files = \"u:geheim@h\"", ": files: expected a table, found a text"),
        (
            "store.url = \"mysql://u:geheim@h/d\"",
            ": store.url: expected sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE",
        ),
        (
            "store.url = \"sqlite://\"",
            ": store.url: expected the path of a file after sqlite://, without parameters",
        ),
        (
            "files.url = \"ftp://u:geheim@h\"",
            ": files.url: expected file://PATH, s3://…, gs://… or az://…",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(error_in(text), expected, "{text}");
    }
}

#[test]
#[cfg(not(feature = "postgres"))]
fn a_database_of_what_was_not_compiled_in_says_how_to_get_it() {
    let error = error_in("store.url = \"postgres://u:geheim@h/d\"");
    let expected = ": store.url: this build has no `postgres`; rebuild with --features postgres";
    assert_eq!(error, expected);
}

#[test]
#[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
fn the_password_of_a_database_is_printed_as_a_comment() {
    let mut config = Config::default();
    config.store.url = "postgres://u:geheim@h/d".to_owned();
    let printed = config.to_toml();
    assert!(!printed.contains("geheim") && printed.contains("# url = "), "{printed}");
    assert!(!format!("{config:?}").contains("geheim"));
    assert_eq!(load(&printed, &[]), Ok(Config::default()));
}

#[test]
#[cfg(feature = "rooms")]
fn a_lost_connection_is_not_waited_for_longer_than_ten_minutes() {
    assert_eq!(load("rooms.recovery = \"10m\"", &[]).map(drop), Ok(()));
    let expected = ": rooms.recovery: expected at most \"10m\"";
    assert_eq!(error_in("rooms.recovery = \"11m\""), expected);
}

#[test]
fn what_is_wrong_with_keys_is_said_without_repeating_them() {
    let cases = [
        ("auth.mode = \"jtw\"", ": auth.mode: expected one of open, jwt, found \"jtw\""),
        ("auth = \"geheim\"", ": auth: expected a table, found a text"),
        ("auth.jwt = \"geheim\"", ": auth.jwt: expected a table, found a text"),
        ("auth.mode = 1", ": auth.mode: expected a string, found 1"),
        (
            "auth.jwt.secret = \"geheim\"",
            ": auth.jwt.secret: expected at least 32 bytes, found 6; auth.jwt.allow_short_secret = true takes it",
        ),
        (
            "auth.jwt.secret = 1234567",
            ": auth.jwt.secret: expected at least 32 bytes, found 7; auth.jwt.allow_short_secret = true takes it",
        ),
        ("auth.jwt.secret = [\"geheim\"]", ": auth.jwt.secret: expected a text, found a list"),
        (
            "auth.jwt.secrets = \"geheim\"",
            ": auth.jwt.secrets: expected at least 32 bytes, found 6; auth.jwt.allow_short_secret = true takes it",
        ),
        (
            "auth.jwt.secrets = \"[geheim\"",
            ": auth.jwt.secrets: expected a list such as [\"…\", \"…\"], in JSON",
        ),
        (
            "auth.jwt.secrets = [[\"geheim\"]]",
            ": auth.jwt.secrets.0: expected a text, found a list",
        ),
        ("auth.jwt.leeway = \"2h\"", ": auth.jwt.leeway: expected at most \"1h\""),
        (
            "auth.jwt.keys = [{ file = \"x\", algorithm = \"none\" }]",
            ": auth.jwt.keys.0.algorithm: expected one of HS256, RS256, ES256, EdDSA, found \
             \"none\"",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(error_in(text), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_with_names_proxies_and_tls_is_said_in_the_same_way() {
    let cases = [
        (
            "server.hosts = [\"https://a.example\"]",
            ": server.hosts: expected names without port as in chat.example.com, found \
             \"https://a.example\"",
        ),
        (
            "server.trusted_proxies = [\"10.0.0.0/40\"]",
            ": server.trusted_proxies.0: expected a network as in 10.0.0.0/8, an address, or \
             \"unix\", found \"10.0.0.0/40\"",
        ),
        (
            "server.tls.key = \"key.pem\"",
            ": server.tls.key: expected an https://IP:PORT in server.listen, or no file",
        ),
        ("limits.http_connections = 0", ": limits.http_connections: expected 1 or more, found 0"),
    ];
    for (text, expected) in cases {
        assert_eq!(error_in(text), expected, "{text}");
    }
    let missing = load("server.listen = [\"https://127.0.0.1:443\"]", &[]).unwrap_err();
    let expected = "configuration: server.tls.certificate: expected a file in PEM, as an https:// \
                    address needs it, found none";
    assert_eq!(missing, expected);
}

#[test]
fn a_wrong_variable_is_named_with_the_key_and_what_was_expected() {
    let cases = [
        (
            "QUADRILLE_LIMITS__TOPICS",
            "many",
            "QUADRILLE_LIMITS__TOPICS: limits.topics: expected a whole number from 0 up, found \
             \"many\"",
        ),
        (
            "QUADRILLE_LIMITS__USER_SHARE",
            "half",
            "QUADRILLE_LIMITS__USER_SHARE: limits.user_share: expected a number such as 0.25, found \
             \"half\"",
        ),
        (
            "QUADRILLE_LIMITS__TOPIC",
            "1",
            "QUADRILLE_LIMITS__TOPIC: limits.topic: unknown key, expected one of connections, \
             connections_per_ip, http_connections, topics, input_bytes, output_bytes, log_bytes, user_share, \
             address_share, stranger_share, requests_per_second, \
             publishes_per_second, frames_per_second, bad_tokens_per_minute",
        ),
        (
            "QUADRILLE_LIMITS_TOPICS",
            "1",
            "QUADRILLE_LIMITS_TOPICS: limits.topics: expected the name QUADRILLE_LIMITS__TOPICS",
        ),
        (
            "QUADRILLE_LISTEN",
            "127.0.0.1:1",
            "QUADRILLE_LISTEN: server.listen: expected the name QUADRILLE_SERVER__LISTEN",
        ),
        (
            "QUADRILLE_AUTH_JWT_SECRT",
            "geheim",
            "QUADRILLE_AUTH_JWT_SECRT: auth.jwt.secret: expected the name \
             QUADRILLE_AUTH__JWT__SECRET",
        ),
        (
            "QUADRILLE_PORT",
            "8080",
            "QUADRILLE_PORT: server.listen: expected the name QUADRILLE_SERVER__LISTEN",
        ),
        (
            "QUADRILLE_SERVR__LISTEN",
            "127.0.0.1:1",
            "QUADRILLE_SERVR__LISTEN: servr: unknown key, expected one of server, auth, limits, \
             topics, agents, relay, rooms, workflows, broker, store, turns, files, log, otel",
        ),
        (
            "QUADRILLE___TOPICS",
            "1",
            "QUADRILLE___TOPICS: .topics: expected a name as in QUADRILLE_SERVER__LISTEN",
        ),
        (
            "QUADRILLE_LIMITS__",
            "1",
            "QUADRILLE_LIMITS__: limits.: expected a name as in QUADRILLE_SERVER__LISTEN",
        ),
        (
            "QUADRILLE_TOPICS__ROOOM__EVENTS",
            "1",
            "QUADRILLE_TOPICS__ROOOM__EVENTS: topics.rooom: unknown namespace, expected one of \
             chan, chat, room, user",
        ),
        (
            "QUADRILLE_SERVER__LISTEN",
            "[127.0.0.1:80]",
            "QUADRILLE_SERVER__LISTEN: server.listen: expected a list such as [\"…\", \"…\"], \
             found \"[127.0.0.1:80]\"",
        ),
    ];
    for (name, value, expected) in cases {
        assert_eq!(error_of(name, value), expected);
    }
}

#[test]
#[cfg(not(feature = "otel"))]
fn a_section_of_what_was_not_compiled_in_says_how_to_get_it() {
    let error = error_in("otel.endpoint = \"http://127.0.0.1:4318\"");
    assert_eq!(error, ": otel: this build has no `otel`; rebuild with --features otel");
}

#[test]
#[cfg(feature = "otel")]
fn a_collector_is_an_address_without_a_user() {
    for wrong in ["127.0.0.1:4318", "ftp://a", "http://u:p@a", "http://a/?b"] {
        let error = error_in(&format!("otel.endpoint = {wrong:?}"));
        let expected = ": otel.endpoint: expected the address of a collector, such as \
                        http://127.0.0.1:4318, without a user";
        assert_eq!(error, expected, "{wrong}");
    }
}

#[test]
fn a_file_that_was_named_has_to_exist() {
    let err = Config::load(Some("/nowhere/x.toml".as_ref()), &[]).unwrap_err().to_string();
    let expected = "/nowhere/x.toml: expected a readable configuration file: No such file or \
                    directory (os error 2)";
    assert_eq!(err, expected);
}
