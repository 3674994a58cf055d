//! `auth_refresh`: gives a connection a new token.
use std::borrow::Cow;

use futures_util::FutureExt;
use quadrille_core::Topic;
use quadrille_identity::NotRefreshed;
use quadrille_identity::{Principal, Token};
use quadrille_socketio::SocketLink;
use serde::Deserialize;
use serde_json::json;

use super::call::Call;
use crate::{
    client::{
        closed,
        connected::{Client, ClientFlow, Continuation},
    },
    topic::everybody,
};

#[derive(Deserialize)]
struct Refresh<'a> {
    #[serde(borrow, default)]
    token: Option<Cow<'a, str>>,
}

/// Answered by `auth_refreshed`, with the seconds until the new token expires.
pub(super) fn refresh(
    client: &mut Client,
    call: &Call<'_>,
    link: &mut SocketLink<'_>,
) -> ClientFlow {
    let refresh = call.read::<Refresh<'_>>();
    let Some(token) = refresh.and_then(|refresh| refresh.token).map(|token| Token::from(&*token))
    else {
        client.refuse("no_token", "Authentication token required", call.id, link);
        return ClientFlow::Continue;
    };
    let (state, before, user) = client.acting();
    let followed: Vec<_> = link.topics().cloned().collect();
    let (peer, call_id) = (client.info.peer, call.id);
    ClientFlow::Wait(
        async move {
            let known = match state.core.refresh(&token, &before, peer).await {
                Ok(who) => {
                    let lost = closed::closed(&state, &who, user.as_deref(), followed).await;
                    Ok((who, lost))
                }
                Err(err) => Err(err),
            };
            let then: Continuation = Box::new(move |client, link| match known {
                Ok((who, lost)) => apply_token(client, who, &lost, call_id, link),
                Err(err) => {
                    let (code, message) = match err {
                        NotRefreshed::Exceeded(err) => ("rate", err.to_string()),
                        // As the original puts it, whatever the reason.
                        NotRefreshed::Denied(_) => ("bad_token", "Invalid token".to_owned()),
                        NotRefreshed::AnotherUser => ("bad_token", err.to_string()),
                    };
                    client.refuse(code, &message, call_id, link);
                }
            });
            then
        }
        .boxed(),
    )
}

fn apply_token(
    client: &mut Client,
    who: Principal,
    lost: &[Topic],
    call: Option<u64>,
    link: &mut SocketLink<'_>,
) {
    let left = who.expires_in();
    client.principal = who;
    // The topic of everybody needs no grant, and neither do its own turns.
    let everybody = everybody();
    for topic in lost.iter().filter(|topic| **topic != everybody) {
        if client.unsubscribe(topic, link) {
            closed::notify(topic, link);
        }
    }
    link.event("auth_refreshed", &json!({"expires_in": left}));
    link.ack(call, Some(&json!({"expires_in": left})));
}
