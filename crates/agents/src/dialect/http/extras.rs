//! Members beside the text, under the names that are common among backends.
use quadrille_core::turn::ToolState;

use super::{
    super::{
        facts::{self, CitedSources},
        reply::Parts,
        tools::Tools,
    },
    Names,
};
use crate::{
    Part,
    lenient::{Halves, Json},
};

const REASONING: [&str; 3] = ["reasoning", "reasoning_content", "thinking"];
const REASONS: [&str; 2] = ["finish_reason", "stop_reason"];
const ARGUMENTS: [&str; 3] = ["input", "arguments", "args"];
const RESULTS: [&str; 2] = ["output", "result"];
const IDS: [&str; 3] = ["id", "call", "tool_call_id"];

/// The state of reading them in one answer.
#[derive(Debug, Default)]
pub(super) struct Extras {
    halves: Halves,
    tools: Tools<()>,
    sources: CitedSources,
}

impl Extras {
    /// Reads the members of an event or an answer, except those that `names` has for its text. One
    /// of an odd type is ignored.
    pub(super) fn read(&mut self, fields: Json<'_>, names: &Names, parts: &mut Parts) {
        let reasoning = first(fields, REASONING.map(|name| names.unless_text(name)));
        if let Some(thoughts) = reasoning.words().filter(|_| reasoning.is_string()) {
            parts.push_back(Part::Reasoning(self.halves.join(&thoughts)));
        }
        self.calls(fields, parts);
        let [sources, citations] = fields.members(["sources", "citations"]);
        self.sources.read(sources, parts);
        self.sources.read(citations, parts);
        parts.extend(facts::usage(fields.get("usage")).map(Part::Usage));
        let reason = first(fields, REASONS.map(|name| names.unless_text(name)));
        parts.extend(reason.string().filter(|reason| !reason.is_empty()).map(Part::Reason));
    }

    /// Ends the thoughts.
    pub(super) fn end(&mut self, parts: &mut Parts) {
        parts.extend(self.halves.end().map(|half| Part::Reasoning(half.into())));
    }

    fn calls(&mut self, fields: Json<'_>, parts: &mut Parts) {
        let [tool, one, all] = fields.members(["tool", "tool_call", "tool_calls"]);
        if let Some(name) = tool.string().filter(|name| !name.is_empty()) {
            self.call(fields, &name, parts);
        }
        for call in [tool, one].into_iter().chain(all.items()).filter(|call| call.is_object()) {
            let function = call.get("function");
            let shape = if function.is_object() { function } else { call };
            let name = first(shape, ["name", "tool"]).string().unwrap_or_default();
            self.call(call, &name, parts);
        }
    }

    /// Reads a call: its arguments, its result, or both.
    fn call(&mut self, call: Json<'_>, name: &str, parts: &mut Parts) {
        let function = call.get("function");
        let of_function = first(function, ARGUMENTS);
        let arguments = if of_function.is_null() { first(call, ARGUMENTS) } else { of_function };
        let (id, result) = (first(call, IDS).text().unwrap_or_default(), first(call, RESULTS));
        let error = call.get("error");
        if !arguments.is_null() || result.is_null() && !error.is_set() {
            self.tools.more((), Some(&id), name, arguments, parts);
            self.tools.end(&(), parts);
        }
        if error.is_set() {
            self.tools.result(&id, name, ToolState::Error, error, parts);
        } else if !result.is_null() {
            self.tools.result(&id, name, ToolState::Output, result, parts);
        }
    }
}

/// The first of these members that is there, or `null`.
fn first<'a, const N: usize>(fields: Json<'a>, names: [&str; N]) -> Json<'a> {
    fields.members(names).into_iter().find(|value| !value.is_null()).unwrap_or(Json::NULL)
}
