//! Public keys, in files and at an address.
use e2e::{Client, Form, Gateway, eventually, http, jwks::Provider, scratch::Scratch, token::Pair};
use serde_json::json;

const MODE: (&str, &str) = ("auth.mode", "jwt");

async fn status(gateway: &Gateway, token: &str) -> u16 {
    http::knock(gateway.address(), &[("Authorization", &format!("Bearer {token}"))]).await.status
}

#[tokio::test]
async fn public_keys_in_files_verify() {
    let scratch = Scratch::new();
    let pairs = [Pair::rsa(), Pair::ec(), Pair::ed()];
    let mut keys = Vec::new();
    for (pair, kid) in pairs.iter().zip(["r", "e", "d"]) {
        let file = scratch.file(kid, &pair.public);
        keys.push(json!({"file": file, "algorithm": pair.algorithm(), "kid": kid}));
    }
    let keys = json!(keys).to_string();
    let gateway = Gateway::start(&[MODE, ("auth.jwt.keys", &keys)]).await;
    for (pair, kid) in pairs.iter().zip(["r", "e", "d"]) {
        assert_eq!(status(&gateway, &pair.token(Some(kid), json!({}))).await, 101, "{kid}");
        assert_eq!(status(&gateway, &pair.token(Some("x"), json!({}))).await, 401, "{kid}");
    }
}

#[tokio::test]
async fn a_set_in_a_file_is_read_again_for_a_key_that_is_not_in_it() {
    let scratch = Scratch::new();
    let (old, new) = (Pair::ed(), Pair::ec());
    let file = scratch.file("jwks.json", &json!({"keys": [old.jwk("old")]}).to_string());
    let gateway = Gateway::start(&[MODE, ("auth.jwt.jwks", &file)]).await;
    assert_eq!(status(&gateway, &old.token(Some("old"), json!({}))).await, 101);
    scratch.file("jwks.json", &json!({"keys": [new.jwk("new")]}).to_string());
    assert_eq!(status(&gateway, &new.token(Some("new"), json!({}))).await, 101);
    assert_eq!(status(&gateway, &old.token(Some("old"), json!({}))).await, 401);
}

#[tokio::test]
async fn a_rotation_of_keys_leaves_connections_alone() {
    let (old, new) = (Pair::rsa(), Pair::ed());
    let provider = Provider::start(&[old.jwk("old")]).await;
    let gateway = Gateway::start(&[MODE, ("auth.jwt.jwks", &provider.url())]).await;
    let claims = || json!({"sub": "7", "channels": ["a"]});
    let mut before = Client::signed_in(&gateway, &old.token(Some("old"), claims())).await;
    let mut refreshed = Client::signed_in(&gateway, &old.token(Some("old"), claims())).await;
    before.subscribe("a").await;
    provider.publish(&[new.jwk("new")]);
    // The first to show the new key is one that is connected already.
    let token = new.token(Some("new"), claims());
    let answer = refreshed.ask(Form::Action, "refresh", json!({"token": token})).await;
    assert_eq!(answer["action"], "refreshed", "{answer}");
    refreshed.publish("a", &json!(1)).await;
    assert_eq!(before.next_json().await["payload"], 1);
    assert_eq!(status(&gateway, &token).await, 101);
    assert_eq!(status(&gateway, &old.token(Some("old"), claims())).await, 401);
    assert_eq!(before.until_pong().await, Vec::<String>::new());
    assert_eq!(provider.asked(), 2, "once at the start, and once for the new key");
}

#[tokio::test]
async fn unknown_keys_make_it_ask_once_in_a_while() {
    let (known, unknown) = (Pair::ed(), Pair::ed());
    let provider = Provider::start(&[known.jwk("known")]).await;
    let gateway = Gateway::start(&[MODE, ("auth.jwt.jwks", &provider.url())]).await;
    assert_eq!(status(&gateway, &known.token(Some("known"), json!({}))).await, 101);
    for n in 0..20 {
        let token = unknown.token(Some(&format!("x{n}")), json!({}));
        assert_eq!(status(&gateway, &token).await, 401);
    }
    assert_eq!(provider.asked(), 2);
    assert_eq!(status(&gateway, &known.token(Some("known"), json!({}))).await, 101);
}

#[tokio::test]
async fn the_old_keys_stay_until_there_are_better_ones() {
    let other = Provider::start(&[]).await;
    let elsewhere = format!("Location: {}\r\n", other.url());
    let large = format!("{{\"keys\":[],\"pad\":\"{}\"}}", "x".repeat(1 << 20));
    let answers = [
        ("500 Oops", "", ""),
        ("200 OK", "", "<html>"),
        ("200 OK", "", r#"{"keys":[]}"#),
        ("200 OK", "", r#"{"keys":{}}"#),
        ("302 Found", elsewhere.as_str(), ""),
        ("200 OK", "", large.as_str()),
    ];
    for (code, headers, body) in answers {
        let (known, unknown) = (Pair::ed(), Pair::ed());
        let provider = Provider::start(&[known.jwk("known")]).await;
        let gateway = Gateway::start(&[MODE, ("auth.jwt.jwks", &provider.url())]).await;
        let good = known.token(Some("known"), json!({}));
        assert_eq!(status(&gateway, &good).await, 101);
        other.publish(&[unknown.jwk("unknown")]);
        provider.answer(code, headers, body);
        assert_eq!(status(&gateway, &unknown.token(Some("unknown"), json!({}))).await, 401);
        assert_eq!((provider.asked(), other.asked()), (2, 0), "{code} {headers}");
        assert_eq!(status(&gateway, &good).await, 101, "{code} {headers}");
        let read =
            gateway.metrics().await.sum("quadrille_key_readings_total", &[("outcome", "bad")]);
        assert_eq!(read, 1, "{code} {headers}");
    }
}

#[tokio::test]
async fn a_provider_that_does_not_answer_holds_nobody_up_who_is_known() {
    let (known, unknown) = (Pair::ed(), Pair::ed());
    let provider = Provider::start(&[known.jwk("known")]).await;
    let gateway = Gateway::start(&[MODE, ("auth.jwt.jwks", &provider.url())]).await;
    let good = known.token(Some("known"), json!({}));
    assert_eq!(status(&gateway, &good).await, 101);
    provider.hang();
    let token = unknown.token(Some("unknown"), json!({}));
    let waits = status(&gateway, &token);
    tokio::pin!(waits);
    tokio::select! {
        status = &mut waits => panic!("{status} before the provider had its time"),
        () = async {
            eventually("the question", async || (provider.asked() == 2).then_some(())).await;
        } => {}
    }
    for _ in 0..5 {
        assert_eq!(status(&gateway, &good).await, 101);
    }
    assert_eq!(waits.await, 401, "after five seconds");
}

#[tokio::test]
async fn until_the_keys_are_known_clients_are_asked_to_come_back() {
    let pair = Pair::ed();
    let provider = Provider::start(&[]).await;
    provider.answer("503 Not yet", "", "");
    let gateway = Gateway::start(&[MODE, ("auth.jwt.jwks", &provider.url())]).await;
    let token = format!("Bearer {}", pair.token(Some("a"), json!({})));
    let answer = http::knock(gateway.address(), &[("Authorization", &token)]).await;
    assert_eq!((answer.problem().0, answer.problem().2.as_str()), (503, "/problems/no-keys"));
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
}

#[tokio::test]
async fn the_query_of_an_address_is_not_told_when_nobody_answers_there() {
    // Bound and not listening: nobody else takes the port.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let place = format!("http://{}/jwks.json?key=geheim", taken.local_addr().unwrap());
    let settings = [MODE, ("auth.jwt.jwks", &place), ("log.level", "trace")];
    let gateway = Gateway::start(&settings).await;
    eventually("a line about it", async || {
        let lines = gateway.stderr();
        lines.iter().any(|line| line.contains("cannot read auth.jwt.jwks")).then_some(())
    })
    .await;
    let lines = gateway.stop().await.stderr;
    assert!(!lines.iter().any(|line| line.contains("geheim")), "{lines:#?}");
}
