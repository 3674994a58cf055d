//! `/api/v1/topics/{topic}/turn`: what runs in a topic, for callers that do not know its id; and
//! questions that go to a running turn.
use axum::{
    Json,
    extract::{self, FromRequestParts, Path, Request},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use quadrille_agents::Ticket;
use quadrille_core::Topic;
use quadrille_edge::http::{Caller, Problem};
use quadrille_identity::Action;

use crate::{
    State,
    error::Error,
    question::QuestionBody,
    turns::{TurnPath, TurnStatus},
};

/// Look at what runs in a topic
///
/// The turn that runs, or else the one that has waited longest.
#[utoipa::path(
    get,
    path = "/api/v1/topics/{topic}/turn",
    tag = "turns",
    params(
        ("topic" = String, Path, description = "the topic, percent-encoded", min_length = 1,
         max_length = 250, pattern = r"^(?!(chan|chat|room|user):$)(?!subscription$)[^\u0000-\u001f\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$"),
    ),
    responses(
        (status = 200, description = "The turn", body = TurnStatus),
        (status = 204, description = "Nothing runs and nothing waits"),
        (status = 404, description = "The topic is not yours"),
    )
)]
pub(crate) async fn show_current(
    extract::State(state): extract::State<State>,
    caller: Caller,
    TopicPath(topic): TopicPath,
) -> Result<Response, Error> {
    let ticket = state.current(&caller, &topic, Action::Read)?;
    Ok(shown(ticket.as_ref()))
}

/// Cancel what runs in a topic
///
/// The answer comes when the turn has ended, and tells how: it may have been completed just before.
#[utoipa::path(
    delete,
    path = "/api/v1/topics/{topic}/turn",
    tag = "turns",
    params(
        ("topic" = String, Path, description = "the topic, percent-encoded", min_length = 1,
         max_length = 250, pattern = r"^(?!(chan|chat|room|user):$)(?!subscription$)[^\u0000-\u001f\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$"),
    ),
    responses(
        (status = 200, description = "The turn as it ended", body = TurnStatus),
        (status = 204, description = "Nothing runs and nothing waits"),
        (status = 404, description = "The topic is not yours"),
    )
)]
pub(crate) async fn cancel_current(
    extract::State(state): extract::State<State>,
    caller: Caller,
    TopicPath(topic): TopicPath,
) -> Result<Response, Error> {
    let ticket = state.current(&caller, &topic, Action::Write)?;
    if let Some(ticket) = &ticket {
        state.0.desk.cancel(ticket);
        ticket.ended().await;
    }
    Ok(shown(ticket.as_ref()))
}

/// Interrupt what runs in a topic with a question
///
/// The question is taken, and the turn that runs is cancelled; if the question is refused, that turn
/// goes on. With a key it is safe to send this again.
#[utoipa::path(
    post,
    path = "/api/v1/topics/{topic}/turn/interrupt",
    tag = "turns",
    params(
        ("topic" = String, Path, description = "the topic, percent-encoded", min_length = 1,
         max_length = 250, pattern = r"^(?!(chan|chat|room|user):$)(?!subscription$)[^\u0000-\u001f\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$"),
    ),
    request_body = QuestionBody,
    responses(
        (status = 202, description = "The turn of the question", body = TurnStatus),
        (status = 404, description = "The topic is not yours, or there is no such agent"),
        (status = 408, description = "The body took too long"),
        (status = 409, description = "The key came with another question"),
        (status = 413, description = "The body is too large"),
        (status = 415, description = "The body does not say that it is JSON"),
        (status = 429, description = "Too many requests, or the user's share of the questions that may wait is taken"),
        (status = 503, description = "Too many questions wait, or the server is shutting down"),
    )
)]
pub(crate) async fn interrupt(
    extract::State(state): extract::State<State>,
    caller: Caller,
    TopicPath(topic): TopicPath,
    request: Request,
) -> Result<Response, Problem> {
    caller.allow(Action::Write, &topic).map_err(|_| Error::NoTurn)?;
    state.interrupt_in(&caller, topic, request).await
}

/// Steer what runs in a topic
///
/// An agent that cannot take more text while it replies gets it as the next question.
#[utoipa::path(
    post,
    path = "/api/v1/topics/{topic}/turn/steer",
    tag = "turns",
    params(
        ("topic" = String, Path, description = "the topic, percent-encoded", min_length = 1,
         max_length = 250, pattern = r"^(?!(chan|chat|room|user):$)(?!subscription$)[^\u0000-\u001f\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$"),
    ),
    request_body = QuestionBody,
    responses(
        (status = 202, description = "The turn of the text", body = TurnStatus),
        (status = 404, description = "The topic is not yours, or there is no such agent"),
        (status = 408, description = "The body took too long"),
        (status = 409, description = "The key came with another question"),
        (status = 413, description = "The body is too large"),
        (status = 415, description = "The body does not say that it is JSON"),
        (status = 429, description = "Too many requests, or the user's share of the questions that may wait is taken"),
        (status = 503, description = "Too many questions wait, or the server is shutting down"),
    )
)]
pub(crate) async fn steer(
    extract::State(state): extract::State<State>,
    caller: Caller,
    TopicPath(topic): TopicPath,
    request: Request,
) -> Result<Response, Problem> {
    caller.allow(Action::Write, &topic).map_err(|_| Error::NoTurn)?;
    state.ask_in(&caller, topic, request).await
}

/// Interrupt a turn with a question
///
/// As in a topic. A turn that has ended stays as it is, and the question is asked in its topic.
#[utoipa::path(
    post,
    path = "/api/v1/turns/{id}/interrupt",
    tag = "turns",
    params(("id" = uuid::Uuid, Path, description = "the turn")),
    request_body = QuestionBody,
    responses(
        (status = 202, description = "The turn of the question", body = TurnStatus),
        (status = 404, description = "There is no such turn, or it is not yours"),
        (status = 408, description = "The body took too long"),
        (status = 409, description = "The key came with another question"),
        (status = 413, description = "The body is too large"),
        (status = 415, description = "The body does not say that it is JSON"),
        (status = 429, description = "Too many requests, or the user's share of the questions that may wait is taken"),
        (status = 503, description = "Too many questions wait, or the server is shutting down"),
    )
)]
pub(crate) async fn interrupt_turn(
    extract::State(state): extract::State<State>,
    caller: Caller,
    TurnPath(id): TurnPath,
    request: Request,
) -> Result<Response, Problem> {
    let topic = state.find(&caller, id, Action::Write).await?.topic().clone();
    state.interrupt_in(&caller, topic, request).await
}

/// Steer a turn
///
/// As in a topic.
#[utoipa::path(
    post,
    path = "/api/v1/turns/{id}/steer",
    tag = "turns",
    params(("id" = uuid::Uuid, Path, description = "the turn")),
    request_body = QuestionBody,
    responses(
        (status = 202, description = "The turn of the text", body = TurnStatus),
        (status = 404, description = "There is no such turn, or it is not yours"),
        (status = 408, description = "The body took too long"),
        (status = 409, description = "The key came with another question"),
        (status = 413, description = "The body is too large"),
        (status = 415, description = "The body does not say that it is JSON"),
        (status = 429, description = "Too many requests, or the user's share of the questions that may wait is taken"),
        (status = 503, description = "Too many questions wait, or the server is shutting down"),
    )
)]
pub(crate) async fn steer_turn(
    extract::State(state): extract::State<State>,
    caller: Caller,
    TurnPath(id): TurnPath,
    request: Request,
) -> Result<Response, Problem> {
    let topic = state.find(&caller, id, Action::Write).await?.topic().clone();
    state.ask_in(&caller, topic, request).await
}

/// The topic in a path. A text that is no topic names none of the caller's.
pub(crate) struct TopicPath(Topic);

impl<S: Send + Sync> FromRequestParts<S> for TopicPath {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        let Path(name) = name.map_err(|_| Error::NoTurn)?;
        Topic::from_channel(&name).map(Self).map_err(Error::Topic)
    }
}

impl State {
    /// Returns the turn that runs in `topic`, or waits there, if `caller` may do `action` to it. To the caller, no other topic exists.
    fn current(
        &self,
        caller: &Caller,
        topic: &Topic,
        action: Action,
    ) -> Result<Option<Ticket>, Error> {
        caller.allow(action, topic).map_err(|_| Error::NoTurn)?;
        Ok(self.0.desk.current(topic))
    }

    async fn interrupt_in(
        &self,
        caller: &Caller,
        topic: Topic,
        request: Request,
    ) -> Result<Response, Problem> {
        let ask = self.question(caller, request, Some(topic)).await?;
        Ok(accepted(&self.0.desk.interrupt(ask).await.map_err(Error::from)?))
    }

    async fn ask_in(
        &self,
        caller: &Caller,
        topic: Topic,
        request: Request,
    ) -> Result<Response, Problem> {
        let ask = self.question(caller, request, Some(topic)).await?;
        Ok(accepted(&self.0.desk.ask(ask).await.map_err(Error::from)?))
    }
}

fn accepted(ticket: &Ticket) -> Response {
    (StatusCode::ACCEPTED, Json(TurnStatus::from(ticket))).into_response()
}

fn shown(ticket: Option<&Ticket>) -> Response {
    match ticket {
        Some(ticket) => Json(TurnStatus::from(ticket)).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}
