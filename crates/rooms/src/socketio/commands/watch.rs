//! Any topic of the gateway, seen over Socket.IO.
use std::borrow::Cow;

use futures_util::FutureExt;
use quadrille_core::Topic;
use quadrille_identity::Action;
use serde::Deserialize;
use serde_json::json;

use super::{Call, From};
use crate::{
    door,
    render::NAMED,
    socketio::{Client, Flow, Link, Then},
};

#[derive(Deserialize)]
struct Watch<'a> {
    #[serde(borrow, default)]
    topic: Option<Cow<'a, str>>,
    #[serde(flatten)]
    from: From,
}

/// The same whether there is such a topic or not.
const NOT_ALLOWED: &str = "not allowed with this token; get one that grants the topic";
const NO_TOPIC: &str = "topic is required: `namespace:name`, or the name of a channel";

/// Answered by `watching`; records follow as events of the name of their kind.
pub(super) fn watch(client: &mut Client, call: &Call<'_>, link: &mut Link<'_>) -> Flow {
    let Some((watch, topic)) = read(client, call, link) else { return Flow::Continue };
    let Some((door, who, user)) = client.acting() else { return Flow::Continue };
    let Some(conversation) = door::conversation(&topic) else {
        let named = topic.namespace() == "room" && topic.name().starts_with(NAMED);
        let granted = door.core.auth.allow(&who, Action::Read, &topic).is_ok();
        if granted || (named && door.takes_guests()) {
            watching(client, &topic, &watch.from, call.id, link);
        } else {
            client.refuse("not_allowed", NOT_ALLOWED, call.id, link);
        }
        return Flow::Continue;
    };
    let (from, call_id) = (watch.from, call.id);
    Flow::Wait(
        async move {
            let found = door.conversation(conversation, Action::Read, &who, user.as_deref()).await;
            let then: Then = Box::new(move |client, link| match found {
                Ok(Some(_)) => watching(client, &topic, &from, call_id, link),
                _ => client.refuse("not_allowed", NOT_ALLOWED, call_id, link),
            });
            then
        }
        .boxed(),
    )
}

fn watching(
    client: &mut Client,
    topic: &Topic,
    from: &From,
    call: Option<u64>,
    link: &mut Link<'_>,
) {
    match client.see(topic, from, link) {
        Ok(at) => {
            let answer = json!({"topic": topic.as_str(), "position": at.to_string()});
            link.event("watching", &answer);
            link.ack(call, Some(&answer));
        }
        Err(why) => client.refuse("not_seen", &why.to_string(), call, link),
    }
}

pub(super) fn unwatch(client: &mut Client, call: &Call<'_>, link: &mut Link<'_>) -> Flow {
    if let Some((_, topic)) = read(client, call, link) {
        client.unsee(&topic, link);
        let answer = json!({"topic": topic.as_str()});
        link.event("unwatched", &answer);
        link.ack(call.id, None);
    }
    Flow::Continue
}

fn read<'a>(client: &Client, call: &Call<'a>, link: &mut Link<'_>) -> Option<(Watch<'a>, Topic)> {
    let watch = call.read::<Watch<'a>>();
    let Some(topic) = watch.as_ref().and_then(|it| it.topic.as_deref()) else {
        client.refuse("no_topic", NO_TOPIC, call.id, link);
        return None;
    };
    match Topic::from_channel(topic) {
        Ok(topic) => watch.map(|watch| (watch, topic)),
        Err(why) => {
            client.refuse("no_topic", &why.to_string(), call.id, link);
            None
        }
    }
}
