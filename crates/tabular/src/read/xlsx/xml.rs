//! Reads the XML of a part, one node at a time. Only elements of the expected namespace are
//! reported, also those inside of foreign elements that are transparent.
use std::borrow::Cow;

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesRef, BytesStart, Event},
};

use super::{
    package::PackagePart,
    space::{Scopes, Space},
};
use crate::{
    error::{Error, broken},
    progress::Meter,
};

#[derive(Debug)]
pub(super) struct Xml {
    reader: Reader<PackagePart>,
    buffer: Vec<u8>,
    scopes: Scopes,
    /// Namespace of the reported elements.
    space: Space,
    /// Open elements, also those that are not reported. The parser keeps their names.
    open: Vec<OpenElement>,
    /// Depth of the outermost skipped element.
    skipped: Option<usize>,
    /// Number of open reported elements.
    level: usize,
    node: CurrentNode,
}

/// The current node.
#[derive(Debug, Default)]
struct CurrentNode {
    level: usize,
    /// Content between the brackets of an element.
    tag: String,
    /// Bytes of the name with its prefix, and of the prefix with its colon.
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
enum OpenElement {
    Counts,
    /// Transparent: not reported, while its content is.
    Around,
    /// A list of alternatives, of which one may be taken already.
    Alternatives {
        taken: bool,
    },
    Skipped,
}

const MAX_DEPTH: usize = 100;

// === impl Xml ===

impl Xml {
    /// Reads `part`, whose elements belong to `space`, or to no namespace if the first one does
    /// not.
    pub(super) fn new(part: PackagePart, space: Space) -> Self {
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
            node: CurrentNode::default(),
        }
    }

    /// Advances to the next reported node.
    pub(super) fn next(&mut self, meter: &mut Meter<'_>) -> Result<Node, Error> {
        loop {
            meter.step()?;
            if let Some(node) = self.advance()? {
                return Ok(node);
            }
        }
    }

    /// Reads the next node. `None` if it is not reported.
    fn advance(&mut self) -> Result<Option<Node>, Error> {
        self.buffer.clear();
        self.reader.get_mut().begin_element();
        let event = match self.reader.read_event_into(&mut self.buffer) {
            Ok(event) => event,
            Err(error) => {
                return Err(self.reader.get_ref().limit_error().unwrap_or_else(|| broken(error)));
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
                    open.push(OpenElement::Skipped);
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
                        OpenElement::Counts
                    }
                    _ => OpenElement::Skipped,
                };
                open.push(opened);
                match opened {
                    OpenElement::Skipped => *skipped = Some(depth),
                    OpenElement::Counts => {
                        *level += 1;
                        node.take(&element, *level);
                        return Ok(Some(Node::Start));
                    }
                    OpenElement::Around | OpenElement::Alternatives { .. } => {}
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
                if closed != OpenElement::Counts {
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
            Event::Text(piece) => Ok(node.set_text(&piece.xml10_content())),
            Event::CData(piece) => Ok(node.set_text(&piece.xml10_content())),
            Event::GeneralRef(reference) => {
                node.text.clear();
                resolve(&reference, &mut node.text)?;
                Ok(Some(Node::Text))
            }
            Event::Eof => Ok(Some(Node::Eof)),
            _ => Ok(None),
        }
    }

    /// Returns the name of the element that began or ended.
    pub(super) fn name(&self) -> &str {
        self.node.tag.get(self.node.prefix..self.node.name).unwrap_or_default()
    }

    /// Returns the number of open reported elements, with the current one.
    pub(super) fn level(&self) -> usize {
        self.node.level
    }

    pub(super) fn text(&self) -> &str {
        &self.node.text
    }

    fn element(&self) -> BytesStart<'_> {
        BytesStart::from_content(self.node.tag.as_str(), self.node.name)
    }

    /// Calls `each` with the attributes of the current element that have no prefix.
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

    /// Returns the value of an attribute without a prefix.
    pub(super) fn attribute(&self, name: &str) -> Result<Option<String>, Error> {
        for attribute in self.element().attributes().with_checks(false) {
            let attribute = attribute.map_err(broken)?;
            if attribute.key.as_ref() == name {
                return Ok(Some(value(&attribute)?.into_owned()));
            }
        }
        Ok(None)
    }

    /// Returns the relation of the element: the `id` in the namespace of relations, with any
    /// prefix.
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
        // Some files do not declare their prefixes.
        Ok(other)
    }

    /// Returns the part that was read.
    pub(super) fn part(&self) -> f64 {
        self.reader.get_ref().part()
    }
}

// === impl CurrentNode ===

impl CurrentNode {
    fn take(&mut self, element: &BytesStart<'_>, level: usize) {
        self.level = level;
        self.tag.clear();
        self.tag.push_str(element.name().as_ref());
        self.name = self.tag.len();
        self.prefix = self.name - element.local_name().as_ref().len();
        self.tag.push_str(element.attributes_raw());
    }

    #[expect(clippy::unnecessary_wraps, reason = "as its callers need it")]
    fn set_text(&mut self, text: &str) -> Option<Node> {
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

/// Selects an alternative: the first one that needs only known namespaces, or else the fallback.
fn alternative(
    element: &BytesStart<'_>,
    scopes: &Scopes,
    open: &mut [OpenElement],
) -> Result<OpenElement, Error> {
    let taken = match open.last_mut() {
        Some(OpenElement::Alternatives { taken }) => Some(taken),
        _ => None,
    };
    let counts = match element.local_name().as_ref() {
        "AlternateContent" => return Ok(OpenElement::Alternatives { taken: false }),
        "Choice" => {
            let needs = element.try_get_attribute("Requires").map_err(broken)?;
            let needs = needs.map_or(Cow::Borrowed(""), |attribute| attribute.value);
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
            Ok(OpenElement::Around)
        }
        _ => Ok(OpenElement::Skipped),
    }
}

/// Resolves `&amp;` and `&#38;`. Other entities are unknown, so that none can expand.
fn resolve(reference: &BytesRef<'_>, text: &mut String) -> Result<(), Error> {
    if let Some(character) = reference.resolve_char_ref().map_err(broken)? {
        text.push(character);
        return Ok(());
    }
    let known = quick_xml::escape::resolve_predefined_entity(reference);
    text.push_str(known.ok_or_else(|| broken(format!("unknown entity &{};", &**reference)))?);
    Ok(())
}
