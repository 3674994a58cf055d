//! Fuzz targets for requests of `cargo xtask fuzz`. The tests replay their seeds.
use axum::http::{HeaderMap, HeaderValue};
use quadrille_core::{Draft, Event, MESSAGE, Position, Topic};
use serde_json::Value;

use super::{
    events,
    limits::{MAX_LISTED, MAX_TOPICS},
    params::QueryParams,
    publish::Publication,
    wire,
};

/// A query means what the standard for forms says (WHATWG URL, 5.1). Lines: a query, the id of
/// the last event.
pub fn query(data: &[u8]) {
    let (query, id) = match data.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&data[..at], Some(&data[at + 1..])),
        None => (data, None),
    };
    let Ok(query) = str::from_utf8(query) else { return };
    let reference: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let Ok(parsed) = QueryParams::parse(query) else {
        // What is not UTF-8 is refused here, and repaired there.
        assert!(reference.iter().any(|(k, v)| k.contains('\u{fffd}') || v.contains('\u{fffd}')));
        return;
    };
    for (name, _) in &reference {
        let expected: Vec<&str> = reference
            .iter()
            .filter(|(found, _)| found == name)
            .map(|(_, value)| &**value)
            .collect();
        assert_eq!(parsed.all(name).collect::<Vec<_>>(), expected, "{name}");
    }
    assert!(parsed.limit().map_or(true, |limit| (1..=MAX_LISTED).contains(&limit)));
    let topics = events::topics(&parsed);
    let mut headers = HeaderMap::new();
    if let Some(id) = id.and_then(|id| HeaderValue::from_bytes(id).ok()) {
        headers.insert("last-event-id", id);
    }
    let Ok(topics) = topics else { return };
    assert!((1..=MAX_TOPICS).contains(&topics.len()));
    if let Ok(since) = events::since(&parsed, &headers, topics.len()) {
        let written: Vec<_> = since.iter().map(Position::to_string).collect();
        let sent = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
        let last = parsed.all("lastEventId").next().filter(|id| !id.is_empty());
        let sent = sent.filter(|id| !id.is_empty()).or(last).or(parsed.all("since").next());
        assert_eq!(written.join(","), sent.unwrap_or_default());
    }
}

/// A record is refused, or reaches readers of events and of JSON as it was sent.
pub fn publication(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let value: Option<Value> = serde_json::from_str(text).ok();
    let Ok(publication) = Publication::parse(text) else { return };
    let given =
        value.as_ref().map(|record| record["topic"].as_str().or(record["channel"].as_str()));
    let Ok(topic) = publication.topic() else { return };
    if let Some(name) = given {
        assert_eq!(Ok(&topic), Topic::from_channel(name.unwrap_or_default()).as_ref());
    }
    let draft = Draft::new(topic.clone(), MESSAGE, publication.payload.get());
    let event = Event::new(draft, Position { epoch: 10, offset: 3 });
    let mut sent = String::new();
    wire::record(&mut sent, event.at, &event);
    let (id, kind, data) = read(&sent);
    assert_eq!((id.as_str(), kind.as_str()), ("a-3", MESSAGE), "{sent:?}");
    let json = serde_json::to_string(&wire::RecordView::of(&event)).expect("a record is JSON");
    for json in [json, data] {
        let Ok(got) = serde_json::from_str::<Value>(&json) else {
            // A number may be too large for a `Value`, and is passed on as it is.
            assert!(value.is_none(), "{json}");
            continue;
        };
        assert_eq!((&got["topic"], &got["position"]), (&topic.as_str().into(), &"a-3".into()));
        assert_eq!(Some(&got["payload"]), value.as_ref().map(|record| &record["payload"]));
    }
}

/// The one event in `sent` (WHATWG HTML, 9.2.6): its id, its kind and its data.
fn read(sent: &str) -> (String, String, String) {
    let lines = sent.replace("\r\n", "\n").replace('\r', "\n");
    let lines = lines.strip_suffix("\n\n").expect("an event ends with an empty line");
    let (mut id, mut kind, mut data) = (String::new(), String::new(), Vec::new());
    for line in lines.split('\n') {
        match line.split_once(": ").expect("a field and its value") {
            ("id", value) => value.clone_into(&mut id),
            ("event", value) => value.clone_into(&mut kind),
            ("data", value) => data.push(value),
            (other, _) => panic!("an unknown field: {other:?}"),
        }
    }
    (id, kind, data.join("\n"))
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::replay::replay;
    use super::*;

    #[test]
    fn no_seed_is_read_otherwise_than_a_form() {
        replay("query", query);
    }

    #[test]
    fn no_seed_reaches_readers_as_another_record() {
        replay("publication", publication);
    }
}
