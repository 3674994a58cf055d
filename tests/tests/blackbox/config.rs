//! Configuration mistakes end with 64 and one line that tells where, what, and what was expected.
use e2e::{Gateway, process::End, scratch::Scratch, token::JWT};

/// Runs with this file, and expects one line with all of these words in it.
async fn refused_file(text: &str, words: &[&str]) {
    let scratch = Scratch::new();
    let file = scratch.file("gateway.toml", text);
    for args in [["serve", "--config", &file], ["check-config", "--config", &file]] {
        let end = Gateway::run(&args, &[]).await;
        assert_refused(&end, &[&[file.as_str()], words].concat());
    }
}

async fn refused_variable(key: &str, value: &str, words: &[&str]) {
    let end = Gateway::run(&["serve"], &[(key, value)]).await;
    assert_refused(&end, words);
}

fn assert_refused(end: &End, words: &[&str]) {
    assert_eq!((end.code, end.stderr.len()), (Some(64), 1), "{end:#?}");
    let missing: Vec<_> = words.iter().filter(|word| !end.stderr[0].contains(**word)).collect();
    assert!(missing.is_empty(), "{missing:?} should be in {:?}", end.stderr[0]);
}

#[tokio::test]
async fn a_misspelt_key_in_a_file_is_named_with_those_there_are() {
    refused_file("[server]\nlistn = []\n", &["server", "listn", "listen"]).await;
    refused_file("[brokr]\npath = \"/x\"\n", &["brokr", "broker"]).await;
    refused_file("[topics.chan]\nevent = 3\n", &["topics.chan", "event", "events"]).await;
    refused_file("[topics.chn]\nevents = 3\n", &["topics.chn", "chan"]).await;
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_named_with_what_was_expected() {
    refused_file("[limits]\nconnections = \"many\"\n", &["limits.connections", "number"]).await;
    refused_file("[limits]\nconnections = -1\n", &["limits.connections", "number"]).await;
    refused_file("[broker]\nping_interval = 30\n", &["broker.ping_interval", "duration"]).await;
    refused_file("[topics.chan]\non_slow = \"wait\"\n", &["topics.chan.on_slow", "skip"]).await;
    refused_file("[server]\nlisten = [\"everywhere\"]\n", &["server.listen", "everywhere"]).await;
    refused_file("[log]\nlevel = \"loud\"\n", &["log.level", "debug"]).await;
    refused_file("server = 3\n", &["server", "table"]).await;
}

#[tokio::test]
async fn malformed_toml_is_named_with_its_line() {
    refused_file("[server]\n\nlisten = [\"127.0.0.1:0\"\n", &[":"]).await;
    refused_file("[server]\nlisten = = 3\n", &[":2"]).await;
    refused_file("[server]\n[server]\n", &[":2"]).await;
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let end = Gateway::run(&["serve", "--config", "/nowhere/gateway.toml"], &[]).await;
    assert_refused(&end, &["/nowhere/gateway.toml"]);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named() {
    let scratch = Scratch::new();
    let directory = scratch.path().display().to_string();
    let end = Gateway::run(&["serve", "--config", &directory], &[]).await;
    assert_refused(&end, &[&directory]);
}

#[tokio::test]
async fn a_misspelt_variable_is_named() {
    refused_variable("server.listn", "[]", &["QUADRILLE_SERVER__LISTN", "listen"]).await;
    refused_variable(
        "server_listen",
        "[]",
        &["QUADRILLE_SERVER_LISTEN", "QUADRILLE_SERVER__LISTEN"],
    )
    .await;
    refused_variable("brokr.path", "/ws", &["QUADRILLE_BROKR__PATH", "broker"]).await;
}

#[tokio::test]
async fn a_bad_value_in_a_variable_is_named() {
    let words = ["QUADRILLE_LIMITS__TOPICS", "limits.topics", "number"];
    refused_variable("limits.topics", "a few", &words).await;
    let words = ["QUADRILLE_BROKER__PING_INTERVAL", "broker.ping_interval", "duration"];
    refused_variable("broker.ping_interval", "soon", &words).await;
}

#[tokio::test]
async fn other_machines_are_not_let_in_without_sign_in_unless_told() {
    let words = ["QUADRILLE_SERVER__LISTEN", "server.listen", "auth.allow_open"];
    refused_variable("server.listen", "0.0.0.0:0", &words).await;
    refused_variable("server.listen", r#"["127.0.0.1:0", "[::]:0"]"#, &words).await;
    let settings = [("server.listen", "0.0.0.0:0"), ("auth.allow_open", "true")];
    let end = Gateway::run(&["check-config"], &settings).await;
    assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{end:#?}");
}

#[tokio::test]
async fn bad_usage_ends_with_64() {
    for args in [&["dance"][..], &["serve", "--colour"], &["serve", "--config"]] {
        let end = Gateway::run(args, &[]).await;
        assert_eq!(end.code, Some(64), "{args:?}: {end:#?}");
        assert!(!end.stderr.is_empty(), "{args:?}");
    }
}

#[tokio::test]
async fn check_config_says_what_would_be_served() {
    let end = Gateway::run(&["check-config"], &[("server.listen", "127.0.0.1:4711")]).await;
    assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{end:#?}");
    let said = end.stdout.join("\n");
    assert!(said.contains("127.0.0.1:4711") && said.contains("/ws"), "{said}");
    assert!(!said.contains("warning"), "{said}");
}

#[tokio::test]
async fn check_config_warns_of_addresses_that_begin_as_whoever_uploads_says() {
    let public = ("server.public_url", "https://chat.example");
    for (settings, warned) in [(&JWT[..], true), (&[JWT[0], JWT[1], public], false)] {
        let end = Gateway::run(&["check-config"], settings).await;
        assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{end:#?}");
        let said = end.stdout.join("\n");
        assert_eq!(
            said.contains("warning: ") && said.contains("server.public_url"),
            warned,
            "{said}"
        );
    }
}

#[tokio::test]
async fn variables_win_over_the_file_and_the_file_over_defaults() {
    let scratch = Scratch::new();
    let file = scratch.file("gateway.toml", "[limits]\ntopics = 7\nconnections = 8\n");
    let settings = [("limits.connections", "9")];
    let end = Gateway::run(&["print-config", "--config", &file], &settings).await;
    let has = |line: &str| end.stdout.iter().any(|printed| printed == line);
    let found = [has("topics = 7"), has("connections = 9"), has("connections_per_ip = 0")];
    assert_eq!(found, [true; 3], "{end:#?}");
}

#[tokio::test]
async fn the_printed_configuration_is_a_configuration() {
    for args in [&["print-config"][..], &["print-config", "--default"]] {
        let printed = Gateway::run(args, &[]).await;
        assert_eq!(printed.code, Some(0), "{printed:#?}");
        let scratch = Scratch::new();
        let file = scratch.file("printed.toml", &printed.stdout.join("\n"));
        let end = Gateway::run(&["check-config", "--config", &file], &[]).await;
        assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{end:#?}");
    }
}

#[tokio::test]
async fn an_agent_that_cannot_be_asked_is_named_with_its_key() {
    let cases = [
        ("kind = \"openai\"", "agents.a.url"),
        ("kind = \"cheshire-cat\"\nurl = \"ftp://a\"", "agents.a.url"),
        ("kind = \"cheshire-cat\"\nurl = \"ws://u:geheim@a\"", "agents.a.url"),
        ("kind = \"http\"\nurl = \"http://a/#top\"", "agents.a.url"),
        ("kind = \"openai\"\nurl = \"http://a\"", "agents.a.model"),
        ("kind = \"echo\"\nurl = \"http://a\"", "agents.a.url"),
        ("kind = \"echo\"\ntoken = \"geheim\"", "agents.a.token"),
        ("kind = \"echo\"\nmodel = \"m\"", "agents.a.model"),
    ];
    for (table, key) in cases {
        refused_file(&format!("[agents.a]\n{table}\n"), &[key]).await;
    }
}
