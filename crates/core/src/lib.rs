//! Topics as bounded logs, and subscribers as cursors in them. It knows no HTTP.
//!
//! A [`Topic`] is a bounded, ordered log of [`Event`]s. A subscriber is a cursor in it. Delivery,
//! resume after a reconnect and falling behind are one operation: move the cursor, and report a
//! [`Gap`] if the log no longer reaches back that far. A protocol renders events and parses
//! commands; nothing reaches a client except out of a log.
mod backpressure;
mod budget;
mod close;
mod compaction;
mod counted;
mod delivery;
mod document;
mod event;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod hub;
mod idempotency;
mod inbox;
pub mod json;
mod life;
mod log;
mod mailbox;
#[cfg(all(test, model))]
mod model;
mod policy;
mod pool;
mod presence;
mod session;
mod sync;
pub mod telemetry;
mod text;
mod throttle;
mod topic;
pub mod turn;
mod turns;
mod user;

pub use close::Close;
pub use counted::{Buffers, FREE_OUTPUT, HeldBytes};
pub use delivery::{BatchLimit, Delivery, Gap, Since, Tag};
pub use event::{
    BadPosition, Draft, Event, EventKey, Kind, MESSAGE, Position, Record, Wire, WireSlot, now,
    published_key,
};
pub use hub::{History, Hub, Publish, Receipt, TooManyTopics};
pub use idempotency::{BadIdempotencyKey, IdempotencyKey};
pub use inbox::Inbox;
pub use life::Life;
pub use log::TopicInfo;
pub use policy::{OnSlow, Policies, Policy};
pub use pool::{Holder, Newcomers, Permit, Pool, Shares, Shortage, Usage, network};
pub use presence::{Member, Presence, Seat};
pub use session::{Admission, Limits, NotAdmitted, Registry, Session, SessionInfo};
pub use text::Text;
pub use throttle::Throttle;
pub use topic::{BadTopic, Topic};
pub use turns::Turns;
pub use user::user_topic;

/// The namespaces of the protocols, with which topics begin.
pub const NAMESPACES: &[&str] = &["chan", "chat", "room", "user"];
