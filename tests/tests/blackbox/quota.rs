//! Rates of one user, and of one address.
use std::{net::IpAddr, time::Duration};

use e2e::{
    Client, Form, Gateway, Raw, eventually,
    http::{self, Response},
    raw::{BINARY, FIN, TEXT, frame},
    token::{JWT, token},
};
use serde_json::{Value, json};
use tokio::time::Instant;

const HISTORY: &str = "/api/v1/topics/c/history";

fn user(name: &str) -> String {
    token(json!({"sub": name, "channels": ["*"]}))
}

async fn ask(gateway: &Gateway, token: &str) -> Response {
    let bearer = format!("Bearer {token}");
    let answer = http::get(gateway.address(), HISTORY, &[("Authorization", &bearer)]).await;
    answer.expect("the gateway answers")
}

async fn publish(gateway: &Gateway, token: &str) -> Response {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", &*bearer), ("Content-Type", "application/json")];
    let body = br#"{"channel":"c","payload":"http"}"#;
    let path = "/api/v1/publish";
    http::send(gateway.address(), "POST", path, &headers, body).await.expect("an answer")
}

/// The answer is 429 with this problem; tells how long to wait.
fn refused(answer: &Response, problem: &str) -> Duration {
    let expected = (429, "application/problem+json".to_owned(), problem.to_owned());
    assert_eq!(answer.problem(), expected);
    let seconds = answer.header("retry-after").and_then(|it| it.parse().ok());
    Duration::from_secs(seconds.filter(|it| *it > 0).expect("Retry-After in whole seconds"))
}

/// Asks until there is room again, which must be so as soon as the time that was told is over.
async fn comes_back(told: Duration, mut ask: impl AsyncFnMut() -> bool) {
    let promised = Instant::now() + told;
    eventually("room again", async || {
        let due = Instant::now() >= promised;
        let is_in = ask().await;
        assert!(is_in || !due, "refused after the time that was told, {told:?}");
        is_in.then_some(())
    })
    .await;
}

#[tokio::test]
async fn two_users_at_one_address_are_limited_apart() {
    let gateway = Gateway::start(&[JWT[0], JWT[1], ("limits.requests_per_second", "2")]).await;
    let (first, second) = (user("7"), user("8"));
    let answer = eventually("a refusal", async || {
        let answer = ask(&gateway, &first).await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    let wait = refused(&answer, "/problems/too-many-requests");
    assert_eq!(ask(&gateway, &second).await.status, 200);
    comes_back(wait, async || ask(&gateway, &first).await.status == 200).await;
    let metrics = gateway.metrics().await;
    let limited = metrics.sum("quadrille_rate_limited_total", &[("limit", "requests")]);
    let labels = [("type", "/problems/too-many-requests")];
    assert!(limited > 0, "{metrics:?}");
    assert_eq!(metrics.sum("quadrille_http_refused_total", &labels), limited);
}

#[tokio::test]
async fn where_nobody_signs_in_addresses_are_limited_apart() {
    let gateway = Gateway::start(&[("limits.requests_per_second", "1")]).await;
    let get = async |from: [u8; 4], path: &str| {
        http::get_from(IpAddr::from(from), gateway.address(), path, &[]).await.expect("an answer")
    };
    let (one, other) = ([127, 0, 0, 1], [127, 0, 0, 2]);
    let refusal = eventually("a refusal", async || {
        let answer = get(one, HISTORY).await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    refused(&refusal, "/problems/too-many-requests");
    assert_eq!(get(other, HISTORY).await.status, 200);
    // A stream and a WebSocket are asked for by requests, too; operators are always answered.
    for path in ["/events?topic=c", "/ws"] {
        let refusal = eventually("a refusal", async || {
            let answer = match path {
                "/ws" => http::knock(gateway.address(), &[]).await,
                _ => get(one, path).await,
            };
            (answer.status == 429).then_some(answer)
        })
        .await;
        refused(&refusal, "/problems/too-many-requests");
    }
    for path in ["/", "/healthz", "/readyz", "/metrics", "/openapi.json"] {
        for _ in 0..3 {
            assert_eq!(get(one, path).await.status, 200, "{path}");
        }
    }
}

#[tokio::test]
async fn the_records_of_a_user_count_together_whatever_they_come_over() {
    let gateway = Gateway::start(&[JWT[0], JWT[1], ("limits.publishes_per_second", "5")]).await;
    let (first, second) = (user("7"), user("8"));
    let mut client = Client::signed_in(&gateway, &first).await;
    let answer = eventually("a refusal over HTTP of what came over the WebSocket", async || {
        for _ in 0..6 {
            client.publish("c", &json!("broker")).await;
        }
        client.until_pong().await;
        let answer = publish(&gateway, &first).await;
        (answer.status == 429).then_some(answer)
    })
    .await;
    let wait = refused(&answer, "/problems/rate-limited");
    assert_eq!(publish(&gateway, &second).await.status, 200);
    comes_back(wait, async || publish(&gateway, &first).await.status == 200).await;
    let refusals = eventually("a refusal over the WebSocket of what came over HTTP", async || {
        while publish(&gateway, &first).await.status == 200 {}
        client.publish("c", &json!("broker")).await;
        client.until_pong().await.pop()
    })
    .await;
    let refusal: Value = serde_json::from_str(&refusals).expect("JSON");
    assert_eq!(refusal["payload"]["code"], "rate_limited", "{refusal}");
    assert_eq!(refusal["payload"]["channel"], "c", "{refusal}");
    // Asking is not publishing.
    assert_eq!(ask(&gateway, &first).await.status, 200);
}

#[tokio::test]
async fn a_client_that_floods_is_answered_each_time_and_stays() {
    const FRAMES: usize = 2000;
    let gateway = Gateway::start(&[JWT[0], JWT[1], ("limits.frames_per_second", "20")]).await;
    let mut other = Client::signed_in(&gateway, &user("8")).await;
    other.subscribe("c").await;
    let mut flood = Vec::new();
    for n in 0..FRAMES {
        // Each of these has one answer if it is let through.
        flood.extend(match n % 4 {
            0 => frame(FIN | TEXT, br#"{"action":"subscribe","channel":"c"}"#),
            1 => frame(FIN | TEXT, br#"{"action":"ping"}"#),
            2 => frame(FIN | TEXT, b"rubbish"),
            _ => frame(FIN | BINARY, b"rubbish"),
        });
    }
    let mut raw = Raw::signed_in(&gateway, &user("7")).await;
    let begin = Instant::now();
    let answers = raw.flood(&flood, FRAMES).await;
    let took = begin.elapsed();
    let answers = answers.iter().map(|it| serde_json::from_slice::<Value>(it).expect("JSON"));
    let (late, used): (Vec<_>, Vec<_>) =
        answers.partition(|it| it["payload"]["code"] == "too_many_frames");
    // A bucket of 20, and what ran into it meanwhile.
    let room = 21 + usize::try_from(took.as_millis() / 50).expect("a short time");
    assert!((20..=room).contains(&used.len()), "{} of at most {room}", used.len());
    let told = late.last().and_then(|it| it["payload"]["retry_after"].as_f64());
    let told = told.filter(|it| *it > 0.0).expect("a time to wait");
    comes_back(Duration::from_secs_f64(told), async || {
        let ping = frame(FIN | TEXT, br#"{"action":"ping"}"#);
        raw.flood(&ping, 1).await[0].starts_with(br#"{"action":"pong""#)
    })
    .await;
    // Another connection of the same user has the same bucket, that of another user its own.
    let mut same = Client::signed_in(&gateway, &user("7")).await;
    eventually("a refusal", async || {
        let answer = same.ask(Form::Envelope, "ping", json!({})).await;
        (answer["payload"]["code"] == "too_many_frames").then_some(())
    })
    .await;
    assert_eq!(other.until_pong().await, [""; 0]);
    let limited =
        gateway.metrics().await.sum("quadrille_rate_limited_total", &[("limit", "frames")]);
    assert!(limited >= u64::try_from(late.len()).expect("a number"));
}
