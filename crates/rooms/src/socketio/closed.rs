//! Topics that a client followed and that are closed to it now.
use quadrille_core::Topic;
use quadrille_identity::{Action, Principal};
use serde_json::json;

use super::{Link, packet};
use crate::{
    door::{self, Door},
    render::Place,
    wire,
};

/// Those of `followed` that `who` may not see.
pub(super) async fn closed(
    door: &Door,
    who: &Principal,
    user: Option<&str>,
    followed: Vec<Topic>,
) -> Vec<Topic> {
    let mut closed = Vec::new();
    for topic in followed {
        let kept = match Place::of(&topic) {
            Place::Conversation(id) => {
                let found = door.conversation(id, Action::Read, who, user).await;
                // What cannot be looked up now is left as it is.
                !matches!(found, Ok(None))
            }
            Place::Named(_) => door.may_use(Action::Read, who, &topic),
            Place::Elsewhere => door.core.auth.allow(who, Action::Read, &topic).is_ok(),
        };
        if !kept {
            closed.push(topic);
        }
    }
    closed
}

/// What a client is told of a topic that was deleted: by the event of `join_room`, if it is a
/// conversation, and by that of `watch`, for both may show it.
pub(super) fn deleted(topic: &Topic) -> Vec<String> {
    let mut events = Vec::new();
    if let Some(id) = door::conversation(topic) {
        let left = json!({
            "conversation_id": id, "message": "Conversation deleted", "reason": "deleted",
        });
        events.push(packet::event("left_room", &wire::json(&left)));
    }
    let unwatched = json!({"topic": topic.as_str(), "reason": "deleted"});
    events.push(packet::event("unwatched", &wire::json(&unwatched)));
    events
}

/// Tell a client that `topic` is shown no more.
pub(super) fn tell(topic: &Topic, link: &mut Link<'_>) {
    match door::conversation(topic) {
        Some(id) => link.event("left_room", &json!({"conversation_id": id})),
        None => link.event("unwatched", &json!({"topic": topic.as_str()})),
    }
}
