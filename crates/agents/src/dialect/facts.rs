//! Facts about a reply beside its text, in the words of each upstream.
use quadrille_core::turn::TokenUsage;

use super::reply::Parts;
use crate::{Part, lenient::Json};

/// Sources of one reply that are told apart; more are not shown.
const MAX_SOURCES: usize = 256;

/// Bytes of a source's address. One with a longer address is not shown.
const MAX_URL: usize = 8 << 10;

/// The names that upstreams have for the tokens of the question with its history, and of the reply.
const INPUT: [&str; 6] = [
    "prompt_tokens",
    "input_tokens",
    "inputTokens",
    "promptTokens",
    "prompt_eval_count",
    "promptTokenCount",
];
const OUTPUT: [&str; 6] = [
    "completion_tokens",
    "output_tokens",
    "outputTokens",
    "completionTokens",
    "eval_count",
    "candidatesTokenCount",
];

/// The tokens of a reply: those of an object, or of all objects of a list together. `None` if
/// nothing is counted.
pub(super) fn usage(value: Json<'_>) -> Option<TokenUsage> {
    let items = value.items();
    let counts = |value: &Json<'_>| {
        let first = |names| value.members::<6>(names).into_iter().find_map(Json::number);
        match (first(INPUT), first(OUTPUT)) {
            (None, None) => None,
            (input, output) => Some(TokenUsage {
                input: input.unwrap_or_default(),
                output: output.unwrap_or_default(),
            }),
        }
    };
    let all = if items.is_empty() { vec![value] } else { items };
    all.iter().filter_map(counts).reduce(sum)
}

/// The tokens of two runs.
pub(super) fn sum(one: TokenUsage, other: TokenUsage) -> TokenUsage {
    TokenUsage {
        input: one.input.saturating_add(other.input),
        output: one.output.saturating_add(other.output),
    }
}

/// A file at `url`. Of which type is known from a `data:` URI alone; otherwise `kind` is.
pub(super) fn file(url: String, kind: &str) -> Part {
    let typed = url.strip_prefix("data:").and_then(|uri| uri.split([';', ',']).next());
    let typed = typed.filter(|media| media.contains('/'));
    let media_type = typed.map_or_else(|| format!("{kind}/*"), str::to_owned);
    Part::File { url, media_type, name: String::new() }
}

/// The sources of one reply, each of which is told once.
#[derive(Debug, Default)]
pub(super) struct CitedSources(Vec<String>);

impl CitedSources {
    /// Adds the sources of a list: addresses, or objects with one.
    pub(super) fn read(&mut self, list: Json<'_>, parts: &mut Parts) {
        for item in list.items() {
            let cited = item.get("url_citation");
            let item = if cited.is_object() { cited } else { item };
            let [url, uri, title] = item.members(["url", "uri", "title"]);
            let Some(url) = [item, url, uri].into_iter().find_map(Json::string) else { continue };
            if url.is_empty()
                || url.len() > MAX_URL
                || self.0.len() == MAX_SOURCES
                || self.0.contains(&url)
            {
                continue;
            }
            self.0.push(url.clone());
            let title = title.string().unwrap_or_default();
            parts.push_back(Part::Source { url, title });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lenient::Document;

    fn used(json: &str) -> Option<(u64, u64)> {
        let document = Document::read(json).unwrap();
        usage(document.root()).map(|usage| (usage.input, usage.output))
    }

    #[test]
    fn tokens_have_many_names_and_odd_ones_are_none() {
        assert_eq!(used(r#"{"prompt_tokens": 9, "completion_tokens": 2, "x": []}"#), Some((9, 2)));
        assert_eq!(used(r#"{"prompt_eval_count": 9, "eval_count": null}"#), Some((9, 0)));
        let models =
            r#"[{"inputTokens": 1, "outputTokens": 2}, {"model": "m"}, {"inputTokens": 3}]"#;
        assert_eq!(used(models), Some((4, 2)));
        for none in ["null", "\"?\"", "{}", "[]", r#"{"prompt_tokens": -1.5}"#] {
            assert_eq!(used(none), None, "{none}");
        }
    }

    #[test]
    fn sources_are_told_once_whatever_their_shape() {
        let list = r#"["https://a", {"url": "https://b", "title": "B"}, {"uri": "https://b"}, 7, "",
            {"type": "url_citation", "url_citation": {"url": "https://c", "title": null}}]"#;
        let document = Document::read(list).unwrap();
        let (mut sources, mut parts) = (CitedSources::default(), Parts::new());
        sources.read(document.root(), &mut parts);
        sources.read(document.root(), &mut parts);
        let told = parts.iter().map(|part| match part {
            Part::Source { url, title } => format!("{url} {title}"),
            other => panic!("{other:?}"),
        });
        let told: Vec<_> = told.collect();
        assert_eq!(told, ["https://a ", "https://b B", "https://c "]);
    }

    #[test]
    fn the_type_of_a_file_is_as_precise_as_can_be() {
        let media = |url: &str| match file(url.to_owned(), "image") {
            Part::File { media_type, .. } => media_type,
            other => panic!("{other:?}"),
        };
        assert_eq!(media("data:image/png;base64,AA=="), "image/png");
        assert_eq!(media("data:,x"), "image/*");
        assert_eq!(media("https://a/b.png"), "image/*");
    }
}
