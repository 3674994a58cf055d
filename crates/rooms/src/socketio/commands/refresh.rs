//! `auth_refresh`: a connection goes on with a new token.
use std::borrow::Cow;

use futures_util::FutureExt;
use quadrille_core::Topic;
use quadrille_identity::NotRefreshed;
use quadrille_identity::{Principal, Token};
use serde::Deserialize;
use serde_json::json;

use super::Call;
use crate::socketio::{Client, Flow, Link, Then, closed};

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
    let Some((door, before, user)) = client.acting() else { return Flow::Continue };
    let followed: Vec<_> = link.inbox.topics().cloned().collect();
    let (peer, call_id) = (client.peer, call.id);
    Flow::Wait(
        async move {
            let known = match door.core.refresh(&token, &before, peer).await {
                Ok(who) => {
                    let lost = closed::closed(&door, &who, user.as_deref(), followed).await;
                    Ok((who, lost))
                }
                Err(why) => Err(why),
            };
            let then: Then = Box::new(move |client, link| match known {
                Ok((who, lost)) => go_on(client, who, &lost, call_id, link),
                Err(why) => {
                    let (code, message) = match why {
                        NotRefreshed::Exceeded(why) => ("rate", why.to_string()),
                        // As the original puts it, whatever the reason.
                        NotRefreshed::Denied(_) => ("bad_token", "Invalid token".to_owned()),
                        NotRefreshed::AnotherUser => ("bad_token", why.to_string()),
                    };
                    client.refuse(code, &message, call_id, link);
                }
            });
            then
        }
        .boxed(),
    )
}

fn go_on(
    client: &mut Client,
    who: Principal,
    lost: &[Topic],
    call: Option<u64>,
    link: &mut Link<'_>,
) {
    let Some(connected) = client.connected() else { return };
    let left = who.expires_in();
    connected.who = who;
    // What is said to everybody needs no grant, and neither do its own turns.
    for topic in lost.iter().filter(|it| **it != super::super::connect::everybody()) {
        if client.unsee(topic, link) {
            closed::tell(topic, link);
        }
    }
    link.event("auth_refreshed", &json!({"expires_in": left}));
    link.ack(call, Some(&json!({"expires_in": left})));
}
