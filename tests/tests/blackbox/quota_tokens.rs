//! Forged tokens from one address, and who is refused for them.
use e2e::{
    Client, Form, Gateway, eventually,
    http::{self, Response},
    token::{JWT, now, sign, token},
};
use jsonwebtoken::Header;
use serde_json::json;

const OVER: &str = "/problems/too-many-bad-tokens";

fn forged() -> String {
    sign(&Header::default(), json!({"sub": "7"}), b"another secret of the same length")
}

async fn show(gateway: &Gateway, token: &str) -> Response {
    let bearer = format!("Bearer {token}");
    let answer = http::knock(gateway.address(), &[("Authorization", &bearer)]).await;
    assert!(!answer.body.contains(token), "{}", answer.body);
    answer
}

/// Shows forged tokens until no more are looked at, and gives the refusal.
async fn exhaust(gateway: &Gateway) -> Response {
    let forged = forged();
    let mut looked_at = 0;
    loop {
        let answer = show(gateway, &forged).await;
        if answer.status != 401 {
            assert!(looked_at >= 60, "the default lets so many pass: {looked_at}");
            return answer;
        }
        assert_eq!(answer.problem().2, "/problems/bad-token");
        looked_at += 1;
    }
}

#[tokio::test]
async fn an_address_that_shows_forged_tokens_may_show_none_for_a_while() {
    let gateway = Gateway::start(&JWT).await;
    let good = token(json!({"sub": "7", "channels": ["c"]}));
    let mut stays = Client::signed_in(&gateway, &good).await;
    let refusal = exhaust(&gateway).await;
    let expected = (429, "application/problem+json".to_owned(), OVER.to_owned());
    assert_eq!(refusal.problem(), expected);
    assert_eq!(refusal.header("retry-after"), Some("1"));
    // Who is connected is not concerned, and neither are others or who shows none.
    stays.subscribe("c").await;
    let path = format!("/api/v1/topics/c/history?token={good}");
    let other = http::get_from([127, 0, 0, 2].into(), gateway.address(), &path, &[]).await;
    assert_eq!(other.expect("an answer").status, 200);
    assert_eq!(http::knock(gateway.address(), &[]).await.problem().2, "/problems/no-token");
    // A good token is in the same boat until the address is forgiven: nobody has looked at it.
    eventually("a good token to be refused", async || {
        exhaust_again(&gateway).await;
        (show(&gateway, &good).await.status == 429).then_some(())
    })
    .await;
    eventually("the address to be forgiven", async || {
        (show(&gateway, &good).await.status == 101).then_some(())
    })
    .await;
    let metrics = gateway.metrics().await;
    assert!(metrics.sum("quadrille_rate_limited_total", &[("limit", "bad_tokens")]) > 0);
    assert!(metrics.sum("quadrille_http_refused_total", &[("type", OVER)]) > 0);
}

async fn exhaust_again(gateway: &Gateway) {
    let forged = forged();
    while show(gateway, &forged).await.status == 401 {}
}

#[tokio::test]
async fn at_every_door_forged_tokens_count_and_are_refused() {
    let gateway = Gateway::start(&JWT).await;
    let good = token(json!({"sub": "7", "channels": ["c"]}));
    let forged = forged();
    let mut client = Client::signed_in(&gateway, &good).await;
    let refusal = eventually("a refusal to look at a token", async || {
        let answer = client.ask(Form::Envelope, "refresh", json!({"token": forged})).await;
        assert!(!answer.to_string().contains(&forged), "{answer}");
        (answer["payload"]["code"] != "bad_token").then_some(answer)
    })
    .await;
    assert_eq!(refusal["payload"]["code"], "too_many_bad_tokens", "{refusal}");
    assert!(refusal["payload"]["retry_after"].as_f64().is_some_and(|it| it > 0.0), "{refusal}");
    for path in ["/api/v1/topics/c/history", "/events?topic=c"] {
        eventually("a refusal over HTTP", async || {
            exhaust_again(&gateway).await;
            let path = format!("{path}{}token={good}", if path.contains('?') { "&" } else { "?" });
            let answer = http::get(gateway.address(), &path, &[]).await.expect("an answer");
            assert!(!answer.body.contains(&good));
            (answer.status == 429).then(|| assert_eq!(answer.problem().2, OVER))
        })
        .await;
    }
    // What is refused changes nothing, and a good token is taken again in the end.
    eventually("a good token to be taken", async || {
        let answer = client.ask(Form::Envelope, "refresh", json!({"token": good})).await;
        (answer["payload"]["action"] == "refreshed").then_some(())
    })
    .await;
    client.subscribe("c").await;
}

#[tokio::test]
async fn tokens_that_are_over_or_of_an_unknown_key_are_not_held_against_anybody() {
    let gateway = Gateway::start(&[JWT[0], JWT[1], ("limits.bad_tokens_per_minute", "1")]).await;
    let expired = token(json!({"sub": "7", "exp": now() - 60}));
    let header = Header { kid: Some("new".to_owned()), ..Header::default() };
    let unknown = sign(&header, json!({"sub": "7"}), b"a key that nobody here knows until later");
    for _ in 0..10 {
        for token in [&expired, &unknown] {
            assert_eq!(show(&gateway, token).await.problem().2, "/problems/bad-token");
        }
    }
    assert_eq!(show(&gateway, &token(json!({"sub": "7"}))).await.status, 101);
    assert_eq!(show(&gateway, &forged()).await.status, 401);
    assert_eq!(show(&gateway, &forged()).await.problem().2, OVER);
}

#[tokio::test]
async fn without_the_limit_every_token_is_looked_at() {
    let gateway = Gateway::start(&[JWT[0], JWT[1], ("limits.bad_tokens_per_minute", "0")]).await;
    for _ in 0..200 {
        assert_eq!(show(&gateway, &forged()).await.status, 401);
    }
}
