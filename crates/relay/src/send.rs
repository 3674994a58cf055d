//! `POST /send`: ask, and wait for the reply.
use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use quadrille_agents::{Ended, Ending, Ticket};
use quadrille_edge::http::{Caller, Problem, accepts};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Relay, error::Error, events, question::Question};

/// The id of a turn, in the answer to a question.
const TURN: HeaderName = HeaderName::from_static("quadrille-turn");

/// Where the last record of the turn is, in the answer to a question.
const POSITION: HeaderName = HeaderName::from_static("quadrille-position");

/// The reply.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reply<'a> {
    response: &'a str,
}

/// Ask, and wait for the reply
///
/// Leaving cancels nothing: who asks again with the same key gets the same reply. With
/// `Accept: text/event-stream` the reply comes as events: `start`, `status`, `tool`, `token`, and
/// last one of `end`, `error` and `cancelled`.
#[utoipa::path(
    post,
    path = "/send",
    tag = "turns",
    request_body = Question,
    params(
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
         pattern = "^(?!\"\"$)[!-~][ -~]*$", description = "as `idempotency_key`"),
    ),
    responses(
        (status = 200, description = "The reply", body = Reply<'_>, headers(
            ("Quadrille-Turn" = String, description = "the id of the turn"),
            ("Quadrille-Position" = String, description = "where its last record is"),
        )),
        (status = 408, description = "The body took too long"),
        (status = 404, description = "There is no such agent"),
        (status = 409, description = "The turn was cancelled, or the key came with another question"),
        (status = 413, description = "The body is too large"),
        (status = 415, description = "The body does not say that it is JSON"),
        (status = 429, description = "Too many requests, or the user's share of the questions that may wait is taken"),
        (status = 500, description = "The gateway has a defect"),
        (status = 502, description = "The agent failed"),
        (status = 503, description = "Too many questions wait, or the server is shutting down"),
        (status = 504, description = "The agent took too long"),
    )
)]
pub(crate) async fn send(
    State(relay): State<Relay>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let streams = wants_events(request.headers());
    let ask = relay.question(&caller, request).await?;
    // Whoever wants events has a place for the stream before anything is asked.
    let session = if streams { Some(relay.admit(&caller, Some(ask.user.clone()))?) } else { None };
    let ticket = relay.0.desk.ask(ask).map_err(Error::from)?;
    let mut response = match session {
        Some(session) => {
            let since = ticket.since();
            events::stream(&relay, session, &caller, &ticket, since)?.into_response()
        }
        None => answer(ticket.ended().await),
    };
    response.headers_mut().insert(TURN, text(&ticket));
    Ok(response)
}

fn answer(Ended { ending, at, .. }: &Ended) -> Response {
    let mut response = match ending {
        Ending::Completed(text) => Json(Reply { response: text }).into_response(),
        Ending::Cancelled(_) => Error::Cancelled.into_response(),
        Ending::Failed(code) => Error::Failed(*code).into_response(),
    };
    let at = at.and_then(|at| HeaderValue::try_from(at.to_string()).ok());
    response.headers_mut().extend(at.map(|at| (POSITION, at)));
    response
}

fn text(ticket: &Ticket) -> HeaderValue {
    HeaderValue::try_from(ticket.id().to_string()).expect("an id has digits and dashes")
}

/// Whether a client names the media type of events as one that it takes.
fn wants_events(headers: &HeaderMap) -> bool {
    accepts(headers, "text/event-stream")
}
