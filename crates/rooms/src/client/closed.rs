//! Topics that a client followed and may not see any more.
use quadrille_core::Topic;
use quadrille_identity::{Action, Principal};
use quadrille_socketio::{SocketLink, packet};
use serde_json::json;

use crate::{
    state::State,
    topic::{self, Dialect},
    wire,
};

/// Finds the topics of `followed` that `who` may not see.
pub(super) async fn closed(
    state: &State,
    who: &Principal,
    user: Option<&str>,
    followed: Vec<Topic>,
) -> Vec<Topic> {
    let mut closed = Vec::new();
    for topic in followed {
        let kept = match Dialect::of(&topic) {
            Dialect::Conversation(id) => {
                let found = state.conversation(id, Action::Read, who, user).await;
                // On an error of the store nothing changes.
                !matches!(found, Ok(None))
            }
            Dialect::Named(_) => state.may_use(Action::Read, who, &topic),
            Dialect::Other => state.core.auth.allow(who, Action::Read, &topic).is_ok(),
        };
        if !kept {
            closed.push(topic);
        }
    }
    closed
}

/// Writes the events for a topic that was deleted: that of `join_room` if it is a conversation, and
/// that of `watch`, for both may show it.
pub(super) fn deleted(topic: &Topic) -> Vec<String> {
    let mut events = Vec::new();
    if let Some(id) = topic::conversation_of(topic) {
        let left = json!({
            "conversation_id": id, "message": "Conversation deleted", "reason": "deleted",
        });
        events.push(packet::event("left_room", &wire::json(&left)));
    }
    let unwatched = json!({"topic": topic.as_str(), "reason": "deleted"});
    events.push(packet::event("unwatched", &wire::json(&unwatched)));
    events
}

/// Tells a client that `topic` is shown no more.
pub(super) fn notify(topic: &Topic, link: &mut SocketLink<'_>) {
    match topic::conversation_of(topic) {
        Some(id) => link.event("left_room", &json!({"conversation_id": id})),
        None => link.event("unwatched", &json!({"topic": topic.as_str()})),
    }
}
