//! `GET /api/v1/topics`: the topics of this node, and how much each holds.
use axum::{Json, extract::State};
use quadrille_core::{Position, TopicInfo};
use quadrille_edge::http::Caller;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Api, Error, need, params::QueryParams, schema::At};

/// A page of topics, in the order of their names.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Topics {
    topics: Vec<TopicView>,
    /// Value of `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A topic as this node holds it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Topic)]
pub(crate) struct TopicView {
    name: String,
    /// Position of the newest record.
    #[schema(value_type = At)]
    position: Position,
    /// Connections that follow it.
    readers: usize,
    /// Records held.
    records: usize,
    /// Bytes held, with about 300 for each record besides its content.
    bytes: usize,
}

impl From<TopicInfo> for TopicView {
    fn from(TopicInfo { topic, at, readers, records, bytes }: TopicInfo) -> Self {
        Self { name: topic.to_string(), position: at, readers, records, bytes }
    }
}

/// List topics
#[utoipa::path(
    get,
    path = "/api/v1/topics",
    tag = "operators",
    params(
        ("limit" = Option<usize>, Query, description = "at most so many, 100 if not given",
         minimum = 1, maximum = 1000),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses((status = 200, description = "A page of topics", body = Topics))
)]
pub(crate) async fn topics(
    State(api): State<Api>,
    caller: Caller,
    query: QueryParams,
) -> Result<Json<Topics>, Error> {
    need(&caller, "topics")?;
    let limit = query.limit()?;
    let mut page = api.core.hub.topics(query.one("after")?, limit + 1);
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|last| last.topic.to_string());
    Ok(Json(Topics { topics: page.into_iter().map(TopicView::from).collect(), next }))
}
