//! `/api/v1/turns`: asking without waiting, and looking at a turn, watching it, cancelling it.
use std::sync::Arc;

use axum::{
    Json,
    extract::{self, FromRequestParts, Path, Request},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, Uri, request::Parts};
use quadrille_agents::{Ended, Ending, Follow, Phase, Ticket};
use quadrille_core::{Position, turn::TokenUsage};
use quadrille_edge::http::{Caller, Problem};
use quadrille_identity::Action;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{State, error::Error, events, question::QuestionBody};

/// The present state of a turn.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Turn)]
pub(crate) struct TurnStatus {
    turn: Uuid,
    topic: String,
    user: String,
    agent: String,
    #[schema(inline)]
    status: StatusKind,
    /// The position in the topic after which the turn's records are.
    #[schema(value_type = String)]
    since: Position,
    /// The position of the last record.
    #[schema(value_type = Option<String>)]
    position: Option<Position>,
    /// The whole reply, or as far as it has got.
    response: Option<String>,
    /// The code of the failure.
    code: Option<&'static str>,
    /// Why the reply ended, as the agent says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The tokens that the agent counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    usage: Option<UsageBody>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
struct UsageBody {
    input: u64,
    output: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Status)]
enum StatusKind {
    Waiting,
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl From<&Ticket> for TurnStatus {
    fn from(ticket: &Ticket) -> Self {
        let (status, ended) = match ticket.phase() {
            Phase::Waiting => (StatusKind::Waiting, None),
            Phase::Running => (StatusKind::Running, None),
            Phase::Ended(ended) => {
                let status = match ended.ending {
                    Ending::Completed(_) => StatusKind::Completed,
                    Ending::Failed { .. } => StatusKind::Failed,
                    Ending::Cancelled(_) => StatusKind::Cancelled,
                };
                (status, Some(ended))
            }
        };
        // Known a moment before the end, but no part of a turn that runs.
        let (usage, reason) = match &ended {
            Some(_) => (ticket.usage(), ticket.reason()),
            None => (None, None),
        };
        let position = ended.as_ref().and_then(|ended| ended.at);
        let (response, code) = match ended.map(|Ended { ending, .. }| ending) {
            Some(Ending::Completed(text) | Ending::Cancelled(text)) => (Some(text), None),
            Some(Ending::Failed { code, text }) => (not_empty(text), Some(code.as_str())),
            None => (not_empty(ticket.text()), None),
        };
        Self {
            turn: ticket.id(),
            topic: ticket.topic().to_string(),
            user: ticket.user().to_string(),
            agent: ticket.agent().to_owned(),
            status,
            since: ticket.since(),
            position,
            response: response.map(|text| text.to_string()),
            code,
            reason: reason.map(str::to_owned),
            usage: usage.map(|TokenUsage { input, output }| UsageBody { input, output }),
        }
    }
}

fn not_empty(text: Arc<str>) -> Option<Arc<str>> {
    if text.is_empty() { None } else { Some(text) }
}

/// Ask without waiting
///
/// The answer has the id of the turn. The turn's records go into `topic`.
#[utoipa::path(
    post,
    path = "/api/v1/turns",
    tag = "turns",
    request_body = QuestionBody,
    params(
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
         pattern = "^(?!\"\"$)[!-~][ -~]*$", description = "as `idempotency_key`"),
    ),
    responses(
        (status = 202, description = "The turn runs or waits, or is the one of the same key",
         body = TurnStatus),
        (status = 408, description = "The body took too long"),
        (status = 404, description = "There is no such agent"),
        (status = 409, description = "The key came with another question"),
        (status = 413, description = "The body is too large"),
        (status = 415, description = "The body does not say that it is JSON"),
        (status = 429, description = "Too many requests, or the user's share of the questions that may wait is taken"),
        (status = 503, description = "Too many questions wait, or the server is shutting down"),
    )
)]
pub(crate) async fn ask(
    extract::State(state): extract::State<State>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let ask = state.question(&caller, request, None).await?;
    let ticket = state.0.desk.ask(ask).await.map_err(Error::from)?;
    Ok((StatusCode::ACCEPTED, Json(TurnStatus::from(&ticket))).into_response())
}

/// Look at a turn
///
/// Turns outlive the process; for how long is up to `turns.keep`.
#[utoipa::path(
    get,
    path = "/api/v1/turns/{id}",
    tag = "turns",
    params(("id" = Uuid, Path, description = "the turn")),
    responses(
        (status = 200, description = "The turn", body = TurnStatus),
        (status = 404, description = "There is none, or it is not yours"),
    )
)]
pub(crate) async fn show(
    extract::State(state): extract::State<State>,
    caller: Caller,
    TurnPath(id): TurnPath,
) -> Result<Json<TurnStatus>, Error> {
    let ticket = state.find(&caller, id, Action::Read).await?;
    Ok(Json(TurnStatus::from(&ticket)))
}

/// Cancel a turn
///
/// The answer comes when the turn has ended, and tells how: it may have been completed just before.
#[utoipa::path(
    delete,
    path = "/api/v1/turns/{id}",
    tag = "turns",
    params(("id" = Uuid, Path, description = "the turn")),
    responses(
        (status = 200, description = "The turn as it ended", body = TurnStatus),
        (status = 404, description = "There is none, or it is not yours"),
    )
)]
pub(crate) async fn cancel(
    extract::State(state): extract::State<State>,
    caller: Caller,
    TurnPath(id): TurnPath,
) -> Result<Json<TurnStatus>, Error> {
    let ticket = state.find(&caller, id, Action::Write).await?;
    // A turn that this desk neither runs nor knows to have ended is not its to cancel.
    if state.0.desk.find(id).is_none() && !matches!(ticket.phase(), Phase::Ended(_)) {
        return Err(Error::NoTurn);
    }
    state.0.desk.cancel(&ticket);
    ticket.ended().await;
    Ok(Json(TurnStatus::from(&ticket)))
}

/// Watch a turn
///
/// Server-sent events, from the turn's first record or from the one after `Last-Event-ID` on:
/// `start`, `status`, `reasoning`, `tool`, `token`, `source`, `file`, `data`, `waiting`, `answered`,
/// `steered`, and last one of `end`, `error` and `cancelled`.
#[utoipa::path(
    get,
    path = "/api/v1/turns/{id}/events",
    tag = "turns",
    params(
        ("id" = Uuid, Path, description = "the turn"),
        ("Last-Event-ID" = Option<String>, Header, description = "the `id` to go on after"),
        ("lastEventId" = Option<String>, Query,
         description = "the same, for clients that cannot set the header, which wins"),
    ),
    responses(
        (status = 200, description = "Events", body = String, content_type = "text/event-stream"),
        (status = 204, description = "Nothing comes after `Last-Event-ID`; do not come back"),
        (status = 404, description = "There is none, or it is not yours"),
        (status = 429, description = "Too many connections from this address"),
        (status = 503, description = "The server is full or shutting down"),
    )
)]
pub(crate) async fn watch(
    extract::State(state): extract::State<State>,
    caller: Caller,
    TurnPath(id): TurnPath,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let ticket = state.find(&caller, id, Action::Read).await?;
    let since = since(&headers, &uri)?.unwrap_or(ticket.since());
    let top = state.0.core.hub.top(ticket.topic());
    let follow = Follow::new(ticket, since);
    if follow.is_over(top) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let session = state.admit(&caller, caller.principal.user.clone())?;
    Ok(events::stream(&state, session, &caller, follow)?.into_response())
}

/// The id of a turn in a path. A text that is no id names no turn.
pub(crate) struct TurnPath(pub(crate) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for TurnPath {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let id = Path::<Uuid>::from_request_parts(parts, state).await;
        id.map(|Path(id)| Self(id)).map_err(|_| Error::NoTurn)
    }
}

impl State {
    /// A turn that `caller` may do `action` to. To the caller, no other turn exists.
    pub(crate) async fn find(
        &self,
        caller: &Caller,
        id: Uuid,
        action: Action,
    ) -> Result<Ticket, Error> {
        let ticket = self.0.desk.look_up(id).await.ok_or(Error::NoTurn)?;
        caller.allow(action, ticket.topic()).map_err(|_| Error::NoTurn)?;
        Ok(ticket)
    }
}

/// The position to resume after. The header wins over the query; an empty one counts as none.
fn since(headers: &HeaderMap, uri: &Uri) -> Result<Option<Position>, Error> {
    let mut sent = headers.get_all("last-event-id").iter();
    let sent = match (sent.next(), sent.next()) {
        (None, _) => None,
        (Some(id), None) => Some(id.to_str().map_err(|_| Error::Position)?),
        _ => return Err(Error::Position),
    };
    let query = uri.query().unwrap_or_default().split('&');
    let asked = query.filter_map(|pair| pair.strip_prefix("lastEventId=")).next_back();
    let id = [sent, asked].into_iter().flatten().find(|id| !id.is_empty());
    // An id has no character that needs escaping.
    id.map(str::parse).transpose().map_err(|_| Error::Position)
}
