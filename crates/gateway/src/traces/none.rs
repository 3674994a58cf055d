//! Stub of traces for a build without them.
use axum::Router;

use crate::config::{self, Config, Sources};

#[derive(Debug)]
pub(crate) struct Traces;

impl Traces {
    #[expect(clippy::unnecessary_wraps, reason = "the other build can fail")]
    pub(crate) fn start(_: &Config, _: &Sources) -> Result<Self, config::Error> {
        Ok(Self)
    }

    #[expect(clippy::unused_self, reason = "the other build has something in it")]
    pub(crate) fn layer(&self, app: Router) -> Router {
        app
    }

    #[expect(clippy::unused_async, reason = "the other build waits")]
    pub(crate) async fn finish(self) {}
}
