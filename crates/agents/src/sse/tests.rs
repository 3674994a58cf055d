//! The decoder against one that has the whole text before it.
use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

const MAX: usize = 1 << 16;

/// Decodes `chunks`, up to an error.
fn decode(max: usize, chunks: &[&[u8]]) -> (Vec<SseEvent>, Result<(), TooLong>) {
    let (mut decoder, mut events) = (Decoder::new(max), VecDeque::new());
    let result = chunks.iter().try_for_each(|chunk| decoder.push(chunk, &mut events));
    (events.into(), result)
}

/// The same by the letter of the standard, from the whole body.
fn naive(body: &[u8]) -> Vec<SseEvent> {
    let text = String::from_utf8_lossy(body).into_owned();
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let (whole, _unended) = text.rsplit_once('\n').unwrap_or_default();
    let mut events = Vec::new();
    let (mut kind, mut data) = (String::new(), String::new());
    for line in whole.split('\n') {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if line.is_empty() => {
                if let Some(data) = data.strip_suffix('\n') {
                    events.push(SseEvent { kind, data: data.to_owned() });
                }
                (kind, data) = (String::new(), String::new());
            }
            "data" => data = data + value + "\n",
            "event" => kind = value.to_owned(),
            _ => {}
        }
    }
    events
}

fn event(kind: &str, data: &str) -> SseEvent {
    SseEvent { kind: kind.to_owned(), data: data.to_owned() }
}

/// Pieces that a body may be made of, good and bad.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let pieces: [&[u8]; 22] = [
        b"data",
        b":",
        b" ",
        b"\r",
        b"\n",
        b"\r\n",
        b"\n\n",
        b"\r\n\r\n",
        b"event: token",
        b"data: {\"a\":1}",
        b"data:",
        b"id: 7",
        b"retry: 9",
        b": comment",
        "é".as_bytes(),
        "🐈‍⬛".as_bytes(),
        b"\xF0\x9F",
        b"\xFF",
        "\u{feff}".as_bytes(),
        b"\0",
        b"data: x\n\n",
        "data: 日本\r\n\r\n".as_bytes(),
    ];
    vec(select(pieces.to_vec()), 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_body_cut_in_two_at_any_byte_is_the_body(body in body()) {
        let expected = (naive(&body), Ok(()));
        prop_assert_eq!(&decode(MAX, &[&body]), &expected);
        for cut in 0..=body.len() {
            let (a, b) = body.split_at(cut);
            prop_assert_eq!(&decode(MAX, &[a, b"", b]), &expected, "cut at {}", cut);
        }
    }

    #[test]
    fn a_body_byte_by_byte_is_the_body(body in body()) {
        let bytes: Vec<_> = body.chunks(1).collect();
        prop_assert_eq!(decode(MAX, &bytes), (naive(&body), Ok(())));
    }

    #[test]
    fn a_body_in_any_pieces_is_the_body(body in body(), sizes in vec(0_usize..7, 1..40)) {
        let (mut rest, mut chunks) = (&*body, Vec::new());
        for size in sizes.iter().cycle().take(body.len() * 40) {
            let (chunk, after) = rest.split_at((*size).min(rest.len()));
            chunks.push(chunk);
            rest = after;
        }
        chunks.push(rest);
        prop_assert_eq!(decode(MAX, &chunks), (naive(&body), Ok(())));
    }

    #[test]
    fn a_bound_is_met_at_the_same_event_however_the_body_is_cut(
        body in body(), max in 1_usize..12, cut in 0_usize..60,
    ) {
        let (a, b) = body.split_at(cut.min(body.len()));
        prop_assert_eq!(decode(max, &[a, b]), decode(max, &[&body]));
    }
}

#[test]
fn events_are_as_the_standard_says() {
    let body = "\u{feff}data: one\n\ndata:two\r\rdata: a\r\ndata:  b\r\n\r\n: comment\n\n\
                event: odd\ndata\n\nevent: lost\n\nid: 1\nretry: 5\ndata: three\n\ndata: unended\n";
    let expected = [("", "one"), ("", "two"), ("", "a\n b"), ("odd", ""), ("", "three")]
        .map(|(k, d)| event(k, d));
    assert_eq!(decode(MAX, &[body.as_bytes()]), (expected.to_vec(), Ok(())));
}

#[test]
fn what_never_ends_is_an_error_and_not_kept() {
    let mut decoder = Decoder::new(100);
    let mut events = VecDeque::new();
    let mut endless = |bytes: &[u8]| -> usize {
        (0..99).find(|_| decoder.push(bytes, &mut events).is_err()).expect("an error")
    };
    assert_eq!(endless(b"0123456789"), 10, "a line of at most 100 bytes");
    let mut decoder = Decoder::new(100);
    let lines = (0..99).find(|_| decoder.push(b"data: 89\n", &mut events).is_err());
    assert_eq!(lines, Some(33), "data of fewer than 100 bytes");
    assert!(decoder.line.capacity() <= 200 && decoder.event.data.len() <= 100);
    assert_eq!(events, []);
}

#[test]
fn an_event_without_the_empty_line_is_given_at_the_end() {
    let ends =
        [("data: a", "a"), ("data: a\n", "a"), ("data: a\r\ndata: b\r", "a\nb"), ("data:", "")];
    for (body, data) in ends {
        let (mut decoder, mut events) = (Decoder::new(MAX), VecDeque::new());
        decoder.push(body.as_bytes(), &mut events).unwrap();
        assert_eq!(events, []);
        decoder.finish(&mut events).unwrap();
        decoder.finish(&mut events).unwrap();
        assert_eq!(events, [event("", data)], "{body:?}");
    }
    for body in ["", "event: end", ": comment", "data: a\n\n", "data: a\n\nid: 7"] {
        let (mut decoder, mut events) = (Decoder::new(MAX), VecDeque::new());
        decoder.push(body.as_bytes(), &mut events).unwrap();
        events.clear();
        decoder.finish(&mut events).unwrap();
        assert_eq!(events, [], "{body:?}");
    }
}
