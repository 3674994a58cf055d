//! HTTP as the protocols share it: problem documents, callers, origins, bodies within bounds, and
//! downloads.
mod accept;
mod base;
mod body;
mod caller;
mod carrier;
mod compress;
mod disposition;
mod download;
pub mod form;
pub mod origins;
mod peer;
mod problem;
mod range;
mod refusal;
pub mod token;

pub use accept::accepts;
pub use base::{Base, Site};
pub use body::{BadBody, JsonBody, whole};
pub use caller::Caller;
pub use carrier::{Carrier, Carry};
pub use compress::compress;
pub use download::Download;
pub use origins::{BadOrigin, Origins, PageOrigin};
pub use peer::Peer;
pub use problem::Problem;
