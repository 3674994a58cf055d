//! Schemas that several endpoints share.
use serde::Serialize;
use utoipa::ToSchema;

/// `namespace:name`, or the name of a channel, which is the topic `chan:name`. At most 255 bytes of
/// UTF-8 with the namespace.
#[derive(Serialize, ToSchema)]
#[schema(
    as = Name,
    example = "demo",
    min_length = 1,
    max_length = 250,
    pattern = r"^(?!(chan|chat|room|user):$)(?!subscription$)[^\u0000-\u001f\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$"
)]
pub(crate) struct TopicName(String);

/// Where a record is in its topic: opaque, to be sent back as it was received.
#[derive(Serialize, ToSchema)]
#[schema(
    example = "660bed170ad17-42",
    pattern = "^(0|[1-9a-f][0-9a-f]{0,15})-(0|[1-9][0-9]{0,18})$"
)]
pub(crate) struct At(String);

/// Positions of several topics in their order, joined by commas.
#[derive(Serialize, ToSchema)]
#[schema(
    example = "660bed170ad17-42",
    pattern = "^(0|[1-9a-f][0-9a-f]{0,15})-(0|[1-9][0-9]{0,18})(,(0|[1-9a-f][0-9a-f]{0,15})-(0|[1-9][0-9]{0,18}))*$"
)]
pub(crate) struct Ats(String);
