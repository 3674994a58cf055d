//! The tools that an agent uses, which come piece by piece: a name, then arguments, then perhaps a
//! result.
use std::collections::VecDeque;

use quadrille_core::turn::{RawJson, ToolState};
use serde_json::value::RawValue;

use super::reply::Parts;
use crate::{
    Part, ToolUse,
    details::cut,
    lenient::{Halves, Json},
};

/// Tools in use at once. One more ends the first: a reply is not lost for them.
const MAX_TOOLS: usize = 64;

/// Bytes of one tool's arguments. Longer ones are left out, but for the beginning that is shown.
const MAX_ARGUMENTS: usize = 64 << 10;

/// Bytes of the arguments of all tools in use.
const MAX_OPEN: usize = 1 << 20;

/// Bytes of one tool's arguments that are shown.
const MAX_SHOWN: usize = 16 << 10;

/// Bytes of the id of a call, and of its name beside a result. A call with a longer id gets another.
const MAX_ID: usize = 256;

/// The name of a tool of which there is only a result.
const UNNAMED: &str = "tool";

/// Tools whose arguments are still coming. `K` tells them apart.
#[derive(Debug, Default)]
pub(super) struct Tools<K> {
    open: Vec<OpenTool<K>>,
    /// The last tools with all their arguments, newest last.
    ended: VecDeque<EndedTool>,
    /// Number of tools that have ended.
    count: usize,
}

#[derive(Debug)]
struct OpenTool<K> {
    key: K,
    id: String,
    name: String,
    arguments: String,
    /// There are more arguments than are kept.
    is_cut: bool,
    halves: Halves,
}

#[derive(Debug)]
struct EndedTool {
    /// The id that the upstream has given the call; it may have given it to others.
    id: String,
    call: String,
    name: String,
}

impl<K: PartialEq> Tools<K> {
    /// Adds to the name or the arguments of the tool `key`, which may be new. Arguments are pieces of
    /// a text, or JSON. The first `id` counts.
    pub(super) fn more(
        &mut self,
        key: K,
        id: Option<&str>,
        name: &str,
        arguments: Json<'_>,
        parts: &mut Parts,
    ) {
        let at = self.open.iter().position(|tool| tool.key == key).unwrap_or_else(|| {
            if self.open.len() == MAX_TOOLS {
                let first = self.open.remove(0);
                self.complete(first, parts);
            }
            self.open.push(OpenTool::new(key));
            self.open.len() - 1
        });
        let open: usize = self.open.iter().map(|tool| tool.arguments.len()).sum();
        let Some(tool) = self.open.get_mut(at) else { return };
        let max = MAX_ARGUMENTS.min(tool.arguments.len() + MAX_OPEN.saturating_sub(open));
        if tool.id.is_empty() {
            id.unwrap_or_default().clone_into(&mut tool.id);
        }
        // Some servers repeat the whole name with each piece.
        if tool.name != name {
            push(&mut tool.name, name, MAX_SHOWN);
        }
        match arguments.words().filter(|_| arguments.is_string()) {
            Some(piece) => {
                let piece = tool.halves.join(&piece);
                tool.is_cut |= !push(&mut tool.arguments, &piece, max);
            }
            None if arguments.is_null() => {}
            None => tool.is_cut |= !push(&mut tool.arguments, arguments.raw(), max),
        }
    }

    /// Whether the arguments of `key` are still coming.
    pub(super) fn is_open(&self, key: &K) -> bool {
        self.open.iter().any(|tool| tool.key == *key)
    }

    /// Ends the tool `key`. One without a name is not shown.
    pub(super) fn end(&mut self, key: &K, parts: &mut Parts) {
        let ended: Vec<_> = self.open.extract_if(.., |tool| tool.key == *key).collect();
        for tool in ended {
            self.complete(tool, parts);
        }
    }

    /// Ends the tools whose arguments are complete as far as one can see; those without any only
    /// if `blank`.
    pub(super) fn end_complete(&mut self, blank: bool, parts: &mut Parts) {
        let ended: Vec<_> = self.open.extract_if(.., |tool| tool.is_complete(blank)).collect();
        for tool in ended {
            self.complete(tool, parts);
        }
    }

    /// Ends all tools.
    pub(super) fn end_all(&mut self, parts: &mut Parts) {
        for tool in std::mem::take(&mut self.open) {
            self.complete(tool, parts);
        }
    }

    pub(super) fn last(&self) -> Option<&K> {
        self.open.last().map(|tool| &tool.key)
    }

    fn complete(&mut self, mut tool: OpenTool<K>, parts: &mut Parts) {
        tool.arguments.extend(tool.halves.end());
        let OpenTool { id, name, arguments, is_cut, .. } = tool;
        if name.is_empty() {
            return;
        }
        let is_given = !is_cut && !arguments.trim().is_empty();
        let input = is_given.then(|| RawJson::of(&arguments));
        let mut text = arguments;
        text.truncate(text.floor_char_boundary(MAX_SHOWN));
        let call = self.call(&id);
        if self.ended.len() == MAX_TOOLS {
            self.ended.pop_front();
        }
        let ended = |text: &str| cut(text, MAX_ID).to_owned();
        let ended = EndedTool { id: ended(&id), call: call.clone(), name: ended(&name) };
        self.ended.push_back(ended);
        let state = ToolState::Input;
        parts.push_back(Part::Tool(ToolUse { call, name, state, text, input, output: None }));
    }

    /// The id of a call in its records: `id`, unless that is missing, long or taken.
    fn call(&mut self, id: &str) -> String {
        let is_taken = |call: &str| self.ended.iter().any(|ended| ended.call == call);
        if !id.is_empty() && id.len() <= MAX_ID && !is_taken(id) {
            self.count += 1;
            return id.to_owned();
        }
        loop {
            self.count += 1;
            let call = format!("call_{}", self.count);
            if !self.ended.iter().any(|ended| ended.call == call) {
                return call;
            }
        }
    }

    /// Adds the result of the call `id`. Of a call that is not known, it is all that is shown.
    pub(super) fn result(
        &mut self,
        id: &str,
        name: &str,
        state: ToolState,
        output: Json<'_>,
        parts: &mut Parts,
    ) {
        let output_value = output.value();
        let known = self.ended.iter().rfind(|ended| ended.id == cut(id, MAX_ID));
        let (call, name, text) = if let Some(known) = known {
            (known.call.clone(), known.name.clone(), String::new())
        } else {
            let name = if name.is_empty() { UNNAMED } else { cut(name, MAX_SHOWN) };
            let text = output.text().unwrap_or_else(|| output.raw().to_owned());
            let text = if text.is_empty() { name } else { cut(&text, MAX_SHOWN) }.to_owned();
            (self.call(id), name.to_owned(), text)
        };
        let (input, output) = (None, Some(output_value));
        parts.push_back(Part::Tool(ToolUse { call, name, state, text, input, output }));
    }
}

impl<K> OpenTool<K> {
    fn new(key: K) -> Self {
        let (id, name, arguments) = Default::default();
        Self { key, id, name, arguments, is_cut: false, halves: Halves::default() }
    }

    /// Whether no more arguments are to be expected: there are none and `blank`, or they are not the
    /// begin of an object.
    fn is_complete(&self, blank: bool) -> bool {
        let text = self.arguments.trim();
        if text.is_empty() {
            return blank;
        }
        let parsed = |text| serde_json::from_str::<&RawValue>(text);
        let is_unfinished = text.starts_with('{')
            && (!text.ends_with('}') || parsed(text).is_err_and(|err| err.is_eof()));
        !is_unfinished
    }
}

/// Appends as much of `more` as there is room for. False if that is not all.
fn push(text: &mut String, more: &str, max: usize) -> bool {
    let room = max.saturating_sub(text.len());
    let fitting = cut(more, room);
    text.push_str(fitting);
    fitting.len() == more.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lenient::Document;

    fn more(tools: &mut Tools<u64>, key: u64, name: &str, json: &str, parts: &mut Parts) {
        let document = Document::read(json).unwrap();
        tools.more(key, None, name, document.root(), parts);
    }

    fn result(tools: &mut Tools<u64>, id: &str, json: &str, parts: &mut Parts) {
        let document = Document::read(json).unwrap();
        tools.result(id, "", ToolState::Output, document.root(), parts);
    }

    fn tool(call: &str, name: &str, text: &str, input: Option<&str>) -> Part {
        let [call, name, text] = [call, name, text].map(str::to_owned);
        let input = input.map(|input| RawJson::parse(input).unwrap());
        Part::Tool(ToolUse { call, name, text, input, ..ToolUse::default() })
    }

    #[test]
    fn arguments_are_put_together_and_cut_at_the_bounds() {
        let (mut tools, mut parts) = (Tools::default(), Parts::new());
        let long = format!("\"{}\"", "é".repeat(MAX_ARGUMENTS));
        more(&mut tools, 1, "add", r#""{\"a\":\"\ud83d""#, &mut parts);
        more(&mut tools, 2, "sub", "null", &mut parts);
        more(&mut tools, 1, "add", r#""\ude001\"}\ud83d""#, &mut parts);
        tools.end(&1, &mut parts);
        tools.end(&1, &mut parts);
        more(&mut tools, 2, "", &long, &mut parts);
        more(&mut tools, 2, "", "\"more\"", &mut parts);
        more(&mut tools, 3, "", "\"without a name\"", &mut parts);
        more(&mut tools, 4, "", "\"without a name\"", &mut parts);
        more(&mut tools, 5, "mul", r#"{"q": 1.50}"#, &mut parts);
        tools.end(&3, &mut parts);
        tools.end_all(&mut parts);
        let sub = "é".repeat(MAX_SHOWN / 2);
        let expected = [
            tool("call_1", "add", "{\"a\":\"😀1\"}\u{fffd}", Some(r#""{\"a\":\"😀1\"}�""#)),
            tool("call_2", "sub", &sub, None),
            tool("call_3", "mul", r#"{"q": 1.50}"#, Some(r#"{"q": 1.50}"#)),
        ];
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
            (&[tool("call_1", "0", "xy", Some("\"xy\""))][..], MAX_TOOLS)
        );
    }

    #[test]
    fn only_arguments_that_are_complete_end_a_tool_early() {
        let (mut tools, mut parts) = (Tools::default(), Parts::new());
        let all = ["\"{\\\"a\\\":\"", "\"{\\\"}\"", "\"\"", "\"{}\"", "\"{'a': 1}\"", "\"7\""];
        for (key, arguments) in (0..).zip(all) {
            more(&mut tools, key, "f", arguments, &mut parts);
        }
        tools.end_complete(false, &mut parts);
        let open = |tools: &Tools<u64>| tools.open.iter().map(|tool| tool.key).collect::<Vec<_>>();
        assert_eq!((open(&tools), parts.len()), (vec![0, 1, 2], 3));
        tools.end_complete(true, &mut parts);
        assert_eq!((open(&tools), parts.len()), (vec![0, 1], 4));
    }

    #[test]
    fn each_call_has_an_id_of_its_own_and_its_result() {
        let (mut tools, mut parts) = (Tools::default(), Parts::new());
        for key in 0..3 {
            let id = if key == 1 { None } else { Some("a") };
            tools.more(key, id, "f", Json::NULL, &mut parts);
        }
        tools.end_all(&mut parts);
        result(&mut tools, "a", r#""{\"n\": 1.50}""#, &mut parts);
        result(&mut tools, "b", r#"[{"type": "text", "text": "warm"}]"#, &mut parts);
        let told = parts.iter().map(|part| match part {
            Part::Tool(ToolUse { call, name, state, text, output, .. }) => {
                format!("{call} {name} {} {text} {output:?}", state.as_str())
            }
            other => panic!("{other:?}"),
        });
        let expected = [
            "a f input  None",
            "call_2 f input  None",
            "call_3 f input  None",
            r#"call_3 f output  Some({"n": 1.50})"#,
            r#"b tool output warm Some([{"type": "text", "text": "warm"}])"#,
        ];
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }
}
