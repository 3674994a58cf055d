//! The keys of an agent's table.
use quadrille_agents::open;
use quadrille_core::Life;

use crate::ask::settings;

/// The error of a table.
fn wrong(table: &str) -> String {
    open("it", &settings(table), &Life::new()).err().map(|it| it.to_string()).unwrap_or_default()
}

#[test]
fn a_key_that_a_kind_has_no_use_for_is_named() {
    let echo = "kind = \"echo\"\n";
    let openai = "kind = \"openai\"\nurl = \"http://127.0.0.1:1\"\nmodel = \"m\"\n";
    let agui = "kind = \"agui\"\nurl = \"http://127.0.0.1:1\"\n";
    let http = "kind = \"http\"\nurl = \"http://127.0.0.1:1\"\n";
    let keys = [
        ("url = \"http://127.0.0.1:1\"", vec![echo]),
        ("token = \"t\"", vec![echo]),
        ("model = \"m\"", vec![echo, agui, http]),
        ("system = \"s\"", vec![echo, agui, http]),
        ("idle_timeout = \"1m\"", vec![echo, openai, agui, http]),
        ("max_idle = 1", vec![echo, openai, agui, http]),
        ("window = 1", vec![echo, http]),
        ("body = { a = 1 }", vec![echo]),
        ("content = \"text\"", vec![echo, openai, http]),
        ("message_field = \"m\"", vec![echo, openai, agui]),
        ("user_field = \"u\"", vec![echo, openai, agui]),
        ("session_field = \"s\"", vec![echo, openai, agui]),
        ("token_field = \"t\"", vec![echo, openai, agui]),
        ("reply_field = \"r\"", vec![echo, openai, agui]),
    ];
    for (line, without_use) in keys {
        let key = line.split(' ').next().unwrap_or_default();
        for table in [echo, openai, agui, http] {
            let wrong = wrong(&if table.contains(&format!("\n{key} = ")) {
                table.to_owned()
            } else {
                format!("{table}{line}")
            });
            let named = wrong.starts_with(&format!("agents.it.{key}: expected none, because kind"));
            assert_eq!(named, without_use.contains(&table), "{table}{line}: {wrong:?}");
            assert!(named || wrong.is_empty(), "{table}{line}: {wrong:?}");
        }
    }
}

#[test]
fn what_cannot_be_used_is_named() {
    let address = "url = \"http://127.0.0.1:1\"";
    let tables = [
        ("openai", "model = \"m\"", "agents.it.url: expected an address"),
        ("openai", "model = \"m\"\nurl = \"ws://127.0.0.1\"", "agents.it.url: expected an address"),
        ("http", "url = \"http://a:b@127.0.0.1\"", "agents.it.url: expected no name and password"),
        ("openai", address, "agents.it.model: expected the name"),
        ("agui", &format!("{address}\nwindow = 101"), "agents.it.window: expected at most 100"),
        (
            "agui",
            &format!("{address}\nbody = {{ runId = 1 }}"),
            "agents.it.body.runId: expected none",
        ),
        (
            "openai",
            &format!("{address}\nmodel = \"m\"\nbody = {{ messages = [] }}"),
            "agents.it.body.messages: expected none",
        ),
        (
            "http",
            &format!("{address}\nmessage_field = \"q\"\nbody = {{ q = 1 }}"),
            "agents.it.body.q: expected none",
        ),
        ("http", &format!("{address}\nmessage_field = \"\""), "agents.it.message_field: expected"),
        ("http", &format!("{address}\nreply_field = \"\""), "agents.it.reply_field: expected"),
        (
            "http",
            &format!("{address}\ntoken = \"a\\nb\""),
            "agents.it.token: expected no line break",
        ),
        (
            "http",
            &format!("{address}\nconnect_timeout = \"0s\""),
            "agents.it.connect_timeout: expected",
        ),
    ];
    for (kind, lines, expected) in tables {
        let wrong = wrong(&format!("kind = \"{kind}\"\n{lines}"));
        assert!(wrong.starts_with(expected), "{kind}, {lines}: {wrong:?}");
    }
}

#[test]
fn a_printed_table_can_be_read_again() {
    let table = "kind = \"http\"\nurl = \"http://127.0.0.1:1\"\nuser_field = \"\"\n\
                 body = { stream = false, deep = { a = [1, 0.5, \"b\"] } }";
    let given = settings(table);
    let printed = toml::to_string(&given).expect("it can be written");
    assert_eq!(settings(&printed), given, "{printed}");
    let secret = settings(&(printed + "\n").replace("url =", "token = \"sk-1\"\nurl ="));
    let printed = toml::to_string(&secret).expect("it can be written");
    assert!(!printed.contains("sk-1") && !format!("{secret:?}").contains("sk-1"), "{printed}");
}
