//! XML of a part, one node at a time, and of it only what counts: elements of the namespace of
//! spreadsheets, wherever they stand among those of others.
use std::borrow::Cow;

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesRef, BytesStart, Event},
};

use super::{
    broken,
    package::Part,
    space::{Scopes, Space},
};
use crate::{error::Error, progress::Meter};

#[derive(Debug)]
pub(super) struct Xml {
    reader: Reader<Part>,
    buffer: Vec<u8>,
    scopes: Scopes,
    /// What elements must belong to.
    space: Space,
    /// The elements that are open, also those that do not count. The parser keeps their names.
    open: Vec<Open>,
    /// Below it nothing counts.
    skipped: Option<usize>,
    /// Elements that are open and count.
    level: usize,
    node: Seen,
}

/// What the present node says.
#[derive(Debug, Default)]
struct Seen {
    level: usize,
    /// What is between the brackets of an element.
    tag: String,
    /// Bytes of its name with its prefix, and of the prefix with its colon.
    name: usize,
    prefix: usize,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Start,
    End,
    Text,
    Eof,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Counts,
    /// One that is as if it were not there; what is in it counts.
    Around,
    /// Alternatives, of which one was taken or not yet.
    Alternatives {
        taken: bool,
    },
    Skipped,
}

const MAX_DEPTH: usize = 100;

// === impl Xml ===

impl Xml {
    /// Read `part`, whose elements belong to `space`, or to none at all if the first one does not.
    pub(super) fn new(part: Part, space: Space) -> Self {
        let mut reader = Reader::from_reader(part);
        reader.config_mut().expand_empty_elements = true;
        Self {
            reader,
            buffer: Vec::new(),
            scopes: Scopes::default(),
            space,
            open: Vec::new(),
            skipped: None,
            level: 0,
            node: Seen::default(),
        }
    }

    /// Go to the next node that counts.
    pub(super) fn next(&mut self, meter: &mut Meter<'_>) -> Result<Node, Error> {
        loop {
            meter.step()?;
            if let Some(node) = self.advance()? {
                return Ok(node);
            }
        }
    }

    /// Go to the next node, if that counts.
    fn advance(&mut self) -> Result<Option<Node>, Error> {
        self.buffer.clear();
        self.reader.get_mut().refill();
        let event = match self.reader.read_event_into(&mut self.buffer) {
            Ok(event) => event,
            Err(error) => {
                return Err(self.reader.get_ref().over().unwrap_or_else(|| broken(error)));
            }
        };
        let Self { scopes, open, skipped, space, level, node, .. } = self;
        match event {
            Event::Start(element) => {
                let depth = open.len();
                if depth == MAX_DEPTH {
                    return Err(broken(format!("elements are nested deeper than {MAX_DEPTH}")));
                }
                if skipped.is_some() {
                    open.push(Open::Skipped);
                    return Ok(None);
                }
                scopes.open(&element, depth)?;
                let found = scopes.of(element.name().prefix());
                if depth == 0 && found == Space::None {
                    *space = Space::None;
                }
                let opened = match found {
                    Space::Compatibility => alternative(&element, scopes, open)?,
                    // Extensions repeat names of their surroundings.
                    found if found == *space && element.local_name().as_ref() != "extLst" => {
                        Open::Counts
                    }
                    _ => Open::Skipped,
                };
                open.push(opened);
                match opened {
                    Open::Skipped => *skipped = Some(depth),
                    Open::Counts => {
                        *level += 1;
                        node.take(&element, *level);
                        return Ok(Some(Node::Start));
                    }
                    Open::Around | Open::Alternatives { .. } => {}
                }
                Ok(None)
            }
            Event::End(element) => {
                let Some(closed) = open.pop() else { return Ok(None) };
                let depth = open.len();
                if *skipped == Some(depth) {
                    *skipped = None;
                }
                if skipped.is_none() {
                    if depth == 0 {
                        scopes.close(0);
                    } else {
                        scopes.close(depth - 1);
                    }
                }
                if closed != Open::Counts {
                    return Ok(None);
                }
                let name = element.name();
                node.tag.clear();
                node.tag.push_str(name.as_ref());
                node.name = node.tag.len();
                node.prefix = node.name - element.local_name().as_ref().len();
                node.level = *level;
                *level -= 1;
                Ok(Some(Node::End))
            }
            _ if skipped.is_some() && !matches!(event, Event::Eof) => Ok(None),
            Event::Text(piece) => Ok(node.say(&piece.xml10_content())),
            Event::CData(piece) => Ok(node.say(&piece.xml10_content())),
            Event::GeneralRef(reference) => {
                node.text.clear();
                resolve(&reference, &mut node.text)?;
                Ok(Some(Node::Text))
            }
            Event::Eof => Ok(Some(Node::Eof)),
            _ => Ok(None),
        }
    }

    /// The name of the element that began or ended.
    pub(super) fn name(&self) -> &str {
        self.node.tag.get(self.node.prefix..self.node.name).unwrap_or_default()
    }

    /// How many elements it is in that count, itself included.
    pub(super) fn level(&self) -> usize {
        self.node.level
    }

    pub(super) fn text(&self) -> &str {
        &self.node.text
    }

    fn element(&self) -> BytesStart<'_> {
        BytesStart::from_content(self.node.tag.as_str(), self.node.name)
    }

    /// The attributes of the element that began, which have no prefix.
    pub(super) fn attributes(
        &self,
        mut each: impl FnMut(&str, &str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for attribute in self.element().attributes().with_checks(false) {
            let attribute = attribute.map_err(broken)?;
            each(attribute.key.as_ref(), &attribute.value)?;
        }
        Ok(())
    }

    /// The value of an attribute without a prefix.
    pub(super) fn attribute(&self, name: &str) -> Result<Option<String>, Error> {
        for attribute in self.element().attributes().with_checks(false) {
            let attribute = attribute.map_err(broken)?;
            if attribute.key.as_ref() == name {
                return Ok(Some(value(&attribute)?.into_owned()));
            }
        }
        Ok(None)
    }

    /// The relation that the element names: the `id` that belongs to relations, whatever its prefix.
    pub(super) fn relation(&self) -> Result<Option<String>, Error> {
        let mut other = None;
        for attribute in self.element().attributes().with_checks(false) {
            let attribute = attribute.map_err(broken)?;
            let (local, prefix) = attribute.key.decompose();
            let Some(prefix) = prefix.filter(|_| local.as_ref() == "id") else { continue };
            let value = value(&attribute)?.into_owned();
            if self.scopes.of(Some(prefix)) == Space::Relations {
                return Ok(Some(value));
            }
            other.get_or_insert(value);
        }
        // Some files do not say what their prefixes are.
        Ok(other)
    }

    /// The part that was read.
    pub(super) fn part(&self) -> f64 {
        self.reader.get_ref().part()
    }
}

// === impl Seen ===

impl Seen {
    fn take(&mut self, element: &BytesStart<'_>, level: usize) {
        self.level = level;
        self.tag.clear();
        self.tag.push_str(element.name().as_ref());
        self.name = self.tag.len();
        self.prefix = self.name - element.local_name().as_ref().len();
        self.tag.push_str(element.attributes_raw());
    }

    #[expect(clippy::unnecessary_wraps, reason = "as its callers need it")]
    fn say(&mut self, text: &str) -> Option<Node> {
        self.text.clear();
        self.text.push_str(text);
        Some(Node::Text)
    }
}

fn value<'a>(
    attribute: &quick_xml::events::attributes::Attribute<'a>,
) -> Result<Cow<'a, str>, Error> {
    attribute.normalized_value(XmlVersion::Implicit1_0).map_err(broken)
}

/// What becomes of an element of alternatives: the first one that needs nothing more than is known
/// here counts, and if there is none, what is there for others.
fn alternative(
    element: &BytesStart<'_>,
    scopes: &Scopes,
    open: &mut [Open],
) -> Result<Open, Error> {
    let taken = match open.last_mut() {
        Some(Open::Alternatives { taken }) => Some(taken),
        _ => None,
    };
    let counts = match element.local_name().as_ref() {
        "AlternateContent" => return Ok(Open::Alternatives { taken: false }),
        "Choice" => {
            let needs = element.try_get_attribute("Requires").map_err(broken)?;
            let needs = needs.map_or(Cow::Borrowed(""), |it| it.value);
            !needs.trim().is_empty()
                && needs
                    .split_ascii_whitespace()
                    .all(|prefix| matches!(scopes.named(prefix), Space::Main | Space::Relations))
        }
        "Fallback" => true,
        _ => false,
    };
    match taken {
        Some(taken) if counts && !*taken => {
            *taken = true;
            Ok(Open::Around)
        }
        _ => Ok(Open::Skipped),
    }
}

/// The text of `&amp;` and `&#38;`. No other entities are known, so none can expand to much.
fn resolve(reference: &BytesRef<'_>, text: &mut String) -> Result<(), Error> {
    if let Some(character) = reference.resolve_char_ref().map_err(broken)? {
        text.push(character);
        return Ok(());
    }
    let known = quick_xml::escape::resolve_predefined_entity(reference);
    text.push_str(known.ok_or_else(|| broken(format!("unknown entity &{};", &**reference)))?);
    Ok(())
}
