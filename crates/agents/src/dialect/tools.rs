//! The tools that an agent uses, told piece by piece: a name, then arguments.
use super::{reply::Parts, web::Trouble};
use crate::{Code, Part};

/// Tools in use at once.
const MAX: usize = 64;

/// Bytes of one tool's arguments that are shown.
const MAX_TEXT: usize = 16 << 10;

/// Tools whose arguments are still coming. `K` tells them apart.
#[derive(Debug, Default)]
pub(super) struct Tools<K> {
    open: Vec<(K, String, String)>,
}

impl<K: PartialEq> Tools<K> {
    /// More of the name or the arguments of the tool `key`, which may be new.
    pub(super) fn more(&mut self, key: K, name: &str, arguments: &str) -> Result<(), Trouble> {
        let at = match self.open.iter().position(|(it, ..)| *it == key) {
            Some(at) => at,
            None if self.open.len() < MAX => {
                self.open.push((key, String::new(), String::new()));
                self.open.len() - 1
            }
            None => {
                let said = format!("more than {MAX} tools at once");
                return Err(Trouble::new(Code::BadAnswer, said));
            }
        };
        let (_, its_name, text) = &mut self.open[at];
        push(its_name, name);
        push(text, arguments);
        Ok(())
    }

    /// Everything about the tool `key` has been said. One without a name is nothing to tell.
    pub(super) fn end(&mut self, key: &K, parts: &mut Parts) {
        let ended = self.open.extract_if(.., |(it, name, _)| it == key && !name.is_empty());
        parts.extend(ended.map(|(_, name, text)| Part::Tool { name, text }));
        self.open.retain(|(it, ..)| it != key);
    }

    /// Everything about every tool has been said.
    pub(super) fn end_all(&mut self, parts: &mut Parts) {
        let named = self.open.drain(..).filter(|(_, name, _)| !name.is_empty());
        parts.extend(named.map(|(_, name, text)| Part::Tool { name, text }));
    }

    pub(super) fn last(&self) -> Option<&K> {
        self.open.last().map(|(key, ..)| key)
    }
}

/// As much of `more` as there is room for.
fn push(text: &mut String, more: &str) {
    let room = MAX_TEXT.saturating_sub(text.len());
    text.push_str(more.get(..more.floor_char_boundary(room)).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_put_together_and_cut_at_the_bound() {
        let (mut tools, mut parts) = (Tools::default(), Parts::new());
        tools.more(1, "add", "{\"a\":").unwrap();
        tools.more(2, "sub", "").unwrap();
        tools.more(1, "", "1}").unwrap();
        tools.end(&1, &mut parts);
        tools.end(&1, &mut parts);
        tools.more(2, "", &"é".repeat(MAX_TEXT)).unwrap();
        tools.more(2, "", "more").unwrap();
        tools.more(3, "", "without a name").unwrap();
        tools.more(4, "", "without a name").unwrap();
        tools.end(&3, &mut parts);
        tools.end_all(&mut parts);
        let add = Part::Tool { name: "add".to_owned(), text: "{\"a\":1}".to_owned() };
        let sub = Part::Tool { name: "sub".to_owned(), text: "é".repeat(MAX_TEXT / 2) };
        assert_eq!(parts, [add, sub]);
    }

    #[test]
    fn no_more_tools_are_kept_than_the_bound() {
        let mut tools = Tools::default();
        assert!((0..MAX).all(|key| tools.more(key, "", "").is_ok()));
        assert!(tools.more(0, "", "").is_ok());
        assert_eq!(tools.more(MAX, "", "").map_err(|why| why.code), Err(Code::BadAnswer));
    }
}
