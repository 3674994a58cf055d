//! Texts of cells: shared texts, and joined runs of rich text.
use super::{
    package::Package,
    space::Space,
    workbook::Workbook,
    xml::{Node, Xml},
};
use crate::{
    error::{Error, TooMuch, broken},
    limits::Limits,
    progress::Meter,
};

/// Most bytes of a cell. Spreadsheet programs stop at 32,767 characters.
const MAX_TEXT: usize = 1 << 20;

/// Texts in one chunk: large enough for few chunks, and small enough to waste little in the last
/// one.
const TEXTS_PER_CHUNK: usize = 1 << 14;

/// The shared texts, by index. They are kept in chunks: a single list would take three times its
/// size whenever it grows.
#[derive(Debug, Default)]
pub(super) struct SharedTexts(Vec<Vec<Box<str>>>);

impl SharedTexts {
    fn push(&mut self, text: Box<str>) {
        if self.0.last().is_none_or(|piece| piece.len() == TEXTS_PER_CHUNK) {
            let first = self.0.is_empty();
            self.0.push(if first { Vec::new() } else { Vec::with_capacity(TEXTS_PER_CHUNK) });
        }
        self.0.last_mut().expect("a piece was added").push(text);
    }

    pub(super) fn get(&self, at: usize) -> Option<&str> {
        self.0.get(at / TEXTS_PER_CHUNK)?.get(at % TEXTS_PER_CHUNK).map(|text| &**text)
    }
}

/// Reads the shared texts.
pub(super) fn shared(
    package: &mut Package,
    workbook: &Workbook,
    limits: &Limits,
    meter: &mut Meter<'_>,
) -> Result<SharedTexts, Error> {
    let mut texts = SharedTexts::default();
    let Some(path) = &workbook.texts else { return Ok(texts) };
    let Some(part) = package.part(path)? else { return Ok(texts) };
    let mut xml = Xml::new(part, Space::Main);
    let mut held = 0;
    loop {
        match (xml.next(meter)?, xml.level()) {
            (Node::Start, 2) if xml.name() == "si" => {}
            (Node::Eof, _) => return Ok(texts),
            _ => continue,
        }
        let text = read(&mut xml, meter)?;
        held += text.len() + size_of::<Box<str>>();
        if held > limits.max_held {
            let (what, instead) = ("the texts of the workbook", "save the sheet as .csv");
            return Err(TooMuch::Held { what, most: limits.max_held, instead }.into());
        }
        texts.push(text.into_boxed_str());
    }
}

/// Reads the text up to the end of the current element, without phonetic hints.
pub(super) fn read(xml: &mut Xml, meter: &mut Meter<'_>) -> Result<String, Error> {
    let mut text = String::new();
    let (mut inside, mut spoken) = (false, false);
    let level = xml.level();
    loop {
        match xml.next(meter)? {
            Node::Start => match xml.name() {
                "t" => inside = !spoken,
                "rPh" => spoken = true,
                _ => {}
            },
            Node::End if xml.level() == level => return Ok(unescape(text)),
            Node::End => match xml.name() {
                "t" => inside = false,
                "rPh" => spoken = false,
                _ => {}
            },
            Node::Text if inside => text.push_str(xml.text()),
            Node::Text => {}
            Node::Eof => return Err(broken("a part ends within a text")),
        }
        if text.len() > MAX_TEXT {
            return Err(broken(format!("a cell has more than {MAX_TEXT} bytes")));
        }
    }
}

/// Replaces `_x000D_` by the character that it encodes: XML cannot hold control characters or line
/// breaks that are not normalised. `_x005F_` is an escaped underscore. Other characters are not
/// encoded like this.
pub(super) fn unescape(text: String) -> String {
    if !text.contains("_x") {
        return text;
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("_x") {
        plain.push_str(before);
        let code = after.split_at_checked(4).filter(|(_, end)| end.starts_with('_'));
        let code = code.filter(|(hex, _)| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let character =
            code.and_then(|(hex, _)| char::from_u32(u32::from_str_radix(hex, 16).ok()?));
        // No text contains the zero character.
        let character = character.filter(|c| *c != '\0' && (c.is_control() || *c == '_'));
        if let (Some(character), Some(end)) = (character, after.get(5..)) {
            plain.push(character);
            rest = end;
        } else {
            plain.push_str("_x");
            rest = after;
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_whichever_piece_it_is() {
        let mut texts = SharedTexts::default();
        let count = 2 * TEXTS_PER_CHUNK + 3;
        for n in 0..count {
            texts.push(n.to_string().into());
        }
        for n in [0, 1, TEXTS_PER_CHUNK - 1, TEXTS_PER_CHUNK, 2 * TEXTS_PER_CHUNK, count - 1] {
            assert_eq!(texts.get(n), Some(&*n.to_string()));
        }
        assert_eq!((texts.get(count), texts.0.len()), (None, 3));
    }

    #[test]
    fn escaped_characters_are_what_they_stand_for() {
        let cases = [
            ("a_x000D_\nb", "a\r\nb"),
            ("_x005F_x000D_", "_x000D_"),
            ("_x000_ _xD800_ _xyz_", "_x000_ _xD800_ _xyz_"),
            ("_x_x0009_ _x0041_", "_x\t _x0041_"),
            ("_x00é41_ _x0000_", "_x00é41_ _x0000_"),
            ("plain", "plain"),
        ];
        for (escaped, text) in cases {
            assert_eq!(unescape(escaped.to_owned()), text);
        }
    }
}
