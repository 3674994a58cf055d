//! The name of a log: `namespace:name`, parsed once at the edge.
use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use crate::NAMESPACES;

/// `namespace:name`; the namespace selects the [`Policy`](crate::Policy). Cloning is a reference
/// count.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(Arc<str>);

/// The text is not a topic.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum BadTopic {
    #[error("a topic is written `namespace:name`, and both are needed")]
    Shape,
    #[error("a topic has at most {} bytes", Topic::MAX)]
    TooLong,
    #[error("a topic has no control characters and no white space other than the space")]
    Character,
    #[error("`{}` is reserved for commands; choose another name", Topic::RESERVED)]
    Reserved,
}

impl Topic {
    /// The longest topic, in bytes of UTF-8, with its namespace.
    pub const MAX: usize = 255;

    /// The namespace of bare channel names.
    pub const CHANNELS: &str = "chan";

    /// The one name that no channel has.
    const RESERVED: &str = "subscription";

    /// The topic `name` in `namespace`.
    pub fn new(namespace: &str, name: impl fmt::Display) -> Result<Self, BadTopic> {
        format!("{namespace}:{name}").parse()
    }

    /// The topic that clients call `channel`: the topic itself if it begins with one of the [`NAMESPACES`],
    /// and otherwise the name of a topic in [`Self::CHANNELS`].
    pub fn from_channel(channel: &str) -> Result<Self, BadTopic> {
        match channel {
            Self::RESERVED => Err(BadTopic::Reserved),
            _ if names_namespace(channel) => channel.parse(),
            _ => Self::new(Self::CHANNELS, channel),
        }
    }

    /// The channel that means this topic: its bare name, unless that would mean another.
    pub fn channel(&self) -> &str {
        let name = self.name();
        let bare =
            self.namespace() == Self::CHANNELS && !names_namespace(name) && name != Self::RESERVED;
        if bare { name } else { self.as_str() }
    }

    pub fn namespace(&self) -> &str {
        self.0.split_once(':').map_or("", |(namespace, _)| namespace)
    }

    pub fn name(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, name)| name)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn names_namespace(channel: &str) -> bool {
    channel.split_once(':').is_some_and(|(namespace, _)| NAMESPACES.contains(&namespace))
}

impl FromStr for Topic {
    type Err = BadTopic;

    fn from_str(text: &str) -> Result<Self, BadTopic> {
        let (namespace, name) = text.split_once(':').ok_or(BadTopic::Shape)?;
        if namespace.is_empty() || name.is_empty() {
            return Err(BadTopic::Shape);
        }
        if text.len() > Self::MAX {
            return Err(BadTopic::TooLong);
        }
        if text.chars().any(|c| c.is_control() || (c.is_whitespace() && c != ' ')) {
            return Err(BadTopic::Character);
        }
        Ok(Self(text.into()))
    }
}

impl Borrow<str> for Topic {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_splits_at_the_first_colon() {
        let topic: Topic = "room:@a:b".parse().unwrap();
        assert_eq!((topic.namespace(), topic.name()), ("room", "@a:b"));
    }

    #[test]
    fn a_channel_is_a_topic_by_its_namespace_or_else_in_that_of_channels() {
        let channels = [
            ("demo", "chan:demo"),
            ("room:42", "room:42"),
            ("odd:42", "chan:odd:42"),
            ("chan:room:42", "chan:room:42"),
            ("chan:subscription", "chan:subscription"),
        ];
        for (channel, name) in channels {
            let topic: Topic = name.parse().unwrap();
            let found = (Topic::from_channel(channel), topic.channel());
            assert_eq!(found, (Ok(topic.clone()), channel));
        }
        let wrong = ["", "room:", "subscription"].map(Topic::from_channel);
        assert_eq!(wrong, [BadTopic::Shape, BadTopic::Shape, BadTopic::Reserved].map(Err));
    }

    #[test]
    fn what_is_not_a_topic_is_refused_with_its_reason() {
        let long = format!("chan:{}", "x".repeat(251));
        let cases = [
            ("", BadTopic::Shape),
            ("name", BadTopic::Shape),
            (":name", BadTopic::Shape),
            ("chan:", BadTopic::Shape),
            (long.as_str(), BadTopic::TooLong),
            ("chan:a\nb", BadTopic::Character),
            ("chan:a\u{2028}b", BadTopic::Character),
            ("chan:\0", BadTopic::Character),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<Topic>(), Err(why), "{text:?}");
        }
        assert!("chan:Grüße an alle".parse::<Topic>().is_ok());
    }
}
