//! XML of a part, one event at a time.
use quick_xml::{
    Reader, XmlVersion,
    events::{BytesRef, BytesStart, Event},
};

use super::{broken, package::Part};
use crate::error::Error;

#[derive(Debug)]
pub(super) struct Xml {
    reader: Reader<Part>,
    buffer: Vec<u8>,
    /// Elements that are open. The parser keeps their names.
    depth: usize,
}

const MAX_DEPTH: usize = 100;

// === impl Xml ===

impl Xml {
    pub(super) fn new(part: Part) -> Self {
        let mut reader = Reader::from_reader(part);
        reader.config_mut().expand_empty_elements = true;
        Self { reader, buffer: Vec::new(), depth: 0 }
    }

    pub(super) fn next(&mut self) -> Result<Event<'_>, Error> {
        self.buffer.clear();
        self.reader.get_mut().refill();
        let Self { reader, buffer, depth } = self;
        let event = match reader.read_event_into(buffer) {
            Ok(event) => event,
            Err(error) => return Err(reader.get_ref().over().unwrap_or_else(|| broken(error))),
        };
        match &event {
            Event::Start(_) if *depth == MAX_DEPTH => {
                return Err(broken(format!("elements are nested deeper than {MAX_DEPTH}")));
            }
            Event::Start(_) => *depth += 1,
            Event::End(_) => *depth = depth.saturating_sub(1),
            _ => {}
        }
        Ok(event)
    }

    /// The part that was read.
    pub(super) fn part(&self) -> f64 {
        self.reader.get_ref().part()
    }
}

/// The value of an attribute whose prefix does not matter.
pub(super) fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, Error> {
    for attribute in element.attributes().with_checks(false) {
        let attribute = attribute.map_err(broken)?;
        if attribute.key.local_name().as_ref() == name {
            return Ok(Some(
                attribute.normalized_value(XmlVersion::Implicit1_0).map_err(broken)?.into_owned(),
            ));
        }
    }
    Ok(None)
}

/// The text of `&amp;` and `&#38;`. No other entities are known, so none can expand to much.
pub(super) fn resolve(reference: &BytesRef<'_>, text: &mut String) -> Result<(), Error> {
    if let Some(character) = reference.resolve_char_ref().map_err(broken)? {
        text.push(character);
        return Ok(());
    }
    let known = quick_xml::escape::resolve_predefined_entity(reference);
    text.push_str(known.ok_or_else(|| broken(format!("unknown entity &{};", &**reference)))?);
    Ok(())
}
