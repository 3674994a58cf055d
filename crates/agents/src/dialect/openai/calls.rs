//! Assigning the pieces of calls to tools: servers leave out the index, or the id, or give the same
//! index to all.
use super::super::{reply::Parts, tools::Tools};
use crate::lenient::Json;

/// The calls of one answer.
#[derive(Debug, Default)]
pub(super) struct Calls {
    tools: Tools<usize>,
    known: Vec<Known>,
    /// Number of calls so far.
    count: usize,
}

#[derive(Debug)]
struct Known {
    key: usize,
    index: Option<u64>,
    id: Option<String>,
}

/// The key of `function_call`, from servers that know only one call.
const ONLY_CALL: usize = usize::MAX;

/// Calls that can get further pieces; earlier ones are over.
const MAX_KNOWN: usize = 64;

// === impl Calls ===

impl Calls {
    /// Reads `tool_calls`: a list, or one call. False if there was none.
    pub(super) fn read(&mut self, calls: Json<'_>, parts: &mut Parts) -> bool {
        let one = calls.is_object().then_some(calls);
        let calls: Vec<_> =
            calls.items().into_iter().chain(one).filter(|call| call.is_set()).collect();
        for call in &calls {
            self.piece(*call, parts);
        }
        !calls.is_empty()
    }

    /// Reads `function_call`. False if there was none.
    pub(super) fn read_only(&mut self, function: Json<'_>, parts: &mut Parts) -> bool {
        let [name, arguments] = function.members(["name", "arguments"]);
        if function.is_set() {
            self.tools.more(ONLY_CALL, &name.string().unwrap_or_default(), arguments, parts);
        }
        function.is_set()
    }

    fn piece(&mut self, call: Json<'_>, parts: &mut Parts) {
        let [index, id, function, custom] = call.members(["index", "id", "function", "custom"]);
        let [name, arguments] = function.members(["name", "arguments"]);
        let [own_name, input] = custom.members(["name", "input"]);
        let name = name.string().or_else(|| own_name.string()).unwrap_or_default();
        let arguments = if arguments.is_null() { input } else { arguments };
        let id = id.text().filter(|id| !id.is_empty());
        let key = self.key(index.number(), id, !name.is_empty());
        self.tools.more(key, &name, arguments, parts);
    }

    fn key(&mut self, index: Option<u64>, id: Option<String>, has_name: bool) -> usize {
        let is_other =
            |known: &Known| has_name && known.id.is_some() && id.is_some() && known.id != id;
        let same_id = self.known.iter().rfind(|known| id.is_some() && known.id == id);
        let known = match (same_id, index, &id) {
            (Some(same), ..) => Some(same.key),
            (None, Some(_), _) => {
                let same = self.known.iter().rfind(|known| known.index == index);
                same.filter(|known| !is_other(known)).map(|known| known.key)
            }
            (None, None, Some(_)) => None,
            (None, None, None) => self.tools.last().copied().filter(|_| !has_name),
        };
        if let Some(key) = known {
            return key;
        }
        if self.known.len() == MAX_KNOWN {
            self.known.remove(0);
        }
        let key = self.count;
        self.count += 1;
        self.known.push(Known { key, index, id });
        key
    }

    /// Ends all calls.
    pub(super) fn end(&mut self, parts: &mut Parts) {
        self.tools.end_all(parts);
        self.known.clear();
    }
}
