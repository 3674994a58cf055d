//! The topics of conversations and of named rooms.
use quadrille_core::{BadTopic, Topic};

/// Namespace of conversations and named rooms.
const NAMESPACE: &str = "room";

/// Prefix of the topics of named rooms, and the topic of what is sent to everybody.
pub(crate) const NAMED_ROOMS: &str = "room:@";

/// The event dialect of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect<'a> {
    Conversation(i64),
    Named(&'a str),
    Other,
}

impl<'a> Dialect<'a> {
    pub(crate) fn of(topic: &'a Topic) -> Self {
        match (conversation_of(topic), topic.as_str().strip_prefix(NAMED_ROOMS)) {
            (Some(id), _) => Self::Conversation(id),
            (None, Some(room)) => Self::Named(room),
            (None, None) => Self::Other,
        }
    }
}

/// The topic of a conversation; `None` for an id that no conversation has.
pub(crate) fn of_conversation(id: i64) -> Option<Topic> {
    if id < 0 { None } else { Topic::new(NAMESPACE, id).ok() }
}

/// The id of the conversation that a topic belongs to.
pub(crate) fn conversation_of(topic: &Topic) -> Option<i64> {
    if topic.namespace() != NAMESPACE {
        return None;
    }
    let id = topic.name().parse().ok()?;
    // One spelling each.
    (of_conversation(id)? == *topic).then_some(id)
}

/// The topic of a named room.
pub(crate) fn of_named_room(room: &str) -> Result<Topic, BadTopic> {
    // Without a name it would be the topic of everybody.
    if room.is_empty() {
        return Err(BadTopic::Shape);
    }
    format!("{NAMED_ROOMS}{room}").parse()
}

pub(crate) fn is_named_room(topic: &Topic) -> bool {
    topic.as_str().starts_with(NAMED_ROOMS)
}

/// The topic of what is sent to everybody.
pub(crate) fn everybody() -> Topic {
    NAMED_ROOMS.parse().expect("a namespace and a name of one character are a topic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_has_one_topic_and_that_has_no_other() {
        assert_eq!(conversation_of(&of_conversation(42).unwrap()), Some(42));
        for other in ["room:@42", "room:042", "room:-1", "room:x", "chan:42"] {
            assert_eq!(conversation_of(&other.parse().unwrap()), None, "{other}");
        }
        assert_eq!(of_conversation(-1), None);
    }
}
