//! `GET /api/v1/topics/{topic}/…`: what is in a topic's log, and who follows it.
use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use quadrille_core::{Member, Position, Since};
use quadrille_edge::http::Caller;
use quadrille_identity::Action;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Api, Error,
    params::{LIMIT, Named, Query},
    schema::{At, Name},
    wire::Record,
};

/// Records of one topic, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct History<'a> {
    topic: &'a str,
    /// Where the log stands: the position of its newest record, or `null` if there is no log.
    #[schema(value_type = Option<At>)]
    position: Option<Position>,
    /// Whether records after `since` are gone already.
    gap: bool,
    records: Vec<Record<'a>>,
}

/// Read a topic's log
///
/// The newest records, or with `since` the oldest ones after that position. To page, ask again with
/// the position of the last record.
#[utoipa::path(
    get,
    path = "/api/v1/topics/{topic}/history",
    tag = "topics",
    params(
        ("topic" = Name, Path, description = "which topic"),
        ("since" = Option<At>, Query, description = "a position"),
        ("limit" = Option<usize>, Query, description = "at most so many, 100 if not given",
         minimum = 1, maximum = 1000),
    ),
    responses((status = 200, description = "Records", body = History<'_>))
)]
pub(crate) async fn history(
    State(api): State<Api>,
    caller: Caller,
    Named(topic): Named,
    query: Query,
) -> Result<Response, Error> {
    caller.allow(Action::Read, &topic)?;
    let (since, limit) = (query.since()?, query.limit()?);
    let from = since.map_or(Since::Now, Since::After);
    let held = api.core.hub.history(&topic, from, limit).map(|it| it.page(from));
    let gap = since.is_some() && held.as_ref().is_none_or(|it| it.gap);
    let records = held.iter().flat_map(|it| &it.records).map(|event| Record::of(event)).collect();
    let position = held.as_ref().map(|it| it.at);
    Ok(Json(History { topic: topic.as_str(), position, gap, records }).into_response())
}

/// Who follows a topic.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Presence {
    topic: String,
    /// All of them, also those that are not listed.
    count: usize,
    /// In no order, at most 1000.
    members: Vec<Present>,
}

/// A connection that follows a topic.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Present {
    session: Uuid,
    /// Absent for guests.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    user: Option<Arc<str>>,
}

impl From<Member> for Present {
    fn from(Member { session, user }: Member) -> Self {
        Self { session, user }
    }
}

/// See who follows a topic
#[utoipa::path(
    get,
    path = "/api/v1/topics/{topic}/presence",
    tag = "topics",
    params(("topic" = Name, Path, description = "which topic")),
    responses((status = 200, description = "Who is there", body = Presence))
)]
pub(crate) async fn presence(
    State(api): State<Api>,
    caller: Caller,
    Named(topic): Named,
) -> Result<Json<Presence>, Error> {
    caller.allow(Action::Read, &topic)?;
    let (count, members) = api.core.presence.members(&topic, LIMIT);
    let members = members.into_iter().map(Present::from).collect();
    Ok(Json(Presence { topic: topic.to_string(), count, members }))
}
