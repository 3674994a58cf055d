//! Server-sent events as text.
use std::fmt::{self, Display, Write};

use quadrille_core::{Close, Gap, Position};
use serde::Serialize;

/// Appends the `id` to resume after the event that follows.
pub fn put_id(out: &mut String, id: impl Display) {
    writeln!(out, "id: {id}").expect("a String takes all");
}

/// Appends an event that is not a record.
pub fn notice(out: &mut String, kind: &str, data: &impl Serialize) {
    let json = serde_json::to_string(data).expect("texts and numbers are JSON");
    put(out, kind, &json);
}

/// Appends an event that says why the server ends the stream.
pub fn end(out: &mut String, kind: &str, close: &Close) {
    #[derive(Serialize)]
    struct EndData<'a> {
        code: u16,
        reason: &'a str,
    }
    notice(out, kind, &EndData { code: close.code, reason: &close.reason });
}

/// Appends the event `gap`: records are gone for this client.
pub fn gap(out: &mut String, Gap { topic, missed, at }: &Gap) {
    #[derive(Serialize)]
    struct GapData<'a> {
        topic: &'a str,
        missed: Option<u64>,
        position: Position,
    }
    notice(out, "gap", &GapData { topic: topic.as_str(), missed: *missed, position: *at });
}

/// Appends an event, each line break of its data as another line.
pub fn put(out: &mut String, kind: &str, data: &str) {
    writeln!(out, "event: {}", OneLine(kind)).expect("a String takes all");
    put_data(out, data);
}

/// Appends an event without a name.
pub fn put_data(out: &mut String, data: &str) {
    let mut rest = data;
    loop {
        let (line, after) = match rest.split_once(LINE_BREAKS) {
            Some((line, after)) => (line, Some(after)),
            None => (rest, None),
        };
        out.extend(["data: ", line, "\n"]);
        let Some(after) = after else { break };
        // A line feed after a carriage return ends the same line.
        let pair = rest.as_bytes().get(line.len()) == Some(&b'\r');
        rest = after.strip_prefix('\n').filter(|_| pair).unwrap_or(after);
    }
    out.push('\n');
}

/// Characters that end a line of data.
const LINE_BREAKS: [char; 2] = ['\r', '\n'];

/// Writes a name on one line, so that it cannot begin another field.
struct OneLine<'a>(&'a str);

impl Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
        self.0.chars().try_for_each(|c| f.write_char(plain(c)))
    }
}
