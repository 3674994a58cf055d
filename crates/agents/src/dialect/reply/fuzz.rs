//! Streams without a network, for tests that cut them in all ways.
use std::{collections::VecDeque, sync::Arc};

use super::{Parts, Reader, ReplyProgress, over, read};
use crate::{
    Code, Given, Part, Question,
    dialect::{agui, http, openai},
    sse::Decoder,
};

/// The outcome of a stream: its parts with the texts put together, and its failure.
pub(crate) type Heard = (Vec<Part>, Option<Code>);

fn heard(mut reader: impl Reader, pieces: &[&[u8]], is_cut: bool) -> Heard {
    let (mut decoder, mut events, mut parts) =
        (Decoder::new(1 << 20), VecDeque::new(), Parts::new());
    let mut failed = None;
    let is_over = |parts: &Parts| parts.iter().any(|part| matches!(part, Part::End(_)));
    let last: &[u8] = b"";
    for (n, piece) in pieces.iter().chain([&last]).enumerate() {
        let is_last = n == pieces.len();
        let taken = if is_last && !is_cut {
            decoder.finish(&mut events)
        } else {
            decoder.push(piece, &mut events)
        };
        if taken.is_err() {
            failed = failed.or(Some(Code::TooLong));
        }
        for event in events.drain(..) {
            if !is_over(&parts) && failed.is_none() {
                failed = read(&mut reader, &event, is_last, &mut parts)
                    .err()
                    .map(|trouble| trouble.code);
            }
        }
    }
    if !is_over(&parts) && failed.is_none() {
        let progress = reader.progress();
        let is_lost = is_cut && progress == ReplyProgress::Paused;
        let progress = if is_lost { ReplyProgress::Open } else { progress };
        failed = over(&mut reader, progress, &mut parts).err().map(|trouble| trouble.code);
    }
    (merged(parts), failed)
}

/// The visible parts: without empty texts, and with adjacent texts joined.
fn merged(parts: Parts) -> Vec<Part> {
    let mut all = Vec::new();
    for part in parts {
        match (part, all.last_mut()) {
            (Part::Text(text) | Part::Reasoning(text), _) if text.is_empty() => {}
            (Part::Text(text), Some(Part::Text(before)))
            | (Part::Reasoning(text), Some(Part::Reasoning(before))) => before.push_str(&text),
            (part, _) => all.push(part),
        }
    }
    all
}

/// Reads a stream of a dialect that comes in these pieces, and is cut off after them or ends in
/// order.
pub(crate) fn play(dialect: &str, pieces: &[&[u8]], is_cut: bool) -> Heard {
    match dialect {
        "openai" => heard(openai::OpenaiReader::default(), pieces, is_cut),
        "agui" => heard(agui::AguiReader::new(&question(), 1 << 20), pieces, is_cut),
        _ => heard(http::HttpReader::new(names()), pieces, is_cut),
    }
}

fn question() -> Question {
    Question {
        turn: uuid::Uuid::nil(),
        topic: "user:7".parse().expect("a topic"),
        user: Arc::from("7"),
        text: Arc::from("Hi"),
        history: Vec::new(),
        given: Given::default(),
    }
}

/// The default names.
fn names() -> http::Names {
    let reply = ["response", "full_response"].map(str::to_owned).into();
    http::Names { token: "token".into(), reply }
}
