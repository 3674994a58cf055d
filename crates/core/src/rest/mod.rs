//! What doors over HTTP have in common: who asks, and a body of JSON within bounds.
mod body;
mod caller;

pub use body::{BadBody, Body};
pub use caller::Caller;
