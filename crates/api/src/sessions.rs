//! `/api/v1/sessions`: connections over every protocol, and how to end them.
use std::{net::IpAddr, sync::Arc};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use quadrille_core::{Close, SessionInfo};
use quadrille_edge::http::Caller;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Api, Error, need, params::QueryParams};

/// A page of sessions, in the order in which they came.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Sessions)]
pub(crate) struct SessionPage {
    sessions: Vec<SessionView>,
    /// Value of `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Uuid>,
}

/// A connection.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Connected)]
pub(crate) struct SessionView {
    id: Uuid,
    /// `broker`, or `sse` for a stream of events.
    protocol: &'static str,
    /// Absent for guests.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    user: Option<Arc<str>>,
    /// The address that the connection came from.
    #[schema(value_type = String)]
    peer: IpAddr,
    /// Time when it was opened, in milliseconds since the Unix epoch.
    opened: u64,
}

impl From<&SessionInfo> for SessionView {
    fn from(info: &SessionInfo) -> Self {
        let (protocol, user, opened) = (info.protocol, info.user().cloned(), info.opened());
        Self { id: info.id, protocol, user, peer: info.peer, opened }
    }
}

/// List sessions
#[utoipa::path(
    get,
    path = "/api/v1/sessions",
    tag = "operators",
    params(
        ("limit" = Option<usize>, Query, description = "at most so many, 100 if not given",
         minimum = 1, maximum = 1000),
        ("after" = Option<Uuid>, Query, description = "`next` of the page before"),
    ),
    responses((status = 200, description = "A page of sessions", body = SessionPage))
)]
pub(crate) async fn sessions(
    State(api): State<Api>,
    caller: Caller,
    query: QueryParams,
) -> Result<Json<SessionPage>, Error> {
    need(&caller, "sessions")?;
    let limit = query.limit()?;
    let after = query.one("after")?.map(session).transpose()?;
    let mut page = api.core.sessions.list(after, limit + 1);
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|last| last.id);
    let sessions = page.iter().map(|info| SessionView::from(&**info)).collect();
    Ok(Json(SessionPage { sessions, next }))
}

/// End a session
///
/// Its connection is closed with 3503, which asks the client to stay away.
#[utoipa::path(
    delete,
    operation_id = "end_session",
    path = "/api/v1/sessions/{id}",
    tag = "operators",
    params(("id" = Uuid, Path, description = "the session")),
    responses(
        (status = 204, description = "It is being closed"),
        (status = 404, description = "No such session"),
    )
)]
pub(crate) async fn end(
    State(api): State<Api>,
    caller: Caller,
    path: Option<Path<String>>,
) -> Result<StatusCode, Error> {
    need(&caller, "sessions:end")?;
    let Path(id) = path.ok_or(Error::Encoding)?;
    if api.core.sessions.end(session(&id)?, &Close::KICKED) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Error::NoSession)
    }
}

fn session(id: &str) -> Result<Uuid, Error> {
    Uuid::try_parse(id).map_err(|_| Error::Session)
}
