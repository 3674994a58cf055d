//! `POST /chat/stream`: a question, and its reply as a stream of text that is not stored.
use std::sync::Arc;

use axum::{
    extract::{self, Request},
    response::{IntoResponse, Response},
};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use quadrille_agents::{Ask, Follow, FollowStep, Given};
use quadrille_core::{Admission, Close, Delivery, turn::TurnEvent, user_topic};
use quadrille_edge::sse::{self, EventStream, NOT_KEPT, Show};

use super::{caller::RoomsCaller, error::Error, fields::Fields, given};
use crate::{config::NAME, state::State, wire};

/// Encoding of the text in events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextEncoding {
    /// Unchanged, for clients of the first version, which know no conversations.
    Raw,
    /// As a JSON string.
    Json,
}

/// The stream of one reply.
#[derive(Debug)]
struct ReplyStream {
    follow: Follow,
    form: TextEncoding,
    /// Characters of the reply that the client has.
    sent: u64,
}

/// Ask an agent, and get the reply as a stream; nothing is stored
#[utoipa::path(
    post,
    path = "/chat/stream",
    tag = "rooms",
    responses(
        (status = 200, description = "Pieces of the reply: JSON strings if there is a `conversation_id`, and else plain", body = serde_json::Value, content_type = "text/event-stream"),
    )
)]
pub(super) async fn stream(
    extract::State(state): extract::State<Arc<State>>,
    caller: RoomsCaller,
    request: Request,
) -> Result<Response, Error> {
    let fields = Fields::read(request, state.storage.max_upload_size).await?;
    let form = if fields.has("conversation_id") { TextEncoding::Json } else { TextEncoding::Raw };
    let user = caller.user(fields.name("user_id")?.as_deref())?;
    let text = fields.text("message")?.filter(|text| !text.trim().is_empty());
    let text = text.ok_or(Error::Required("message"))?;
    let given = Given {
        history: given::history(&fields)?,
        image: given::image(&fields)?,
        level: crate::given::level(fields.name("intelligence_level")?),
    };
    caller.count_publication()?;
    // The stream is admitted before anything is asked: a refusal must not cost a turn.
    let peer = caller.peer.0;
    let holder = state.core.holder_for(&caller.principal, Some(&user), peer);
    let mut inbox = state.core.hub.inbox_of(holder.clone());
    let admission = Admission { protocol: NAME, user: Some(user.clone()), holder, peer };
    let session = state.core.sessions.admit(admission).map_err(|err| Error::Full(err.into()))?;
    let topic = user_topic(&user).map_err(Error::User)?;
    let holder = state.core.holder_for(&caller.principal, Some(&user), caller.peer.0);
    let ask = Ask { topic, user, holder, text: text.into(), agent: None, key: None, id: None };
    let ticket = match state.desk.ask_with(ask, given).await {
        Ok(ticket) => ticket,
        // The client looks for errors in the stream alone.
        Err(err) => return Ok(only(form, &err.to_string())),
    };
    let since = ticket.since();
    let follow = Follow::new(ticket, since);
    follow.subscribe(&mut inbox).map_err(|_| Error::Busy)?;
    let reply = ReplyStream { follow, form, sent: 0 };
    Ok(EventStream::new(session, caller.principal.expires, inbox, reply).into_response())
}

/// A stream of one error.
fn only(form: TextEncoding, message: &str) -> Response {
    let mut out = String::new();
    form.error(&mut out, message);
    ([(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, NOT_KEPT)], out).into_response()
}

// === impl TextEncoding ===

impl TextEncoding {
    fn put(self, out: &mut String, text: &str) {
        match self {
            Self::Raw => sse::put_data(out, text),
            Self::Json => sse::put_data(out, &wire::json(&text)),
        }
    }

    fn error(self, out: &mut String, message: &str) {
        self.put(out, &format!("Error: {message}"));
    }
}

// === impl ReplyStream ===

impl ReplyStream {
    /// Appends the new part of `text`, which comes after `start` characters of the reply. A hole
    /// before it is filled by the last record, which has everything.
    fn more(&mut self, out: &mut String, start: u64, text: &str) {
        let Some(known) = self.sent.checked_sub(start) else { return };
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let new: String = text.chars().skip(known).collect();
        if !new.is_empty() {
            self.sent += new.chars().count() as u64;
            self.form.put(out, &new);
        }
    }

    fn event(&mut self, out: &mut String, event: &TurnEvent) {
        match event {
            TurnEvent::Delta(delta) => self.more(out, delta.start, &delta.text),
            TurnEvent::Snapshot(snapshot) => self.more(out, 0, &snapshot.text),
            TurnEvent::Completed(completed) => self.more(out, 0, &completed.text),
            TurnEvent::Cancelled(cancelled) => self.more(out, 0, &cancelled.text),
            TurnEvent::Failed(failed) => self.form.error(out, &failed.title),
            _ => {}
        }
    }
}

impl Show for ReplyStream {
    fn id(&self) -> String {
        self.follow.position().to_string()
    }

    fn show(&mut self, out: &mut String, delivery: &Delivery) -> bool {
        match self.follow.step(delivery) {
            FollowStep::Record(record, kind) => {
                if let Some(event) = TurnEvent::of(record) {
                    self.event(out, &event);
                }
                !kind.is_last()
            }
            FollowStep::Nothing => true,
            FollowStep::Ended(last) => {
                self.event(out, &last);
                false
            }
            FollowStep::Closed(close) => {
                self.end(out, &close);
                false
            }
        }
    }

    /// The close is shown as text: such a client shows everything that comes.
    fn end(&mut self, out: &mut String, close: &Close) {
        self.form.error(out, &close.reason);
    }
}
