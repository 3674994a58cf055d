//! `GET /events`: topics as server-sent events (WHATWG HTML, 9.2).
use axum::{
    extract::{Request, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use quadrille_core::{Admission, Inbox, Position, Since, Topic};
use quadrille_edge::{
    http::{Caller, Peer, Problem},
    sse::EventStream,
};
use quadrille_identity::{Action, Principal};

use super::{
    Api, Error,
    limits::MAX_TOPICS,
    params::QueryParams,
    schema::{Ats, TopicName},
    stream::Cursors,
};

/// The name of this protocol in logs, metrics and the list of sessions.
pub(crate) const NAME: &str = "sse";

const LAST_EVENT_ID: &str = "last-event-id";
const LAST_EVENT_ID_PARAMETER: &str = "lastEventId";

/// Watch topics
///
/// A stream of server-sent events that ends when the client leaves or the server says why with the
/// event `end`. `id` is what to send as `Last-Event-ID` to go on after an event; `event` is the
/// kind of a record, or `gap` when records were lost; `data` is a record as in `history`.
#[utoipa::path(
    get,
    path = "/events",
    tag = "topics",
    params(
        ("topic" = Vec<TopicName>, Query, min_items = 1, max_items = 100,
         description = "once for each topic"),
        ("since" = Option<Ats>, Query,
         description = "the position to go on after; of several topics all, joined by commas"),
        ("lastEventId" = Option<Ats>, Query,
         description = "the same, and wins over `since`: for clients that cannot set the header"),
        ("Last-Event-ID" = Option<Ats>, Header, description = "the same, and wins over both"),
    ),
    responses(
        (status = 200, description = "Events", body = String, content_type = "text/event-stream"),
        (status = 429, description = "Too many connections or requests"),
        (status = 503, description = "The server is full or shutting down"),
    )
)]
pub(crate) async fn events(
    State(Api { core, .. }): State<Api>,
    caller: Caller,
    query: QueryParams,
    request: Request,
) -> Result<Response, Problem> {
    let topics = topics(&query)?;
    let allowed = topics.iter().try_for_each(|topic| caller.allow(Action::Read, topic));
    allowed.map_err(Error::from)?;
    let since = since(&query, request.headers(), topics.len())?;
    let holder = caller.holder(None);
    let Principal { user, expires, .. } = caller.principal;
    let peer = Peer::of(&request).0;
    let mut inbox = core.hub.inbox_of(holder.clone());
    let session = core.sessions.admit(Admission { protocol: NAME, user, holder, peer })?;
    let cursors = follow(&mut inbox, topics, since)?;
    let seats = cursors.topics().filter(|topic| core.hub.policy(topic).presence);
    let seats = seats.map(|topic| core.presence.join(topic, session.info())).collect();
    Ok(EventStream::new(session, expires, inbox, cursors.seated(seats)).into_response())
}

pub(crate) fn topics(query: &QueryParams) -> Result<Vec<Topic>, Error> {
    let mut topics = Vec::new();
    for name in query.all("topic") {
        let topic = Topic::from_channel(name)?;
        if topics.len() == MAX_TOPICS || topics.contains(&topic) {
            return Err(Error::Topics);
        }
        topics.push(topic);
    }
    if topics.is_empty() { Err(Error::Topics) } else { Ok(topics) }
}

/// Positions to resume from: one for each of the topics, or none.
pub(crate) fn since(
    query: &QueryParams,
    headers: &HeaderMap,
    topics: usize,
) -> Result<Vec<Position>, Error> {
    let mut sent = headers.get_all(LAST_EVENT_ID).iter();
    let given = match (sent.next(), sent.next()) {
        (Some(id), None) if !id.is_empty() => Some(id.to_str().map_err(|_| Error::Position)?),
        // Polyfills that cannot set the header add the parameter to the address that they were given.
        (_, None) => {
            let last = query.one(LAST_EVENT_ID_PARAMETER)?.filter(|id| !id.is_empty());
            last.map_or_else(|| query.one("since"), |id| Ok(Some(id)))?
        }
        _ => return Err(Error::Position),
    };
    let Some(given) = given else { return Ok(Vec::new()) };
    let positions = given.split(',').map(str::parse).collect::<Result<Vec<_>, _>>();
    positions.ok().filter(|positions| positions.len() == topics).ok_or(Error::Position)
}

fn follow(inbox: &mut Inbox, topics: Vec<Topic>, since: Vec<Position>) -> Result<Cursors, Error> {
    let mut cursors = Cursors::default();
    let mut since = since.into_iter();
    for topic in topics {
        let from = since.next();
        let top = inbox.subscribe(&topic, from.map_or(Since::Now, Since::After), cursors.next())?;
        cursors.push(topic, from.unwrap_or(top));
    }
    Ok(cursors)
}
