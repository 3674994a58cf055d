//! SIGHUP: another configuration under live connections.
use e2e::{
    Client, Form, Gateway, eventually, http,
    jwks::Provider,
    scratch::Scratch,
    token::{self, Pair},
};
use jsonwebtoken::Header;
use serde_json::json;

const OLD: &str = "the secret that was there before, and for long";
const NEW: &str = "the secret that comes in its place from now on";

/// A gateway whose configuration is a file that can be written again.
struct Reloaded {
    gateway: Gateway,
    scratch: Scratch,
    signals: u64,
}

impl Reloaded {
    async fn start(text: &str) -> Self {
        let scratch = Scratch::new();
        let file = scratch.file("gateway.toml", text);
        let settings = [("server.listen", "127.0.0.1:0")];
        let gateway = Gateway::start_with(&["serve", "--config", &file], &settings).await;
        Self { gateway, scratch, signals: 0 }
    }

    async fn reloads(&self, outcome: &str) -> u64 {
        let labels = [("outcome", outcome)];
        self.gateway.metrics().await.sum("quadrille_config_reloads_total", &labels)
    }

    /// Has the file read again, and gives the lines that are logged about it.
    async fn signal(&mut self) -> Vec<String> {
        let before = self.gateway.stderr().len();
        self.gateway.signal("HUP").await;
        self.signals += 1;
        eventually("the reload", async || {
            let done = self.reloads("good").await + self.reloads("bad").await;
            (done == self.signals).then_some(())
        })
        .await;
        eventually("a line about it", async || {
            let mut lines = self.gateway.stderr().split_off(before);
            lines.retain(|it| it.contains("reload") || it.contains("restart"));
            lines.iter().any(|it| it.contains("reloaded")).then_some(lines)
        })
        .await
    }

    async fn reload(&mut self, text: &str) -> Vec<String> {
        self.scratch.file("gateway.toml", text);
        self.signal().await
    }

    async fn status(&self, token: &str) -> u16 {
        let header = format!("Bearer {token}");
        http::knock(self.gateway.address(), &[("Authorization", &header)]).await.status
    }
}

fn secret(secret: &str) -> String {
    format!("[auth]\nmode = \"jwt\"\n[auth.jwt]\nsecret = \"{secret}\"\n")
}

fn token(secret: &str) -> String {
    let claims = json!({"sub": "7", "channels": ["c"]});
    token::sign(&Header::default(), claims, secret.as_bytes())
}

/// Whether one line has all of `words`.
fn has(lines: &[String], words: &[&str]) -> bool {
    lines.iter().any(|line| words.iter().all(|word| line.contains(word)))
}

#[tokio::test]
async fn another_secret_counts_for_who_comes_and_not_for_who_is_there() {
    let mut it = Reloaded::start(&secret(OLD)).await;
    let mut there = Client::signed_in(&it.gateway, &token(OLD)).await;
    there.subscribe("c").await;
    assert_eq!([it.status(&token(OLD)).await, it.status(&token(NEW)).await], [101, 401]);
    let lines = it.reload(&secret(NEW)).await;
    assert!(has(&lines, &["INFO", "configuration reloaded", "auth.jwt.secret"]), "{lines:#?}");
    assert_eq!([it.status(&token(OLD)).await, it.status(&token(NEW)).await], [401, 101]);
    let mut new = Client::signed_in(&it.gateway, &token(NEW)).await;
    new.publish("c", &json!("after")).await;
    assert_eq!(there.next_json().await["payload"], "after");
    there.publish("c", &json!("too")).await;
    let answer = there.ask(Form::Action, "refresh", json!({"token": token(NEW)})).await;
    assert_eq!(answer["action"], "refreshed", "{answer}");
    let said = [it.gateway.stdout(), it.gateway.stderr()].concat();
    assert!(!has(&said, &[OLD]) && !has(&said, &[NEW]), "{said:#?}");
}

#[tokio::test]
async fn both_secrets_verify_while_they_are_exchanged() {
    let mut it = Reloaded::start(&secret(OLD)).await;
    it.reload(&(secret(NEW) + &format!("secrets = [\"{OLD}\"]\n"))).await;
    assert_eq!([it.status(&token(OLD)).await, it.status(&token(NEW)).await], [101, 101]);
}

#[tokio::test]
async fn a_bad_configuration_changes_nothing_and_is_told_in_one_line() {
    let mut it = Reloaded::start(&secret(OLD)).await;
    let bad = [
        ("[limits]\nconnections = \"many\"\n", "limits.connections: expected a whole number"),
        ("[limit]\nconnections = 1\n", "limit: unknown key"),
        ("[broker]\npath = \"/metrics\"\n", "broker.path: expected a path other than"),
        ("[auth.jwt]\njwks = \"/nowhere/set.json\"\n", "auth.jwt.jwks: cannot read it"),
        ("[auth.jwt]\nsecret = \"hush\"\n", "auth.jwt.secret: expected at least 32 bytes"),
    ];
    for (n, (text, expected)) in (1..).zip(bad) {
        let text = text.replace("[auth.jwt]\n", "[auth]\nmode = \"jwt\"\n[auth.jwt]\n");
        let lines = it.reload(&format!("{text}\n[log]\nlevel = \"off\"\n")).await;
        assert!(has(&lines, &["ERROR", "gateway.toml", expected]), "{lines:#?}");
        assert_eq!((lines.len(), it.reloads("bad").await), (1, n), "{lines:#?}");
        assert!(!has(&lines, &["hush"]), "{lines:#?}");
        assert_eq!(it.status(&token(OLD)).await, 101);
    }
    it.reload(&secret(NEW)).await;
    assert_eq!([it.status(&token(OLD)).await, it.status(&token(NEW)).await], [401, 101]);
}

#[tokio::test]
async fn limits_count_from_the_reload_on() {
    let mut it = Reloaded::start("[limits]\nconnections = 1\ntopics = 1\n").await;
    let mut first = Client::connect(&it.gateway).await;
    first.subscribe("a").await;
    assert_eq!(it.status("").await, 503);
    let refused = first.ask(Form::Envelope, "history", json!({"channel": "b"})).await;
    assert_eq!(refused["payload"]["action"], "history", "{refused}");
    let lines = it.reload("[limits]\nconnections = 2\nconnections_per_ip = 2\ntopics = 2\n").await;
    let keys = "limits.connections, limits.connections_per_ip, limits.topics";
    assert!(has(&lines, &[keys]), "{lines:#?}");
    let mut second = Client::connect(&it.gateway).await;
    first.subscribe("b").await;
    assert_eq!(it.status("").await, 503);
    it.reload("[limits]\nconnections = 100\nconnections_per_ip = 2\ntopics = 2\n").await;
    assert_eq!(it.status("").await, 429);
    it.reload("[limits]\nconnections = 1\n").await;
    // Fewer than there are: nobody has to leave.
    assert_eq!(it.status("").await, 503);
    second.publish("a", &json!(1)).await;
    assert_eq!(first.next_json().await["payload"], 1);
}

#[tokio::test]
async fn rates_count_from_the_reload_on() {
    let mut it = Reloaded::start(&secret(OLD)).await;
    assert_eq!([it.status(&token(NEW)).await, it.status(&token(NEW)).await], [401, 401]);
    it.reload(&format!("{}[limits]\nbad_tokens_per_minute = 1\n", secret(OLD))).await;
    assert_eq!([it.status(&token(NEW)).await, it.status(&token(NEW)).await], [401, 429]);
}

#[tokio::test]
async fn what_needs_a_restart_is_named_until_it_is_taken_back() {
    let mut it = Reloaded::start("").await;
    let text = "[log]\nformat = \"json\"\n[server]\norigins = [\"*\"]\n[topics.chan]\nevents = 9\n";
    let restart = ["WARN", "log.format, server.origins, topics.chan.events", "restart to apply"];
    for n in 1..=2 {
        it.reload(text).await;
        eventually("the warning", async || {
            let lines = it.gateway.stderr();
            let warnings = lines.iter().filter(|line| has(&[(*line).clone()], &restart)).count();
            (warnings == n).then_some(())
        })
        .await;
    }
    let lines = it.reload("").await;
    assert!(!has(&lines, &["restart"]), "{lines:#?}");
}

#[tokio::test]
async fn the_level_of_the_log_changes_and_both_times_that_is_told() {
    let mut it = Reloaded::start("[log]\nlevel = \"info\"\n").await;
    let lines = it.reload("[log]\nlevel = \"off,quadrille_core::telemetry=debug\"\n").await;
    assert!(has(&lines, &["configuration reloaded", "log.level"]), "{lines:#?}");
    Client::connect(&it.gateway).await.send_text("no JSON").await;
    eventually("a line at debug", async || {
        has(&it.gateway.stderr(), &["DEBUG", "frame refused"]).then_some(())
    })
    .await;
    let lines = it.reload("[log]\nlevel = \"info\"\n").await;
    assert!(has(&lines, &["configuration reloaded", "log.level"]), "{lines:#?}");
}

#[tokio::test]
async fn key_files_are_read_again_under_the_same_names() {
    let (old, new) = (Pair::ed(), Pair::ed());
    let keys = Scratch::new();
    let (pem, set) = (keys.file("id.pem", &old.public), json!({"keys": [old.jwk("1")]}));
    let set = keys.file("set.json", &set.to_string());
    let text = format!(
        "[auth]\nmode = \"jwt\"\n[auth.jwt]\njwks = \"{set}\"\n\
         keys = [{{ file = \"{pem}\", algorithm = \"EdDSA\" }}]\n"
    );
    let mut it = Reloaded::start(&text).await;
    keys.file("id.pem", &new.public);
    keys.file("set.json", &json!({"keys": [new.jwk("1")]}).to_string());
    let lines = it.signal().await;
    assert!(has(&lines, &["INFO", "configuration reloaded"]), "{lines:#?}");
    for kid in [None, Some("1")] {
        assert_eq!(it.status(&old.token(kid, json!({}))).await, 401, "{kid:?}");
        assert_eq!(it.status(&new.token(kid, json!({}))).await, 101, "{kid:?}");
    }
    keys.file("id.pem", "no key");
    let lines = it.signal().await;
    assert!(has(&lines, &["ERROR", "gateway.toml", "auth.jwt.keys", "id.pem"]), "{lines:#?}");
    assert_eq!(it.status(&new.token(None, json!({}))).await, 101);
}

#[tokio::test]
async fn another_provider_takes_over_once_it_has_answered() {
    let (old, new) = (Pair::ed(), Pair::ed());
    let (first, second) = (Provider::start(&[old.jwk("1")]).await, Provider::start(&[]).await);
    let at = |provider: &Provider| {
        format!("[auth]\nmode = \"jwt\"\n[auth.jwt]\njwks = \"{}\"\n", provider.url())
    };
    let mut it = Reloaded::start(&at(&first)).await;
    assert_eq!(it.status(&old.token(Some("1"), json!({}))).await, 101);
    second.answer("500 Oops", "", "");
    let lines = it.reload(&at(&second)).await;
    assert!(has(&lines, &["ERROR", "gateway.toml", "auth.jwt.jwks", "500"]), "{lines:#?}");
    assert_eq!(it.status(&old.token(Some("1"), json!({}))).await, 101);
    second.publish(&[new.jwk("1")]);
    it.signal().await;
    assert_eq!(it.status(&old.token(Some("1"), json!({}))).await, 401);
    assert_eq!(it.status(&new.token(Some("1"), json!({}))).await, 101);
    // The second is asked for keys that are not known, and the first never again.
    let asked = (first.asked(), second.asked());
    let newer = Pair::ed();
    second.publish(&[newer.jwk("2")]);
    assert_eq!(it.status(&newer.token(Some("2"), json!({}))).await, 101);
    assert_eq!((first.asked(), second.asked()), (asked.0, asked.1 + 1));
}
