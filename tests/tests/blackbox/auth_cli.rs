//! Identity in the configuration and on the command line.
use e2e::{
    Client, Form, Gateway,
    process::End,
    scratch::Scratch,
    token::{JWT, SECRET},
};
use serde_json::json;

fn assert_refused(end: &End, words: &[&str]) {
    assert_eq!((end.code, end.stderr.len()), (Some(64), 1), "{end:#?}");
    let missing: Vec<_> = words.iter().filter(|word| !end.stderr[0].contains(**word)).collect();
    assert!(missing.is_empty(), "{missing:?} should be in {:?}", end.stderr[0]);
}

#[tokio::test]
async fn a_token_from_the_command_line_opens_what_it_says() {
    let strict = [
        JWT[0],
        JWT[1],
        ("auth.jwt.audience", "gateway"),
        ("auth.jwt.issuer", "https://id.example"),
    ];
    let gateway = Gateway::start(&strict).await;
    let args =
        "token --user 7 --channels chan:a --channels b-* --rooms 42 --topics chat:* --ttl 5m";
    let args: Vec<_> = args.split(' ').collect();
    let made = Gateway::run(&args, &strict).await;
    assert_eq!((made.code, made.stdout.len(), made.stderr.len()), (Some(0), 1, 0), "{made:#?}");
    let mut client = Client::signed_in(&gateway, &made.stdout[0]).await;
    for channel in ["a", "b-1", "room:42", "chat:1", "user:7"] {
        client.subscribe(channel).await;
    }
    for channel in ["c", "room:43", "user:8"] {
        let answer = client.ask(Form::Envelope, "subscribe", json!({"channel": channel})).await;
        assert_eq!(answer["payload"]["code"], "not_allowed", "{channel}");
    }
    let refreshed = json!({"token": made.stdout[0]});
    let answer = client.ask(Form::Action, "refresh", refreshed).await;
    assert!(answer["expires"].as_u64().is_some_and(|it| (270..=300).contains(&it)), "{answer}");
}

#[tokio::test]
async fn the_first_secret_signs_and_all_verify() {
    let new = "n".repeat(32);
    let list = json!([SECRET]).to_string();
    let both = [JWT[0], ("auth.jwt.secret", new.as_str()), ("auth.jwt.secrets", list.as_str())];
    let gateway = Gateway::start(&both).await;
    let args = ["token", "--user", "7"];
    let (with_new, with_old) = (Gateway::run(&args, &both).await, Gateway::run(&args, &JWT).await);
    for token in [&with_new.stdout[0], &with_old.stdout[0]] {
        Client::signed_in(&gateway, token).await;
    }
    let only_new = Gateway::start(&both[..2]).await;
    Client::signed_in(&only_new, &with_new.stdout[0]).await;
    let old = [("Authorization", &*format!("Bearer {}", with_old.stdout[0]))];
    assert_eq!(e2e::http::knock(only_new.address(), &old).await.status, 401);
}

#[tokio::test]
async fn a_token_needs_a_secret_and_sensible_options() {
    let end = Gateway::run(&["token", "--user", "7"], &[]).await;
    assert_refused(&end, &["auth.jwt.secret", "32 bytes"]);
    assert_eq!(end.stdout, Vec::<String>::new());
    let end = Gateway::run(&["token", "--user", "", "--ttl", "1h"], &JWT).await;
    assert_refused(&end, &["--user"]);
    let end = Gateway::run(&["token", "--user", "7", "--ttl", "0s"], &JWT).await;
    assert_refused(&end, &["--ttl"]);
    for args in [&["token"][..], &["token", "--user", "7", "--ttl", "soon"]] {
        assert_eq!(Gateway::run(args, &JWT).await.code, Some(64), "{args:?}");
    }
}

#[tokio::test]
async fn sign_in_needs_a_key_that_can_be_used() {
    let scratch = Scratch::new();
    let pem = scratch.file("a.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
    let key =
        |file: &str, algorithm: &str| json!([{"file": file, "algorithm": algorithm}]).to_string();
    let (absent, broken) = (key("/nowhere.pem", "RS256"), key(&pem, "RS256"));
    let none = key(&pem, "none");
    let short = "a secret that is too short";
    let cases = [
        (("log.level", "warn"), ["auth.jwt.secret", "auth.mode"]),
        (("auth.jwt.secret", short), ["auth.jwt.secret", "32 bytes"]),
        (
            ("auth.jwt.secret", "-----BEGIN PUBLIC KEY-----AAAAAAAA"),
            ["auth.jwt.secret", "auth.jwt.keys"],
        ),
        (("auth.jwt.secrets", r#"["short"]"#), ["auth.jwt.secrets", "32 bytes"]),
        (("auth.jwt.keys", absent.as_str()), ["auth.jwt.keys", "/nowhere.pem"]),
        (("auth.jwt.keys", broken.as_str()), ["auth.jwt.keys", "RS256"]),
        (("auth.jwt.keys", none.as_str()), ["auth.jwt.keys", "EdDSA"]),
        (("auth.jwt.jwks", "/nowhere.json"), ["auth.jwt.jwks", "No such file"]),
        (("auth.jwt.jwks", "http://u:p@id.example/"), ["auth.jwt.jwks", "without a user"]),
    ];
    for (setting, words) in cases {
        for args in [["serve"], ["check-config"]] {
            let end = Gateway::run(&args, &[JWT[0], setting]).await;
            assert_refused(&end, &words);
            assert!(!end.stderr[0].contains(short), "{end:#?}");
        }
    }
}

#[tokio::test]
async fn a_printed_configuration_shows_no_secret_and_loads_again() {
    let list = json!([SECRET, SECRET]).to_string();
    let settings = [JWT[0], JWT[1], ("auth.jwt.secrets", &list), ("auth.jwt.audience", "a")];
    let printed = Gateway::run(&["print-config"], &settings).await;
    assert_eq!(printed.code, Some(0), "{printed:#?}");
    let text = printed.stdout.join("\n");
    assert!(!text.contains(SECRET), "{text}");
    let scratch = Scratch::new();
    let file = scratch.file("printed.toml", &text);
    let again = Gateway::run(&["check-config", "--config", &file], &settings[1..3]).await;
    assert_eq!((again.code, again.stderr.len()), (Some(0), 0), "{again:#?}");
    let end = Gateway::run(&["check-config", "--config", &file], &[]).await;
    assert_refused(&end, &["auth.jwt.secret"]);
}

#[tokio::test]
async fn with_sign_in_other_machines_may_be_let_in() {
    let settings = [JWT[0], JWT[1], ("server.listen", "0.0.0.0:0")];
    let end = Gateway::run(&["check-config"], &settings).await;
    assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{end:#?}");
}
