//! The tools that an agent uses, which come piece by piece: a name, then arguments.
use super::reply::Parts;
use crate::{
    Part,
    lenient::{Halves, Json},
};

/// Tools in use at once. One more ends the first: a reply is not lost for them.
const MAX_TOOLS: usize = 64;

/// Bytes of one tool's arguments that are shown.
const MAX_ARGUMENTS: usize = 16 << 10;

/// Tools whose arguments are still coming. `K` tells them apart.
#[derive(Debug, Default)]
pub(super) struct Tools<K> {
    open: Vec<OpenTool<K>>,
}

#[derive(Debug)]
struct OpenTool<K> {
    key: K,
    name: String,
    text: String,
    halves: Halves,
}

impl<K: PartialEq> Tools<K> {
    /// Adds to the name or the arguments of the tool `key`, which may be new. Arguments are pieces of
    /// a text, or JSON.
    pub(super) fn more(&mut self, key: K, name: &str, arguments: Json<'_>, parts: &mut Parts) {
        let at = self.open.iter().position(|tool| tool.key == key).unwrap_or_else(|| {
            if self.open.len() == MAX_TOOLS {
                parts.extend(self.open.remove(0).part());
            }
            let (name, text, halves) = (String::new(), String::new(), Halves::default());
            self.open.push(OpenTool { key, name, text, halves });
            self.open.len() - 1
        });
        let Some(tool) = self.open.get_mut(at) else { return };
        // Some servers repeat the whole name with each piece.
        if tool.name != name {
            push(&mut tool.name, name);
        }
        match arguments.words().filter(|_| arguments.is_string()) {
            Some(piece) => push(&mut tool.text, &tool.halves.join(&piece)),
            None if arguments.is_null() => {}
            None => push(&mut tool.text, arguments.raw()),
        }
    }

    /// Ends the tool `key`. One without a name is not shown.
    pub(super) fn end(&mut self, key: &K, parts: &mut Parts) {
        let ended = self.open.extract_if(.., |tool| tool.key == *key);
        parts.extend(ended.filter_map(OpenTool::part));
    }

    /// Ends all tools.
    pub(super) fn end_all(&mut self, parts: &mut Parts) {
        parts.extend(self.open.drain(..).filter_map(OpenTool::part));
    }

    pub(super) fn last(&self) -> Option<&K> {
        self.open.last().map(|tool| &tool.key)
    }
}

impl<K> OpenTool<K> {
    fn part(mut self) -> Option<Part> {
        self.text.extend(self.halves.end());
        (!self.name.is_empty()).then_some(Part::Tool { name: self.name, text: self.text })
    }
}

/// Appends as much of `more` as there is room for.
fn push(text: &mut String, more: &str) {
    let room = MAX_ARGUMENTS.saturating_sub(text.len());
    text.push_str(more.get(..more.floor_char_boundary(room)).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lenient::Document;

    fn more(tools: &mut Tools<u64>, key: u64, name: &str, json: &str, parts: &mut Parts) {
        let document = Document::read(json).unwrap();
        tools.more(key, name, document.root(), parts);
    }

    fn tool(name: &str, text: &str) -> Part {
        Part::Tool { name: name.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn arguments_are_put_together_and_cut_at_the_bound() {
        let (mut tools, mut parts) = (Tools::default(), Parts::new());
        let long = format!("\"{}\"", "é".repeat(MAX_ARGUMENTS));
        more(&mut tools, 1, "add", r#""{\"a\":\ud83d""#, &mut parts);
        more(&mut tools, 2, "sub", "null", &mut parts);
        more(&mut tools, 1, "add", r#""\ude001}\ud83d""#, &mut parts);
        tools.end(&1, &mut parts);
        tools.end(&1, &mut parts);
        more(&mut tools, 2, "", &long, &mut parts);
        more(&mut tools, 2, "", "\"more\"", &mut parts);
        more(&mut tools, 3, "", "\"without a name\"", &mut parts);
        more(&mut tools, 4, "", "\"without a name\"", &mut parts);
        more(&mut tools, 5, "mul", r#"{"q": "x"}"#, &mut parts);
        tools.end(&3, &mut parts);
        tools.end_all(&mut parts);
        let sub = "é".repeat(MAX_ARGUMENTS / 2);
        let expected =
            [tool("add", "{\"a\":😀1}\u{fffd}"), tool("sub", &sub), tool("mul", r#"{"q": "x"}"#)];
        assert_eq!(parts, expected);
    }

    #[test]
    fn one_more_than_the_bound_ends_the_first() {
        let (mut tools, mut parts) = (Tools::default(), Parts::new());
        for key in 0..MAX_TOOLS as u64 {
            more(&mut tools, key, &key.to_string(), "\"x\"", &mut parts);
        }
        more(&mut tools, 0, "", "\"y\"", &mut parts);
        assert_eq!(parts, []);
        more(&mut tools, 99, "one more", "null", &mut parts);
        assert_eq!(
            (&*parts.make_contiguous(), tools.open.len()),
            (&[tool("0", "xy")][..], MAX_TOOLS)
        );
    }
}
