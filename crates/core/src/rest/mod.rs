//! What doors over HTTP have in common: who asks, bodies within bounds, and files that are sent.
mod base;
mod body;
mod caller;
mod disposition;
mod download;
pub mod form;
mod range;

pub use base::{Base, Site};
pub use body::{BadBody, Body};
pub use caller::Caller;
pub use download::Download;
