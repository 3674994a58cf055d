//! Why an upstream says that a reply is over, in the words of many.
use crate::lenient::Json;

/// What a reason means for the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It is whole.
    Whole,
    /// Tools are wanted; an upstream that runs them itself goes on.
    Tools,
    /// It was cut off at a limit.
    Length,
    /// It was cut off by a filter.
    Filter,
    /// The upstream gave it up. So is whatever is not known: a reply that was cut off is not to be
    /// told as whole.
    GivenUp,
}

/// The reasons of `OpenAI`, and of those who speak like it: vLLM, `SGLang`, TGI, llama.cpp, Gemini,
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
/// What is said of a reply that goes on.
const NONE: [&str; 6] =
    ["", "null", "none", "unspecified", "finishreasonunspecified", "inprogress"];

impl Reason {
    /// What a `finish_reason` says, if it says something: a text, or an object with its type.
    pub(super) fn of(value: Json<'_>) -> Option<Self> {
        let [kind, reason] = value.members(["type", "reason"]);
        let word = [value, kind, reason].into_iter().find_map(Json::string)?;
        let letters = word.chars().filter(char::is_ascii_alphanumeric);
        let word: String = letters.map(|it| it.to_ascii_lowercase()).collect();
        let is_in = |words: &[&str]| words.contains(&&*word);
        match () {
            () if is_in(&NONE) => None,
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
