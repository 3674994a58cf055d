//! Any topic of the gateway, shown over Socket.IO.
use std::borrow::Cow;

use futures_util::FutureExt;
use quadrille_core::Topic;
use quadrille_identity::Action;
use quadrille_socketio::SocketLink;
use serde::Deserialize;
use serde_json::json;

use super::call::Call;
use crate::{
    client::connected::{Client, ClientFlow, Continuation, JoinOptions},
    topic::{self, is_named_room},
};

#[derive(Deserialize)]
struct WatchEvent<'a> {
    #[serde(borrow, default)]
    topic: Option<Cow<'a, str>>,
    #[serde(flatten)]
    options: JoinOptions,
}

/// The same whether there is such a topic or not.
const NOT_ALLOWED: &str = "not allowed with this token; get one that grants the topic";
const NO_TOPIC: &str = "topic is required: `namespace:name`, or the name of a channel";

/// Answered by `watching`; records follow as events of the name of their kind.
pub(super) fn watch(client: &mut Client, call: &Call<'_>, link: &mut SocketLink<'_>) -> ClientFlow {
    let Some((watch, topic)) = read(client, call, link) else { return ClientFlow::Continue };
    let (state, who, user) = client.acting();
    let Some(conversation) = topic::conversation_of(&topic) else {
        let granted = state.core.auth.allow(&who, Action::Read, &topic).is_ok();
        if granted || (is_named_room(&topic) && state.takes_guests()) {
            watching(client, &topic, &watch.options, call.id, link);
        } else {
            client.refuse("not_allowed", NOT_ALLOWED, call.id, link);
        }
        return ClientFlow::Continue;
    };
    let (options, call_id) = (watch.options, call.id);
    ClientFlow::Wait(
        async move {
            let found = state.conversation(conversation, Action::Read, &who, user.as_deref()).await;
            let then: Continuation = Box::new(move |client, link| match found {
                Ok(Some(_)) => watching(client, &topic, &options, call_id, link),
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
    options: &JoinOptions,
    call: Option<u64>,
    link: &mut SocketLink<'_>,
) {
    match client.subscribe(topic, options, link) {
        Ok(at) => {
            let answer = json!({"topic": topic.as_str(), "position": at.to_string()});
            link.event("watching", &answer);
            link.ack(call, Some(&answer));
        }
        Err(err) => client.refuse("not_seen", &err.to_string(), call, link),
    }
}

pub(super) fn unwatch(
    client: &mut Client,
    call: &Call<'_>,
    link: &mut SocketLink<'_>,
) -> ClientFlow {
    if let Some((_, topic)) = read(client, call, link) {
        client.unsubscribe(&topic, link);
        let answer = json!({"topic": topic.as_str()});
        link.event("unwatched", &answer);
        link.ack(call.id, None);
    }
    ClientFlow::Continue
}

fn read<'a>(
    client: &Client,
    call: &Call<'a>,
    link: &mut SocketLink<'_>,
) -> Option<(WatchEvent<'a>, Topic)> {
    let watch = call.read::<WatchEvent<'a>>();
    let Some(topic) = watch.as_ref().and_then(|watch| watch.topic.as_deref()) else {
        client.refuse("no_topic", NO_TOPIC, call.id, link);
        return None;
    };
    match Topic::from_channel(topic) {
        Ok(topic) => watch.map(|watch| (watch, topic)),
        Err(err) => {
            client.refuse("no_topic", &err.to_string(), call.id, link);
            None
        }
    }
}
