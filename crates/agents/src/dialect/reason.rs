//! The reasons that upstreams give for the end of a reply.
use crate::lenient::Json;

/// The meaning of a reason for the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The reply is whole.
    Whole,
    /// Tools are wanted; an upstream that runs them itself goes on.
    Tools,
    /// The reply was cut off at a limit.
    Length,
    /// The reply was cut off by a filter.
    Filter,
    /// The upstream gave the reply up. Unknown reasons count as this one: a reply that was cut off
    /// must not be shown as whole.
    GivenUp,
}

/// The reasons of `OpenAI`, and of servers that speak like it: vLLM, `SGLang`, TGI, llama.cpp, Gemini,
/// Mistral, Cohere, Anthropic, `DeepSeek`, `Zhipu`. Letters and digits alone count.
const WHOLE: [&str; 24] = [
    "stop",
    "eos",
    "eostoken",
    "eosfound",
    "eot",
    "endturn",
    "endofturn",
    "endofsequence",
    "endoftext",
    "stopsequence",
    "stopstring",
    "stopstr",
    "stopword",
    "stoptoken",
    "end",
    "complete",
    "completed",
    "done",
    "finish",
    "finished",
    "success",
    "normal",
    "matched",
    "ok",
];
const TOOLS: [&str; 7] =
    ["toolcalls", "toolcall", "tooluse", "tools", "functioncall", "functioncalls", "pauseturn"];
const LENGTH: [&str; 13] = [
    "length",
    "maxtokens",
    "maxlength",
    "maxoutputtokens",
    "maxnewtokens",
    "maxcompletiontokens",
    "modellength",
    "tokenlimit",
    "contextlength",
    "contextwindowexceeded",
    "modelcontextwindowexceeded",
    "maxoutputreached",
    "truncated",
];
const FILTER: [&str; 13] = [
    "contentfilter",
    "contentfiltered",
    "safety",
    "recitation",
    "blocklist",
    "prohibitedcontent",
    "spii",
    "sensitive",
    "refusal",
    "moderation",
    "guardrailintervened",
    "errortoxic",
    "language",
];
/// The reasons of a reply that goes on.
const NO_REASON: [&str; 6] =
    ["", "null", "none", "unspecified", "finishreasonunspecified", "inprogress"];

impl Reason {
    /// Reads a `finish_reason`: a text, or an object with its type. `None` if it says nothing.
    pub(super) fn of(value: Json<'_>) -> Option<Self> {
        let [kind, reason] = value.members(["type", "reason"]);
        let word = [value, kind, reason].into_iter().find_map(Json::string)?;
        let letters = word.chars().filter(char::is_ascii_alphanumeric);
        let word: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
        let is_in = |words: &[&str]| words.contains(&&*word);
        match () {
            () if is_in(&NO_REASON) => None,
            () if is_in(&WHOLE) => Some(Self::Whole),
            () if is_in(&TOOLS) => Some(Self::Tools),
            () if is_in(&LENGTH) => Some(Self::Length),
            () if is_in(&FILTER) => Some(Self::Filter),
            () => Some(Self::GivenUp),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lenient::Document;

    #[test]
    fn reasons_are_told_in_many_words() {
        let cases = [
            (&["null", "\"\"", "\"null\"", "7", "true", "{}", "[]", "{\"type\":null}"][..], None),
            (
                &[
                    "\"stop\"",
                    "\"STOP\"",
                    "\"eos\"",
                    "\"eos_token\"",
                    "{\"type\":\"stop\",\"matched\":2}",
                    "\"end_turn\"",
                ],
                Some(Reason::Whole),
            ),
            (&["\"tool_calls\"", "\"function_call\"", "\"tool-use\""], Some(Reason::Tools)),
            (&["\"length\"", "\"MAX_TOKENS\"", "\"model_length\""], Some(Reason::Length)),
            (&["\"content_filter\"", "\"SAFETY\""], Some(Reason::Filter)),
            (
                &[
                    "\"error\"",
                    "\"abort\"",
                    "\"insufficient_system_resource\"",
                    "\"network_error\"",
                    "\"cancelled\"",
                    "\"meow\"",
                ],
                Some(Reason::GivenUp),
            ),
        ];
        for (words, reason) in cases {
            for word in words {
                let document = Document::read(word).unwrap();
                assert_eq!(Reason::of(document.root()), reason, "{word}");
            }
        }
    }
}
