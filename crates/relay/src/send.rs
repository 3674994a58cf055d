//! `POST /send`: asking, and waiting for the reply.
use axum::{
    Json,
    extract::{self, Request},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use quadrille_agents::{Ended, Ending, Follow, Ticket};
use quadrille_edge::http::{Caller, Problem, accepts};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{State, error::Error, events, question::QuestionBody};

/// The header with the id of a turn, in the answer to a question.
const TURN_HEADER: HeaderName = HeaderName::from_static("quadrille-turn");

/// The header with the position of a turn's last record, in the answer to a question.
const POSITION_HEADER: HeaderName = HeaderName::from_static("quadrille-position");

/// The reply.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reply)]
pub(crate) struct ReplyBody<'a> {
    response: &'a str,
}

/// Ask, and wait for the reply
///
/// Leaving cancels nothing: asking again with the same key gets the same reply. With
/// `Accept: text/event-stream` the reply comes as the events of `/api/v1/turns/{id}/events`.
#[utoipa::path(
    post,
    path = "/send",
    tag = "turns",
    request_body = QuestionBody,
    params(
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
         pattern = "^(?!\"\"$)[!-~][ -~]*$", description = "as `idempotency_key`"),
    ),
    responses(
        (status = 200, description = "The reply", body = ReplyBody<'_>, headers(
            ("Quadrille-Turn" = String, description = "the id of the turn"),
            ("Quadrille-Position" = String, description = "where its last record is"),
        )),
        (status = 408, description = "The body took too long"),
        (status = 404, description = "There is no such agent"),
        (status = 409, description = "The turn was cancelled, or the key came with another question"),
        (status = 413, description = "The body is too large"),
        (status = 415, description = "The body does not say that it is JSON"),
        (status = 429, description = "Too many requests, or the user's share of the questions that may wait is taken"),
        (status = 500, description = "Internal error"),
        (status = 502, description = "The agent failed"),
        (status = 503, description = "Too many questions wait, or the server is shutting down"),
        (status = 504, description = "The agent took too long"),
    )
)]
pub(crate) async fn send(
    extract::State(state): extract::State<State>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let streams = wants_events(request.headers());
    let ask = state.question(&caller, request, None).await?;
    // A stream is admitted before anything is asked: a refusal must not cost a turn.
    let session = if streams { Some(state.admit(&caller, Some(ask.user.clone()))?) } else { None };
    let ticket = state.0.desk.ask(ask).await.map_err(Error::from)?;
    let mut response = match session {
        Some(session) => {
            let follow = Follow::new(ticket.clone(), ticket.since());
            events::stream(&state, session, &caller, follow)?.into_response()
        }
        None => answer(ticket.ended().await),
    };
    response.headers_mut().insert(TURN_HEADER, header_value(&ticket));
    Ok(response)
}

fn answer(Ended { ending, at, .. }: &Ended) -> Response {
    let mut response = match ending {
        Ending::Completed(text) => Json(ReplyBody { response: text }).into_response(),
        Ending::Cancelled(_) => Error::Cancelled.into_response(),
        Ending::Failed { code, .. } => Error::Failed(*code).into_response(),
    };
    let at = at.and_then(|at| HeaderValue::try_from(at.to_string()).ok());
    response.headers_mut().extend(at.map(|at| (POSITION_HEADER, at)));
    response
}

fn header_value(ticket: &Ticket) -> HeaderValue {
    HeaderValue::try_from(ticket.id().to_string()).expect("an id has digits and dashes")
}

/// Whether the client accepts the media type of events by name.
fn wants_events(headers: &HeaderMap) -> bool {
    accepts(headers, "text/event-stream")
}
