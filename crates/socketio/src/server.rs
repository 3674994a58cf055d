//! Where the connections of an application come in.
use std::{sync::Arc, time::Duration};

use axum::Router;
use quadrille_core::Life;
use quadrille_edge::Core;

use crate::{
    application::Application,
    config::Config,
    engineio,
    namespace::{Namespace, SocketServer},
    recovery::Recovery,
};

/// Path of Socket.IO.
pub const PATH: &str = "/socket.io/";

/// Time between two sweeps of lost connections.
const SWEEP: Duration = Duration::from_secs(1);

/// Serves `application` over Socket.IO.
pub fn router<A: Application>(core: &Core, config: Config, application: &Arc<A>) -> Router {
    let recovery = Arc::new(Recovery::new(config.recovery));
    if recovery.is_on() {
        core.life.spawn("recovery", look_after(Arc::clone(&recovery), core.life.clone()));
    }
    let shared = Arc::new(SocketServer {
        application: Arc::clone(application),
        core: core.clone(),
        recovery,
        connect_timeout: config.connect_timeout,
    });
    let open = move |info: &_, token| Namespace::new(&shared, info, token);
    engineio::router(core, PATH, config, open)
}

/// Forgets sockets whose time to be resumed is up, until the process stops.
async fn look_after(recovery: Arc<Recovery>, life: Life) {
    let mut every = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            _ = every.tick() => recovery.sweep(),
            () = life.draining() => return,
        }
    }
}
