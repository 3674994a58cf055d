//! Each error code of the protocol, and that the connection survives it.
use e2e::{Client, Form, Gateway};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::survival::still_works;

/// Sends each frame, expects the error `code` (about the channel given, if one is), and that
/// nothing else has changed.
async fn refused(code: &str, frames: &[(&str, Option<&str>)]) {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    for (frame, channel) in frames {
        client.send_text(*frame).await;
        let answer = client.answer().await;
        assert_eq!(answer, error(&answer, code, *channel), "to {}", beginning(frame));
    }
    still_works(&gateway, &mut client).await;
    let counted = gateway.metrics().await.sum("quadrille_client_errors_total", &[("code", code)]);
    assert_eq!(usize::try_from(counted), Ok(frames.len()));
}

/// The whole error frame, with the message and the time of `answer` after looking at them.
fn error(answer: &Value, code: &str, channel: Option<&str>) -> Value {
    let (message, timestamp) = (&answer["payload"]["message"], &answer["payload"]["timestamp"]);
    assert!(message.as_str().is_some_and(|text| !text.is_empty()), "{answer}");
    assert!(timestamp.as_f64().is_some_and(|t| t > 1.7e9), "{answer}");
    let mut payload = json!({
        "type": "error", "status": "error", "code": code, "message": message,
        "timestamp": timestamp,
    });
    if let Some(channel) = channel {
        payload["channel"] = channel.into();
    }
    json!({"channel": "subscription", "payload": payload})
}

fn beginning(frame: &str) -> String {
    frame.chars().take(80).collect()
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[tokio::test]
async fn what_is_not_json_is_refused() {
    let (top, inner) = (nested(100_000), nested(100_000));
    let objects = r#"{"a":"#.repeat(100_000);
    let payload = format!(r#"{{"channel":"c","payload":{inner}}}"#);
    let unclosed = format!(r#"{{"channel":"c","payload":{}"#, "[".repeat(100_000));
    let frames = [
        ("", None),
        ("hello", None),
        ("{\"channel\":", None),
        ("{'channel':'c'}", None),
        (r#"{"channel":"c","payload":NaN}"#, None),
        (r#"{"channel":"c","payload":01}"#, None),
        (r#"{"channel":"c","payload":1} {}"#, None),
        ("{\"channel\":\"c\",\"payload\":\"a\nb\"}", None),
        (&top, None),
        (&objects, None),
        (&payload, None),
        (&unclosed, None),
    ];
    refused("not_json", &frames).await;
}

#[tokio::test]
async fn nesting_is_accepted_up_to_128_levels() {
    let gateway = Gateway::start(&[]).await;
    let (mut client, mut publisher) =
        (Client::connect(&gateway).await, Client::connect(&gateway).await);
    client.subscribe("c").await;
    let deepest = format!(r#"{{"channel":"c","payload":{}}}"#, nested(127));
    let too_deep = format!(r#"{{"channel":"c","payload":{}}}"#, nested(128));
    let in_text = format!(r#"{{"channel":"c","payload":"{}"}}"#, nested(500));
    publisher.send_text(too_deep).await;
    assert_eq!(publisher.next_json().await["payload"]["code"], "not_json");
    for frame in [&deepest, &in_text] {
        publisher.send_text(frame).await;
        assert_eq!(client.next_text().await, *frame);
    }
}

#[tokio::test]
async fn json_that_is_no_object_is_refused() {
    let frames = ["[1,2]", "3", "\"text\"", "null", "true", "[]"].map(|frame| (frame, None));
    refused("not_an_object", &frames).await;
}

#[tokio::test]
async fn binary_frames_are_refused() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    let publication = br#"{"channel":"c","payload":1}"#;
    for bytes in [&publication[..], &[], &[0, 159, 146, 150]] {
        client.send(Message::binary(bytes.to_vec())).await;
        let answer = client.next_json().await;
        assert_eq!(answer, error(&answer, "binary_frame", None));
    }
    still_works(&gateway, &mut client).await;
}

#[tokio::test]
async fn a_frame_without_a_channel_is_refused() {
    let frames = ["{}", r#"{"payload":1}"#, r#"{"message":"m","message_id":"1"}"#]
        .into_iter()
        .chain([r#"{"action":"subscribe"}"#, r#"{"action":"history","limit":3}"#])
        .chain([r#"{"channel":"subscription","payload":{"action":"subscribe"}}"#]);
    refused("no_channel", &frames.map(|frame| (frame, None)).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn an_unknown_action_is_refused() {
    let frames = [
        (r#"{"channel":"subscription","payload":{"action":"fly","channel":"c"}}"#, Some("c")),
        (r#"{"channel":"subscription","payload":{"channel":"c"}}"#, Some("c")),
        (r#"{"channel":"subscription","payload":{"action":7}}"#, None),
        (r#"{"channel":"subscription","payload":3}"#, None),
        (r#"{"channel":"subscription"}"#, None),
        (r#"{"action":"fly","channel":"c"}"#, Some("c")),
        (r#"{"action":"Subscribe","channel":"c"}"#, Some("c")),
    ];
    refused("unknown_action", &frames).await;
}

#[tokio::test]
async fn an_unusable_channel_name_is_refused() {
    let frames = [
        (r#"{"action":"subscribe","channel":""}"#, Some("")),
        (r#"{"action":"subscribe","channel":"a\u0000b"}"#, Some("a\u{0}b")),
        (r#"{"action":"unsubscribe","channel":"a\nb"}"#, Some("a\nb")),
        (r#"{"action":"history","channel":"a\tb"}"#, Some("a\tb")),
        (r#"{"action":"presence","channel":"a\u007fb"}"#, Some("a\u{7f}b")),
        (r#"{"action":"subscribe","channel":"a\u2028b"}"#, Some("a\u{2028}b")),
        (r#"{"action":"subscribe","channel":"a\u00a0b"}"#, Some("a\u{a0}b")),
        (
            r#"{"channel":"subscription","payload":{"action":"subscribe","channel":"subscription"}}"#,
            Some("subscription"),
        ),
        (r#"{"type":"subscribe","payload":{"channel":"subscription"}}"#, Some("subscription")),
        (r#"{"action":"subscribe","channel":7}"#, None),
        (r#"{"action":"subscribe","channel":["c"]}"#, None),
        (r#"{"channel":"","payload":1}"#, Some("")),
        (r#"{"channel":"a\r\nb","payload":1}"#, Some("a\r\nb")),
        (r#"{"type":"","payload":1}"#, Some("")),
        (r#"{"channel":7,"payload":1}"#, None),
        (r#"{"channel":null,"payload":1}"#, None),
    ];
    refused("bad_channel", &frames).await;
}

#[tokio::test]
async fn a_channel_name_that_is_too_long_is_refused() {
    let gateway = Gateway::start(&[]).await;
    let mut client = Client::connect(&gateway).await;
    let names = ["x".repeat(201), "é".repeat(101), "y".repeat(10_240)];
    for name in names {
        for form in Form::ALL {
            let answer = client.ask(form, "subscribe", json!({"channel": name})).await;
            assert_eq!(answer["payload"]["code"], "channel_too_long", "{answer}");
            assert!(answer.to_string().len() < 1000, "no name of any length is sent back");
        }
        client.publish(&name, &json!(1)).await;
        assert_eq!(client.next_json().await["payload"]["code"], "channel_too_long");
    }
    client.subscribe(&"x".repeat(200)).await;
    still_works(&gateway, &mut client).await;
}

#[tokio::test]
async fn what_is_no_position_is_refused() {
    let frames = [
        (r#"{"action":"subscribe","channel":"c","since":"yesterday"}"#, Some("c")),
        (r#"{"action":"subscribe","channel":"c","since":""}"#, Some("c")),
        (r#"{"action":"subscribe","channel":"c","since":5}"#, Some("c")),
        (r#"{"action":"subscribe","channel":"c","since":{}}"#, Some("c")),
        (r#"{"action":"history","channel":"c","since":"-1"}"#, Some("c")),
        (r#"{"type":"subscribe","payload":{"channel":"c","since":[]}}"#, Some("c")),
    ];
    refused("bad_position", &frames).await;
}

#[tokio::test]
async fn a_limit_out_of_range_is_refused() {
    let limits = ["0", "1001", "-1", "1.5", "\"10\"", "[]", "true", "99999999999999999999999"];
    let frames = limits.map(|n| format!(r#"{{"action":"history","channel":"c","limit":{n}}}"#));
    let frames: Vec<_> = frames.iter().map(|frame| (frame.as_str(), Some("c"))).collect();
    refused("bad_limit", &frames).await;
}

#[tokio::test]
async fn an_option_that_is_not_true_or_false_is_refused() {
    let frames = [
        (r#"{"action":"subscribe","channel":"c","positions":"yes"}"#, Some("c")),
        (r#"{"action":"subscribe","channel":"c","positions":1}"#, Some("c")),
    ];
    refused("bad_option", &frames).await;
}

#[tokio::test]
async fn a_refused_subscription_does_not_end_the_one_there_is() {
    let gateway = Gateway::start(&[]).await;
    let (mut client, mut publisher) =
        (Client::connect(&gateway).await, Client::connect(&gateway).await);
    client.subscribe("c").await;
    let again = json!({"channel": "c", "since": "nonsense"});
    let answer = client.ask(Form::Action, "subscribe", again).await;
    assert_eq!(answer["payload"]["code"], "bad_position");
    publisher.publish("c", &json!(1)).await;
    assert_eq!(client.next_json().await, json!({"channel": "c", "payload": 1}));
}
