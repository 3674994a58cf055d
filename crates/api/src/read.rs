//! `GET /api/v1/topics/{topic}/…`: the records of a topic's log, and its followers.
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
    limits::MAX_LISTED,
    params::{PathTopic, QueryParams},
    schema::{At, TopicName},
    wire::RecordView,
};

/// Records of one topic, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = History)]
pub(crate) struct HistoryPage<'a> {
    topic: &'a str,
    /// Position of the newest record, or `null` if there is no log.
    #[schema(value_type = Option<At>)]
    position: Option<Position>,
    /// Whether records after `since` are gone already.
    gap: bool,
    records: Vec<RecordView<'a>>,
}

/// Read a topic's history
///
/// The newest records, or with `since` the oldest ones after that position. To page, ask again with
/// the position of the last record.
#[utoipa::path(
    get,
    path = "/api/v1/topics/{topic}/history",
    tag = "topics",
    params(
        ("topic" = TopicName, Path, description = "which topic"),
        ("since" = Option<At>, Query, description = "a position"),
        ("limit" = Option<usize>, Query, description = "at most so many, 100 if not given",
         minimum = 1, maximum = 1000),
    ),
    responses((status = 200, description = "Records", body = HistoryPage<'_>))
)]
pub(crate) async fn history(
    State(api): State<Api>,
    caller: Caller,
    PathTopic(topic): PathTopic,
    query: QueryParams,
) -> Result<Response, Error> {
    caller.allow(Action::Read, &topic)?;
    let (since, limit) = (query.since()?, query.limit()?);
    let from = since.map_or(Since::Now, Since::After);
    let held = api.core.hub.history(&topic, from, limit).map(|history| history.page(from));
    let gap = since.is_some() && held.as_ref().is_none_or(|history| history.gap);
    let records = held
        .iter()
        .flat_map(|history| &history.records)
        .map(|event| RecordView::of(event))
        .collect();
    let position = held.as_ref().map(|history| history.at);
    Ok(Json(HistoryPage { topic: topic.as_str(), position, gap, records }).into_response())
}

/// Followers of a topic.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Presence)]
pub(crate) struct PresenceList {
    topic: String,
    /// Number of all followers, also of those that are not listed.
    count: usize,
    /// In no order, at most 1000.
    members: Vec<Follower>,
}

/// A connection that follows a topic.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Present)]
pub(crate) struct Follower {
    session: Uuid,
    /// Absent for guests.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    user: Option<Arc<str>>,
}

impl From<Member> for Follower {
    fn from(Member { session, user }: Member) -> Self {
        Self { session, user }
    }
}

/// List followers
#[utoipa::path(
    get,
    path = "/api/v1/topics/{topic}/presence",
    tag = "topics",
    params(("topic" = TopicName, Path, description = "which topic")),
    responses((status = 200, description = "Followers", body = PresenceList))
)]
pub(crate) async fn presence(
    State(api): State<Api>,
    caller: Caller,
    PathTopic(topic): PathTopic,
) -> Result<Json<PresenceList>, Error> {
    caller.allow(Action::Read, &topic)?;
    let (count, members) = api.core.presence.members(&topic, MAX_LISTED);
    let members = members.into_iter().map(Follower::from).collect();
    Ok(Json(PresenceList { topic: topic.to_string(), count, members }))
}
