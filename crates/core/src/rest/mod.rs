//! What doors over HTTP have in common: who asks, bodies within bounds, and files that are sent.
mod accept;
mod base;
mod body;
mod caller;
mod disposition;
mod download;
pub mod form;
mod range;

pub use accept::accepts;
pub use base::{Base, Site};
pub use body::{BadBody, Body, whole};
pub use caller::Caller;
pub use download::Download;
