//! `POST /chat/stream`: a question, and its reply as a stream of text that is not stored.
use std::sync::Arc;

use axum::{
    extract::{self, Request},
    response::{IntoResponse, Response},
};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use quadrille_agents::{Ask, Ended, Ending, Given, Phase, Ticket};
use quadrille_core::{
    Admission, Close, Delivery, Event, Gap, Position, Since, Topic,
    sse::{self, NOT_KEPT, Show, Stream},
    turn::{self, Turn},
};

use super::{caller::Caller, error::Error, fields::Fields, given};
use crate::{config::NAME, state::State, wire};

/// Encoding of the text in events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Unchanged, for clients of the first version, which know no conversations.
    Raw,
    /// As a JSON string.
    Json,
}

/// A turn, as a stream shows it.
#[derive(Debug)]
struct Shown {
    ticket: Ticket,
    form: Form,
    at: Position,
    /// Characters of the reply that the client has.
    had: u64,
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
    caller: Caller,
    request: Request,
) -> Result<Response, Error> {
    let fields = Fields::read(request, state.memory.max_upload_size).await?;
    let form = if fields.has("conversation_id") { Form::Json } else { Form::Raw };
    let user = caller.user(fields.name("user_id")?.as_deref())?;
    let text = fields.text("message")?.filter(|it| !it.trim().is_empty());
    let text = text.ok_or(Error::Required("message"))?;
    let given = Given {
        before: given::history(&fields)?,
        image: given::image(&fields)?,
        level: crate::given::level(fields.name("intelligence_level")?),
    };
    caller.count_publication()?;
    // Whoever wants a stream has a place for it before anything is asked.
    let peer = caller.peer.0;
    let holder = state.core.holder_for(&caller.principal, Some(&user), peer);
    let mut inbox = state.core.hub.inbox_of(holder.clone());
    let admission = Admission { protocol: NAME, user: Some(user.clone()), holder, peer };
    let session = state.core.sessions.admit(admission).map_err(|err| Error::Full(err.into()))?;
    let topic = Topic::new("user", &user).map_err(Error::User)?;
    let holder = state.core.holder_for(&caller.principal, Some(&user), caller.peer.0);
    let ask = Ask { topic, user, holder, text: text.into(), agent: None, key: None, id: None };
    let ticket = match state.desk.ask_with(ask, given) {
        Ok(ticket) => ticket,
        // The client looks for errors in the stream alone.
        Err(err) => return Ok(only(form, &err.to_string())),
    };
    let at = ticket.since();
    inbox.subscribe(ticket.topic(), Since::After(at), 0).map_err(|_| Error::Busy)?;
    let shown = Shown { ticket, form, at, had: 0 };
    Ok(Stream::new(session, caller.principal.expires, inbox, shown).into_response())
}

/// Answers with a stream of one error.
fn only(form: Form, err: &str) -> Response {
    let mut out = String::new();
    form.error(&mut out, err);
    ([(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, NOT_KEPT)], out).into_response()
}

// === impl Form ===

impl Form {
    fn put(self, out: &mut String, text: &str) {
        match self {
            Self::Raw => sse::put_data(out, text),
            Self::Json => sse::put_data(out, &wire::json(&text)),
        }
    }

    fn error(self, out: &mut String, err: &str) {
        self.put(out, &format!("Error: {err}"));
    }
}

// === impl Shown ===

impl Shown {
    /// Writes the part of `text` that is new, after `start` characters of the reply. A part that is
    /// missing before it comes with the last record, which has the whole text.
    fn more(&mut self, out: &mut String, start: u64, text: &str) {
        let Some(known) = self.had.checked_sub(start) else { return };
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let new: String = text.chars().skip(known).collect();
        if !new.is_empty() {
            self.had += new.chars().count() as u64;
            self.form.put(out, &new);
        }
    }

    /// Writes a record of the topic. False if the stream ends with it.
    fn record(&mut self, out: &mut String, event: &Event) -> bool {
        self.at = event.at;
        let turn = Some(self.ticket.id()).filter(|id| turn::of(event) == Some(*id));
        match turn.and_then(|_| Turn::of(event)) {
            Some(Turn::Delta(it)) => self.more(out, it.start, &it.text),
            Some(Turn::Completed(it)) => return self.last(out, &Ending::Completed(it.text)),
            Some(Turn::Cancelled(it)) => return self.last(out, &Ending::Cancelled(it.text)),
            Some(Turn::Failed(it)) => {
                self.form.error(out, &it.title);
                return false;
            }
            Some(_) => {}
            None => return self.go_on(out, event.at),
        }
        true
    }

    fn last(&mut self, out: &mut String, ending: &Ending) -> bool {
        match ending {
            Ending::Completed(text) | Ending::Cancelled(text) => self.more(out, 0, text),
            Ending::Failed(code) => self.form.error(out, code.title()),
        }
        false
    }

    /// After `now` the stream goes on if the last record is still to come; a log that merges, or
    /// has started over, may have lost it, and then it is told from memory.
    fn go_on(&mut self, out: &mut String, now: Position) -> bool {
        let Phase::Ended(Ended { ending, at, .. }) = self.ticket.phase() else { return true };
        if at.is_some_and(|at| at.epoch == now.epoch && at.offset > now.offset) {
            return true;
        }
        self.last(out, &ending)
    }

    fn gap(&mut self, out: &mut String, gap: &Gap) -> bool {
        self.at = gap.at;
        self.go_on(out, gap.at)
    }
}

impl Show for Shown {
    fn id(&self) -> String {
        self.at.to_string()
    }

    fn show(&mut self, out: &mut String, delivery: &Delivery) -> bool {
        match delivery {
            Delivery::Record(event, _) => self.record(out, event),
            Delivery::Gap(gap, _) => self.gap(out, gap),
            Delivery::Deleted(..) => {
                if self.go_on(out, Position { epoch: 0, offset: 0 }) {
                    self.end(out, &Close::DELETED);
                }
                false
            }
            Delivery::End(_) => false,
        }
    }

    /// Writes an error as text: clients of this endpoint show whatever comes.
    fn end(&mut self, out: &mut String, err: &Close) {
        self.form.error(out, &err.reason);
    }
}
