//! `POST /api/v1/publish`: one record into a topic's log.
use axum::{
    Json,
    extract::{Request, State},
};
use quadrille_core::{
    Draft, IdempotencyKey, MESSAGE, OnSlow, Position, Receipt, Topic,
    json::{self, Object},
    published_key,
};
use quadrille_edge::{
    Core,
    http::{Caller, JsonBody},
};
use quadrille_identity::{Action, Rate};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    Api, Error,
    keys::ReceiptSlot,
    schema::{At, TopicName},
};

/// Upper bound on a body, in bytes.
const MAX_BODY: usize = 1 << 20;

/// A record to publish. Either `topic` or `channel` is given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Publication<'a> {
    /// `namespace:name`, or the name of a channel.
    #[schema(value_type = Option<TopicName>)]
    topic: Option<String>,
    /// The same by the name that channel clients use.
    #[schema(value_type = Option<TopicName>)]
    channel: Option<String>,
    /// Any JSON value; it goes on byte for byte.
    #[serde(borrow)]
    #[schema(value_type = serde_json::Value)]
    pub(crate) payload: &'a RawValue,
    /// Makes it safe to send this again: the same key on the same topic publishes once.
    #[schema(min_length = 1, max_length = 255, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
    key: Option<String>,
}

/// The position of the record.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Published {
    #[schema(value_type = At)]
    position: Position,
    /// Connections that followed the topic.
    subscribers: usize,
}

impl<'a> Publication<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, Error> {
        let parsed = serde_json::from_str(text).map(|Object(publication)| publication);
        parsed.map_err(|err| Error::Json(err.to_string()))
    }

    pub(crate) fn topic(&self) -> Result<Topic, Error> {
        match (&self.topic, &self.channel) {
            (Some(name), None) | (None, Some(name)) => Ok(Topic::from_channel(name)?),
            _ => Err(Error::Json("the record needs one of topic and channel".to_owned())),
        }
    }
}

/// Publish a record
///
/// Every subscriber of the topic gets it, over whichever protocol it came.
#[utoipa::path(
    post,
    path = "/api/v1/publish",
    tag = "topics",
    request_body = Publication<'_>,
    responses(
        (status = 200, description = "The record is in the log", body = Published),
        (status = 408, description = "The body took too long"),
        (status = 409, description = "The key came with another payload before"),
        (status = 413, description = "The body is larger than 1 MiB"),
        (status = 415, description = "The body does not say that it is JSON"),
        (status = 429, description = "Too many requests, or records"),
        (status = 503, description = "The record could not be stored"),
    )
)]
pub(crate) async fn publish(
    State(api): State<Api>,
    caller: Caller,
    request: Request,
) -> Result<Json<Published>, Error> {
    let body = JsonBody::read(request, MAX_BODY).await?;
    let publication = Publication::parse(body.text())?;
    let topic = publication.topic()?;
    let Publication { payload, key, .. } = publication;
    caller.allow(Action::Write, &topic)?;
    let key = key.as_deref().map(str::parse::<IdempotencyKey>).transpose()?;
    caller.count(Rate::Publishes)?;
    let slot = match key {
        None => None,
        Some(key) => Some(api.keys.slot(&topic, key, payload.get())?),
    };
    let core = &api.core;
    let draft = draft(core, &caller, topic, payload.get());
    let receipt = match slot {
        None => core.hub.publish(draft).await?,
        Some(slot) => once(core, slot, draft).await?,
    };
    Ok(Json(Published { position: receipt.at, subscribers: receipt.subscribers }))
}

/// Makes the record that the same payload would be over the broker, so that a user's updates of one
/// message supersede each other over whichever protocol. Without sign-in, those of one address do.
fn draft(core: &Core, caller: &Caller, topic: Topic, payload: &str) -> Draft {
    let keyed = core.hub.policy(&topic).on_slow == OnSlow::Coalesce;
    let message = if keyed { json::message_id(payload) } else { None };
    let key = message.map(|message| {
        let publisher = match &caller.principal.user {
            Some(user) => format!("user {user}"),
            None => format!("address {}", caller.peer.0),
        };
        published_key(&publisher, MESSAGE, &message)
    });
    Draft::new(topic, MESSAGE, payload).key(key)
}

/// Publishes unless the slot has a receipt already. Runs in a task of its own: a client that leaves
/// while its record waits for readers must find the receipt when it comes back.
async fn once(core: &Core, slot: ReceiptSlot, draft: Draft) -> Result<Receipt, Error> {
    if let Some(receipt) = slot.get() {
        return Ok(*receipt);
    }
    let hub = core.hub.clone();
    let publish = async move { slot.get_or_try_init(|| hub.publish(draft)).await.copied() };
    Ok(core.life.finish("publish", publish).await.ok_or(Error::Unavailable)??)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use quadrille_core::{
        BatchLimit, Hub, Life, Limits, Policies, Policy, Presence, Registry, Shares, Since, Turns,
    };
    use quadrille_edge::http::Origins;
    use quadrille_identity::{Authority, Quotas};

    use super::*;

    #[test]
    fn a_record_is_an_object_and_no_list_of_its_members() {
        assert!(Publication::parse(r#"{"topic":"a","payload":1}"#).is_ok());
        let err = Publication::parse(r#"["a",null,1,null]"#).unwrap_err().to_string();
        assert!(err.starts_with("invalid type: sequence, expected an object"), "{err}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_leaves_while_its_record_waits_finds_it_published_once() {
        let life = Life::new();
        let patient = Policy { events: 8, patience: Duration::from_hours(1), ..Policy::default() };
        let core = Core {
            hub: Hub::new(Policies::from(patient), &Limits::default(), &life),
            sessions: Registry::default(),
            presence: Presence::default(),
            auth: Authority::default(),
            quotas: Quotas::default(),
            shares: Shares::default(),
            origins: Origins::default(),
            turns: Turns::default(),
            life,
        };
        let topic = Topic::from_channel("c").unwrap();
        let mut reader = core.hub.inbox();
        reader.subscribe(&topic, Since::Now, 0).unwrap();
        let send = async |slot| {
            let sent = once(&core, slot, Draft::new(topic.clone(), MESSAGE, "1"));
            tokio::time::timeout(Duration::from_secs(1), sent).await
        };
        let slot = loop {
            let slot = ReceiptSlot::default();
            if send(ReceiptSlot::clone(&slot)).await.is_err() {
                break slot;
            }
        };
        let (before, mut out) = (core.hub.top(&topic), Vec::new());
        reader.recv(BatchLimit { records: 99, bytes: 9999 }, &mut out).await;
        let receipt = send(slot).await.unwrap().unwrap();
        assert_eq!((Some(receipt.at), core.hub.top(&topic)), (before, before));
    }
}
