//! Names of topics, and beginnings of names, as a token grants them.
use quadrille_core::Topic;

/// A topic, or all whose names begin alike. A `*` at the end of a pattern stands for any text;
/// anywhere else it is an ordinary character, so that a misunderstanding grants less and not more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TopicPattern {
    Exact(Box<str>),
    Prefix(Box<str>),
}

impl TopicPattern {
    /// A whole topic, `room:42`, or a beginning of one, `room:*`; `*` is every topic.
    pub(super) fn topic(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(prefix) => Self::Prefix(prefix.into()),
            None => Self::Exact(text.into()),
        }
    }

    /// A name in `chan:`, which may be written with or without that.
    pub(super) fn channel(text: &str) -> Self {
        let name = text.strip_prefix("chan:").unwrap_or(text);
        Self::topic(&format!("chan:{name}"))
    }

    /// The room of this id, and no other.
    pub(super) fn room(id: &str) -> Self {
        Self::Exact(format!("room:{id}").into())
    }

    pub(super) fn matches(&self, topic: &Topic) -> bool {
        match self {
            Self::Exact(name) => topic.as_str() == &**name,
            Self::Prefix(prefix) => topic.as_str().starts_with(&**prefix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_what_it_says_and_no_more() {
        let cases = [
            (TopicPattern::channel("news"), "chan:news", true),
            (TopicPattern::channel("chan:news"), "chan:news", true),
            (TopicPattern::channel("news"), "chan:news-1", false),
            (TopicPattern::channel("news-*"), "chan:news-1", true),
            (TopicPattern::channel("news-*"), "chan:new", false),
            (TopicPattern::channel("news-*"), "room:news-1", false),
            (TopicPattern::channel("*"), "chan:a", true),
            (TopicPattern::channel("*"), "room:a", false),
            (TopicPattern::channel("room:42"), "room:42", false),
            (TopicPattern::channel("a*b"), "chan:axb", false),
            (TopicPattern::channel("a*b"), "chan:a*b", true),
            (TopicPattern::channel("**"), "chan:a", false),
            (TopicPattern::room("42"), "room:42", true),
            (TopicPattern::room("*"), "room:42", false),
            (TopicPattern::topic("room:*"), "room:42", true),
            (TopicPattern::topic("room:4"), "room:42", false),
            (TopicPattern::topic("room"), "room:42", false),
            (TopicPattern::topic("*"), "user:7", true),
            (TopicPattern::topic(""), "user:7", false),
        ];
        for (pattern, topic, expected) in cases {
            assert_eq!(pattern.matches(&topic.parse().unwrap()), expected, "{pattern:?} {topic}");
        }
    }
}
