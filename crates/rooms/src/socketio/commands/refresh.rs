//! `auth_refresh`: a connection goes on with a new token.
use std::{borrow::Cow, time::Duration};

use futures_util::FutureExt;
use quadrille_core::{
    Topic,
    auth::{Action, Denied, Principal, Token},
};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::Call;
use crate::{
    door::{self, Door},
    render::Place,
    socketio::{Client, Flow, Link, Then},
};

#[derive(Deserialize)]
struct Refresh<'a> {
    #[serde(borrow, default)]
    token: Option<Cow<'a, str>>,
}

/// Answered by `auth_refreshed`, with the seconds until the new token ends.
pub(super) fn refresh(client: &mut Client, call: &Call<'_>, link: &mut Link<'_>) -> Flow {
    let refresh = call.read::<Refresh<'_>>();
    let Some(token) = refresh.and_then(|it| it.token).map(|it| Token::from(&*it)) else {
        client.refuse("no_token", "Authentication token required", call.id, link);
        return Flow::Continue;
    };
    if let Err(why) = client.door.core.quotas.may_show_token(client.peer) {
        client.refuse("rate", &why.to_string(), call.id, link);
        return Flow::Continue;
    }
    let Some((door, before, user)) = client.acting() else { return Flow::Continue };
    let followed: Vec<_> = link.inbox.topics().cloned().collect();
    let call_id = call.id;
    Flow::Wait(
        async move {
            let known = door.core.auth.identify(Some(&token)).await;
            let known = match known {
                Ok(who) if who.user == before.user => {
                    let lost = lost(&door, &who, user.as_deref(), followed).await;
                    Ok((who, lost))
                }
                Ok(_) => Err(Unusable::AnotherUser),
                Err(why) => Err(Unusable::Token(why)),
            };
            let then: Then = Box::new(move |client, link| match known {
                Ok((who, lost)) => go_on(client, who, &lost, call_id, link),
                Err(why) => {
                    if let Unusable::Token(why) = why {
                        client.door.core.quotas.token_refused(client.peer, why);
                    }
                    client.refuse("bad_token", &why.to_string(), call_id, link);
                }
            });
            then
        }
        .boxed(),
    )
}

/// Why a connection does not go on with a token.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum Unusable {
    #[error("Invalid token")]
    Token(Denied),
    #[error("the token is of another user; open another connection for it")]
    AnotherUser,
}

/// The topics that `who` may not see.
async fn lost(
    door: &Door,
    who: &Principal,
    user: Option<&str>,
    followed: Vec<Topic>,
) -> Vec<Topic> {
    let mut lost = Vec::new();
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
            lost.push(topic);
        }
    }
    lost
}

fn go_on(
    client: &mut Client,
    who: Principal,
    lost: &[Topic],
    call: Option<u64>,
    link: &mut Link<'_>,
) {
    let Some(connected) = client.connected() else { return };
    let left = who.expires.map(|at| at.saturating_duration_since(Instant::now()));
    let left = left.map(|it| (it + Duration::from_millis(500)).as_secs());
    connected.who = who;
    // What is said to everybody needs no grant, and neither do its own turns.
    for topic in lost.iter().filter(|it| **it != super::super::connect::everybody()) {
        if client.unsee(topic, link) {
            let gone = match door::conversation(topic) {
                Some(id) => ("left_room", json!({"conversation_id": id})),
                None => ("unwatched", json!({"topic": topic.as_str()})),
            };
            link.event(gone.0, &gone.1);
        }
    }
    link.event("auth_refreshed", &json!({"expires_in": left}));
    link.ack(call, Some(&json!({"expires_in": left})));
}
