//! The topics of conversations.
use quadrille_core::Topic;

/// The topic of a conversation. `None` for an id that no conversation has.
pub(crate) fn room(conversation: i64) -> Option<Topic> {
    if conversation < 0 { None } else { Topic::new("room", conversation).ok() }
}

/// The conversation of a topic.
pub(crate) fn conversation(topic: &Topic) -> Option<i64> {
    if topic.namespace() != "room" {
        return None;
    }
    let id = topic.name().parse().ok()?;
    // One spelling each.
    (room(id)? == *topic).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_has_one_topic_and_that_has_no_other() {
        assert_eq!(conversation(&room(42).unwrap()), Some(42));
        for other in ["room:@42", "room:042", "room:-1", "room:x", "chan:42"] {
            assert_eq!(conversation(&other.parse().unwrap()), None, "{other}");
        }
        assert_eq!(room(-1), None);
    }
}
