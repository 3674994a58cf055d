//! Server-sent events (WHATWG HTML, 9.2).
mod stream;
mod write;

pub use stream::{EventStream, NOT_KEPT, Show};
pub use write::{end, gap, notice, put, put_data, put_id};
