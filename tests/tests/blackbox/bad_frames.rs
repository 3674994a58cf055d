//! Frames that break RFC 6455 or are too large, each with its close code; and odd ones that do not.
use e2e::{
    Client, Gateway, Raw,
    raw::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, frame, unmasked},
};

use crate::survival::others_are_served;

const MIB: usize = 1 << 20;

/// Sends each of these on a connection of its own, and expects this close code.
async fn closed_with(code: u16, cases: Vec<(&str, Vec<u8>)>) {
    let gateway = Gateway::start(&[]).await;
    for (what, bytes) in cases {
        let (closed, _) = Raw::connect(&gateway).await.send_until_closed(&bytes).await;
        assert_eq!(closed, code, "{what}");
        others_are_served(&gateway).await;
    }
}

/// A publication of exactly `length` bytes.
fn publication(length: usize) -> Vec<u8> {
    let (begin, end) = (r#"{"channel":"c","payload":""#, r#""}"#);
    let padding = "x".repeat(length - begin.len() - end.len());
    format!("{begin}{padding}{end}").into_bytes()
}

/// The same message in fragments of these sizes; the last takes what is left.
fn fragments(message: &[u8], size: usize) -> Vec<u8> {
    let last = message.chunks(size).count() - 1;
    let parts = message.chunks(size).enumerate().map(|(n, part)| {
        let opcode = if n == 0 { TEXT } else { CONTINUATION };
        frame(if n == last { opcode | FIN } else { opcode }, part)
    });
    parts.flatten().collect()
}

/// Sends `bytes`, and expects `message` to reach a subscriber unchanged.
async fn delivered(bytes: &[u8], message: &[u8]) {
    let gateway = Gateway::start(&[("topics.chan.bytes", "8388608")]).await;
    let mut client = Client::connect(&gateway).await;
    client.subscribe("c").await;
    let mut raw = Raw::connect(&gateway).await;
    raw.send(bytes).await;
    assert_eq!(client.next_text().await.as_bytes(), message);
}

#[tokio::test]
async fn frames_that_break_the_rfc_are_closed_with_1002() {
    let text = br#"{"channel":"c","payload":1}"#;
    let mut restarted = frame(TEXT, b"{\"channel\":");
    restarted.extend(frame(FIN | TEXT, text));
    let cases = vec![
        ("no mask", unmasked(FIN | TEXT, text)),
        ("no mask on a ping", unmasked(FIN | PING, b"")),
        ("reserved bit 1", frame(FIN | 0x40 | TEXT, text)),
        ("reserved bit 2", frame(FIN | 0x20 | TEXT, text)),
        ("reserved bit 3", frame(FIN | 0x10 | TEXT, text)),
        ("unknown opcode 3", frame(FIN | 0x3, text)),
        ("unknown control opcode 11", frame(FIN | 0xB, b"")),
        ("a ping of 126 bytes", frame(FIN | PING, &[0; 126])),
        ("a ping in fragments", frame(PING, b"")),
        ("a close in fragments", frame(CLOSE, b"")),
        ("a close of 1 byte", frame(FIN | CLOSE, &[3])),
        ("a close with a code never sent", frame(FIN | CLOSE, &1005_u16.to_be_bytes())),
        ("a close with a code of 0", frame(FIN | CLOSE, &[0, 0])),
        ("a continuation of nothing", frame(FIN | CONTINUATION, text)),
        ("a message within a message", restarted),
    ];
    closed_with(1002, cases).await;
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_closed_with_1007() {
    let split = [frame(TEXT, b"{\"channel\":\"\xC3"), frame(FIN | CONTINUATION, b"(\"}")].concat();
    let cases = vec![
        ("a lone continuation byte", frame(FIN | TEXT, b"{\"channel\":\"\x80\"}")),
        ("an overlong slash", frame(FIN | TEXT, b"{\"channel\":\"\xC0\xAF\"}")),
        ("a surrogate", frame(FIN | TEXT, b"{\"channel\":\"\xED\xA0\x80\"}")),
        ("beyond U+10FFFF", frame(FIN | TEXT, b"{\"channel\":\"\xF4\x90\x80\x80\"}")),
        ("cut off at the end", frame(FIN | TEXT, b"{\"channel\":\"\xE2\x82")),
        ("split over fragments", split),
    ];
    closed_with(1007, cases).await;
}

#[tokio::test]
async fn messages_over_the_limit_are_closed_with_1009() {
    let mut claims = vec![FIN | TEXT, 0xFF];
    claims.extend((u64::MAX >> 1).to_be_bytes());
    claims.extend([0; 4]);
    let cases = vec![
        ("one frame of 1 MiB + 1", frame(FIN | TEXT, &publication(MIB + 1))),
        ("one binary frame of 1 MiB + 1", frame(FIN | BINARY, &vec![0; MIB + 1])),
        ("fragments of 1 MiB + 1 in all", fragments(&publication(MIB + 1), 64 << 10)),
        ("fragments without an end", fragments(&vec![b' '; 4 * MIB], 32 << 10)),
        ("a frame that claims 8 EiB", claims),
    ];
    closed_with(1009, cases).await;
}

#[tokio::test]
async fn more_than_4096_fragments_are_closed_with_1008() {
    let empty = [frame(TEXT, b""), frame(CONTINUATION, b"").repeat(5000)].concat();
    let cases = vec![
        ("4097 fragments", fragments(&publication(4097), 1)),
        ("empty fragments without an end", empty),
    ];
    closed_with(1008, cases).await;
}

#[tokio::test]
async fn a_message_of_exactly_1_mib_is_delivered() {
    let message = publication(MIB);
    delivered(&frame(FIN | TEXT, &message), &message).await;
}

#[tokio::test]
async fn fragments_of_exactly_1_mib_in_all_are_delivered() {
    let message = publication(MIB);
    delivered(&fragments(&message, 1000), &message).await;
}

#[tokio::test]
async fn exactly_4096_fragments_are_delivered() {
    let message = publication(4096);
    delivered(&fragments(&message, 1), &message).await;
}

#[tokio::test]
async fn characters_may_be_split_over_fragments() {
    let message = r#"{"channel":"c","payload":"é€😀"}"#.as_bytes();
    delivered(&fragments(message, 1), message).await;
}

#[tokio::test]
async fn a_ping_between_fragments_is_answered_before_the_message_ends() {
    let gateway = Gateway::start(&[]).await;
    let mut raw = Raw::connect(&gateway).await;
    raw.send(&frame(TEXT, br#"{"action":"#)).await;
    raw.send(&frame(FIN | PING, b"between")).await;
    assert_eq!(raw.frame().await, Some((FIN | PONG, b"between".to_vec())));
    raw.send(&frame(FIN | CONTINUATION, br#""ping"}"#)).await;
    let (first, answer) = raw.frame().await.unwrap();
    assert_eq!(first, FIN | TEXT);
    assert!(answer.starts_with(br#"{"action":"pong""#), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_close_is_answered_with_its_code() {
    let gateway = Gateway::start(&[]).await;
    for (sent, answered) in [(1000, 1000), (1001, 1001), (4321, 4321)] {
        let mut raw = Raw::connect(&gateway).await;
        raw.send(&frame(FIN | CLOSE, &u16::to_be_bytes(sent))).await;
        let (code, _) = raw.closed().await;
        assert!(code == answered || code == 1000, "{sent} was answered with {code}");
        assert_eq!(raw.frame().await, None, "the connection ends after the close");
    }
}

#[tokio::test]
async fn frames_in_the_same_bytes_as_the_handshake_are_not_lost() {
    let gateway = Gateway::start(&[]).await;
    let mut raw = Raw::connect_with(gateway.address(), &frame(FIN | PING, b"early")).await;
    assert_eq!(raw.frame().await, Some((FIN | PONG, b"early".to_vec())));
}

#[tokio::test]
async fn bytes_may_come_one_at_a_time() {
    let gateway = Gateway::start(&[]).await;
    let mut raw = Raw::connect(&gateway).await;
    for byte in frame(FIN | PING, b"slowly") {
        raw.send(&[byte]).await;
    }
    assert_eq!(raw.frame().await, Some((FIN | PONG, b"slowly".to_vec())));
}
