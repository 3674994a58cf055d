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
            let name = name.string().unwrap_or_default();
            self.tools.more(ONLY_CALL, None, &name, arguments, parts);
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
        if let Some(key) = self.key(index.number(), id.clone(), !name.is_empty(), parts) {
            self.tools.more(key, id.as_deref(), &name, arguments, parts);
        }
    }

    /// The key of the call that a piece belongs to: a known one, or a new one, which ends those that
    /// are complete. `None` if that call has ended.
    fn key(
        &mut self,
        index: Option<u64>,
        id: Option<String>,
        has_name: bool,
        parts: &mut Parts,
    ) -> Option<usize> {
        let is_other =
            |known: &Known| has_name && known.id.is_some() && id.is_some() && known.id != id;
        let same_id = self.known.iter().rfind(|known| id.is_some() && known.id == id);
        let same_id = same_id.map(|known| known.key);
        let known = match (same_id, index, &id) {
            (Some(same), ..) => Some(same),
            (None, Some(_), _) => {
                let same = self.known.iter().rfind(|known| known.index == index);
                same.filter(|known| !is_other(known)).map(|known| known.key)
            }
            (None, None, Some(_)) => None,
            (None, None, None) => self.tools.last().copied().filter(|_| !has_name),
        };
        // A call with a name after the end of the one in its place is another.
        if let Some(key) = known
            && (!has_name || self.tools.is_open(&key) || same_id.is_some())
        {
            return Some(key).filter(|key| self.tools.is_open(key));
        }
        self.tools.end_complete(false, parts);
        if self.known.len() == MAX_KNOWN {
            self.known.remove(0);
        }
        let key = self.count;
        self.count += 1;
        self.known.push(Known { key, index, id });
        Some(key)
    }

    /// Ends the calls that are complete, before text that comes after them.
    pub(super) fn end_complete(&mut self, parts: &mut Parts) {
        self.tools.end_complete(true, parts);
    }

    /// Ends all calls.
    pub(super) fn end(&mut self, parts: &mut Parts) {
        self.tools.end_all(parts);
        self.known.clear();
    }
}
