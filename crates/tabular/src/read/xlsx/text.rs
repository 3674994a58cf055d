//! Texts of cells: those that cells share, and runs of rich text joined.
use super::{
    broken,
    package::Package,
    space::Space,
    workbook::Workbook,
    xml::{Node, Xml},
};
use crate::{
    error::{Error, TooMuch},
    limits::Limits,
    progress::Meter,
};

/// The longest text of a cell, in bytes. Spreadsheet programs stop at 32,767 characters.
const MAX_TEXT: usize = 1 << 20;

/// Texts in one piece of memory: so many that the pieces of a large workbook are few, and so few that
/// an unused part of the last one is small.
const PIECE: usize = 1 << 14;

/// The texts that cells refer to by number. They are kept in pieces, since one list that grows would
/// take three times its size whenever it is moved.
#[derive(Debug, Default)]
pub(super) struct Texts(Vec<Vec<Box<str>>>);

impl Texts {
    fn push(&mut self, text: Box<str>) {
        if self.0.last().is_none_or(|piece| piece.len() == PIECE) {
            let first = self.0.is_empty();
            self.0.push(if first { Vec::new() } else { Vec::with_capacity(PIECE) });
        }
        self.0.last_mut().expect("a piece was added").push(text);
    }

    pub(super) fn get(&self, at: usize) -> Option<&str> {
        self.0.get(at / PIECE)?.get(at % PIECE).map(|text| &**text)
    }
}

/// Reads the texts that cells refer to by number.
pub(super) fn shared(
    package: &mut Package,
    workbook: &Workbook,
    limits: &Limits,
    meter: &mut Meter<'_>,
) -> Result<Texts, Error> {
    let mut texts = Texts::default();
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

/// The text up to the end of the element that began: without its pronunciation.
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

/// Replace `_x000D_` by the character it stands for: XML has no other way to hold control
/// characters, nor a line break that is not normalised. `_x005F_` is the underscore of what
/// only looks so. No other character is written like this.
pub(super) fn unescape(text: String) -> String {
    if !text.contains("_x") {
        return text;
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("_x") {
        plain.push_str(before);
        let code = after.split_at_checked(4).filter(|(_, end)| end.starts_with('_'));
        let code = code.filter(|(hex, _)| hex.bytes().all(|it| it.is_ascii_hexdigit()));
        let character =
            code.and_then(|(hex, _)| char::from_u32(u32::from_str_radix(hex, 16).ok()?));
        // No text holds the zero character.
        let character = character.filter(|it| *it != '\0' && (it.is_control() || *it == '_'));
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
        let mut texts = Texts::default();
        let count = 2 * PIECE + 3;
        for n in 0..count {
            texts.push(n.to_string().into());
        }
        for n in [0, 1, PIECE - 1, PIECE, 2 * PIECE, count - 1] {
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
