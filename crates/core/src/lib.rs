//! Topics as bounded logs, subscribers as cursors, and everything a protocol needs around them.
//!
//! A [`Topic`] is a bounded, ordered log of [`Event`]s. A subscriber is a cursor in it. Delivery,
//! resume after a reconnect and falling behind are one operation: move the cursor, and report a
//! [`Gap`] if the log no longer reaches back that far. A protocol renders events and parses
//! commands; nothing reaches a client except out of a log.
pub mod auth;
mod backplane;
mod budget;
mod carrier;
mod close;
mod counted;
mod event;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod hub;
mod identify;
mod inbox;
pub mod json;
mod life;
mod log;
#[cfg(all(test, model))]
mod model;
mod pace;
mod policy;
mod pool;
mod presence;
mod problem;
mod quota;
pub mod rest;
mod session;
pub mod sse;
mod survivors;
mod sync;
pub mod telemetry;
mod text;
mod throttle;
mod topic;
pub mod turn;
mod turns;
pub mod ws;

pub use backplane::{Backplane, BackplaneError};
pub use carrier::{Carrier, Carry};
pub use close::Close;
pub use counted::{Buffers, Counted, FREE_OUTPUT};
pub use event::{
    BadPosition, Draft, Event, Key, Kind, MESSAGE, Position, Record, Wire, now, published_key,
};
pub use hub::{Full, History, Hub, Publish, PublishError, Receipt, TooManyTopics};
pub use identify::{NotAuthenticated, NotRefreshed, authenticate, refresh};
pub use inbox::{Delivery, Gap, Inbox, Room, Since, Tag};
pub use life::Life;
pub use log::Standing;
pub use policy::{OnSlow, Policies, Policy};
pub use pool::{Holder, Newcomers, Permit, Pool, Shares, Shortage, Usage};
pub use presence::{Member, Presence, Seat};
pub use problem::Problem;
pub use quota::{Exceeded, Payer, Quotas, Rate, network};
pub use session::{Admission, Info, Limits, Refused, Registry, Session};
pub use text::Text;
pub use throttle::Throttle;
pub use topic::{BadTopic, Topic};
pub use turns::Turns;

/// The namespaces of the protocols: what a topic may begin with.
pub const NAMESPACES: &[&str] = &["chan", "chat", "room", "user"];

/// Everything a protocol needs. Cloning is a handful of reference counts.
#[derive(Clone, Debug)]
pub struct Core {
    pub hub: Hub,
    pub sessions: Registry,
    pub presence: Presence,
    pub auth: auth::Authority,
    pub quotas: Quotas,
    /// How every shared pool is divided.
    pub shares: Shares,
    pub origins: ws::Origins,
    pub turns: Turns,
    pub life: Life,
}
