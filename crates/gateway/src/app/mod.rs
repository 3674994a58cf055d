//! Composition of the gateway: one call for each protocol, and no more machinery than that.
#![cfg_attr(
    not(all(feature = "relay", feature = "rooms", feature = "workflows", feature = "broker")),
    allow(
        unused,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        clippy::vec_init_then_push,
        reason = "some protocol is not compiled in"
    )
)]
mod background;
pub(crate) mod check;
pub(crate) mod routes;
pub(crate) mod storage;

use std::sync::Arc;

use axum::Router;
use quadrille_core::{Hub, Life, Presence, Registry, Shares, Turns};
use quadrille_edge::{Core, http::Origins};
use quadrille_identity::{Authority, Mode, Quotas};
use utoipa::openapi::OpenApi;

pub(crate) use self::background::BackgroundWork;
use self::storage::Persistence;
use crate::{
    config::{self, Config, ListenAddress, Sources},
    cors::guarded,
    listen::tls::Certificates,
    openapi,
    route::Route,
    start_error::StartError,
};

/// Builds the state that all protocols share.
pub(crate) fn core(config: &Config, sources: &Sources, life: Life) -> Result<Core, config::Error> {
    let auth = Authority::new(&config.auth.settings())
        .map_err(|err| sources.invalid(err.key(), err.expected()))?;
    let origins = Origins::new(&config.server.origins).expect("the configuration was checked");
    // In open mode, DNS rebinding could make a foreign page pass for one of this host.
    let public = config.server.public_url.as_str();
    let origins = origins.with_own(auth.mode() == Mode::Jwt, Some(public));
    let shares = Shares::new(&config.limits);
    Ok(Core {
        hub: Hub::sharing(config.topics.clone(), &config.limits, &shares, &life),
        sessions: Registry::sharing(config.limits.clone(), &shares),
        presence: Presence::default(),
        auth,
        quotas: Quotas::new(&config.limits),
        shares,
        origins,
        turns: Turns::default(),
        life,
    })
}

/// The composed protocols.
#[derive(Default)]
pub(crate) struct Protocols {
    pub(crate) router: Router,
    pub(crate) routes: Vec<Route>,
    /// `OpenAPI` description of their endpoints.
    pub(crate) described: OpenApi,
    pub(crate) work: BackgroundWork,
    /// Agents of the desk, until it is opened.
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    agents: Option<quadrille_agents::Agents>,
}

impl Protocols {
    /// Opens the desk, which stores turns in `journal`, and adds the protocols that need no
    /// storage of their own.
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    pub(crate) fn with_desk(
        mut self,
        core: &Core,
        config: &Config,
        journal: Arc<dyn quadrille_agents::Journal>,
    ) -> Self {
        let Some(agents) = self.agents.take() else { return self };
        let desk = quadrille_agents::Desk::open(
            agents,
            journal,
            &core.hub,
            &core.turns,
            &core.shares,
            &core.life,
        );
        #[cfg(feature = "relay")]
        {
            let (router, described) = quadrille_relay::router(core, &desk, config.relay.clone());
            self.router = self.router.merge(guarded(router, core));
            self.described.merge(described);
        }
        self.work.desk = Some(desk);
        self
    }

    /// Adds the protocols that need storage, now that it is open.
    pub(crate) fn with_storage(
        mut self,
        storage: &Persistence,
        core: &Core,
        config: &Config,
    ) -> Result<Self, StartError> {
        #[cfg(feature = "rooms")]
        {
            let (store, turns) = (storage.store.clone(), storage.journal(core));
            let journal = quadrille_rooms::RoomJournal::new(core, store, turns);
            self = self.with_desk(core, config, Arc::new(journal.clone()));
            if let Some(desk) = &self.work.desk {
                let shared = storage.shared(config);
                let (router, described) =
                    quadrille_rooms::router(core, desk, journal, shared, config.rooms.clone());
                self.router = self.router.merge(guarded(router, core));
                self.described.merge(described);
            }
        }
        #[cfg(all(not(feature = "rooms"), any(feature = "relay", feature = "workflows")))]
        {
            self = self.with_desk(core, config, Arc::new(storage.journal(core)));
        }
        #[cfg(feature = "workflows")]
        if let Some(desk) = self.work.desk.clone().filter(|_| config.workflows.enabled) {
            let shared = storage.shared(config);
            let made = quadrille_workflows::router(core, desk, shared, config.workflows.clone());
            let (router, described) = made.map_err(|err| StartError::Storage {
                key: err.key(),
                err: err.expected().into(),
            })?;
            self.router = self.router.merge(guarded(router, core));
            self.described.merge(described);
        }
        Ok(self)
    }
}

/// Loads the certificates, if any listener uses TLS.
pub(crate) fn certificates(
    config: &Config,
    sources: &Sources,
) -> Result<Option<Certificates>, config::Error> {
    let tls = config.server.listen.iter().any(ListenAddress::is_tls);
    let loaded = tls.then(|| Certificates::load(&config.server.tls)).transpose();
    loaded.map_err(|err| sources.invalid(err.key(), err.expected()))
}

/// Composes the protocols. Those that need agents or storage are added by
/// [`Protocols::with_storage`]: until then nothing is opened.
pub(crate) fn compose(
    core: &Core,
    config: &Config,
    sources: &Sources,
) -> Result<Protocols, config::Error> {
    let mut all = Protocols { routes: routes::of_protocols(config), ..Protocols::default() };
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    {
        let agents = quadrille_agents::Agents::open(config.agents.clone(), &core.life);
        all.agents = Some(agents.map_err(|err| sources.invalid(&err.key(), err.expected()))?);
    }
    #[cfg(feature = "broker")]
    {
        let path = &config.broker.path;
        let protocol = quadrille_broker::router(core, config.broker.clone());
        let protocol = protocol.map_err(|err| sources.invalid(err.key(), err.expected()))?;
        // The same path twice would be a panic.
        if routes::is_taken(path) {
            let taken = routes::taken().collect::<Vec<_>>().join(", ");
            let expected = format!(
                "expected a path other than {taken}, and not below these or {}",
                quadrille_api::API
            );
            return Err(sources.invalid("broker.path", expected));
        }
        all.router = all.router.merge(protocol);
    }
    Ok(all)
}

/// Joins the endpoints of operators, the protocols and the API, and their descriptions.
pub(crate) fn join(
    core: &Core,
    (operations, operations_described): (Router, OpenApi),
    (protocols, protocols_described): (Router, OpenApi),
) -> Router {
    let (api, mut described) = quadrille_api::router(core);
    described.merge(operations_described);
    described.merge(protocols_described);
    let api = api.merge(openapi::router(described, core.auth.mode()));
    operations.merge(protocols).merge(guarded(api, core))
}
