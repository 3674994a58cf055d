//! What is served, put together: one call for each protocol, and no more machinery than that.
#![cfg_attr(
    not(all(feature = "relay", feature = "rooms", feature = "workflows", feature = "broker")),
    allow(
        unused,
        clippy::unnecessary_wraps,
        clippy::unused_async,
        clippy::unused_self,
        reason = "some protocol is not to be put together"
    )
)]
use std::{sync::Arc, time::Duration};

use axum::Router;
use quadrille_core::{Hub, Life, Presence, Registry, Shares, Turns};
use quadrille_edge::{Core, http::Origins};
use quadrille_identity::{Authority, Mode, Quotas};
use utoipa::openapi::OpenApi;

use crate::{
    config::{self, Address, Config, Sources, memory::Memory},
    cors::guarded,
    gateway::StartError,
    host::Hosts,
    openapi, ops,
    tls::Certificates,
};

/// Where a protocol is found.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) path: String,
    /// A command line that shows it at work.
    pub(crate) try_it: fn(&Way, &str, Mode) -> String,
}

/// How a client on this machine gets to a listener.
#[derive(Debug)]
pub(crate) struct Way {
    /// What an address over HTTP begins with.
    pub(crate) http: String,
    /// The same for a WebSocket.
    pub(crate) ws: String,
    /// What a command line begins with.
    pub(crate) curl: String,
}

/// The state that all protocols share.
pub(crate) fn core(config: &Config, sources: &Sources, life: Life) -> Result<Core, config::Error> {
    let auth = Authority::new(&config.auth.settings()).map_err(|why| blame(&why, sources))?;
    let origins = Origins::new(&config.server.origins).expect("the configuration was checked");
    // Elsewhere a page that a name server sent here would pass for one of this host's.
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

/// The protocols, put together.
#[derive(Default)]
pub(crate) struct Protocols {
    pub(crate) router: Router,
    pub(crate) doors: Vec<Door>,
    /// What of them is described.
    pub(crate) described: OpenApi,
    pub(crate) work: Work,
    /// The agents of the desk, until that is opened.
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    agents: Option<quadrille_agents::Agents>,
}

impl Protocols {
    /// Opens the desk, which stores turns in `journal`, and serves the protocols that need no
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

    /// Serves all protocols, now that their storage is open.
    pub(crate) fn with_storage(
        mut self,
        kept: &Kept,
        core: &Core,
        config: &Config,
    ) -> Result<Self, StartError> {
        #[cfg(feature = "rooms")]
        {
            let journal = quadrille_rooms::RoomJournal::new(core, kept.store.clone());
            self = self.with_desk(core, config, Arc::new(journal.clone()));
            if let Some(desk) = &self.work.desk {
                let storage = kept.storage(config);
                let (router, described) =
                    quadrille_rooms::router(core, desk, journal, storage, config.rooms.clone());
                self.router = self.router.merge(guarded(router, core));
                self.described.merge(described);
            }
        }
        #[cfg(all(not(feature = "rooms"), any(feature = "relay", feature = "workflows")))]
        {
            self = self.with_desk(core, config, Arc::new(()));
        }
        #[cfg(feature = "workflows")]
        if let Some(desk) = self.work.desk.clone().filter(|_| config.workflows.enabled) {
            let storage = kept.storage(config);
            let made = quadrille_workflows::router(core, desk, storage, config.workflows.clone());
            let (router, described) =
                made.map_err(|why| StartError::Kept { key: "workflows.scratch", why: why.into() })?;
            self.router = self.router.merge(guarded(router, core));
            self.described.merge(described);
        }
        Ok(self)
    }
}

/// What goes on without a connection, and has to come to an end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Work {
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    desk: Option<quadrille_agents::Desk>,
}

impl Work {
    /// Take on no more, and end what does not end by itself within `limit`.
    pub(crate) async fn drain(&self, limit: Duration) {
        #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
        if let Some(desk) = &self.desk {
            desk.drain(limit).await;
        }
    }
}

/// What outlives the process.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    #[cfg(any(feature = "rooms", feature = "workflows"))]
    store: quadrille_store::Store,
    #[cfg(any(feature = "rooms", feature = "workflows"))]
    files: quadrille_store::files::Files,
}

impl Kept {
    pub(crate) async fn open(config: &Config, core: &Core) -> Result<Self, StartError> {
        #[cfg(any(feature = "rooms", feature = "workflows"))]
        {
            use quadrille_store::{Store, files::Files};
            let store = |why: quadrille_store::OpenError| StartError::Kept {
                key: "store.url",
                why: why.into(),
            };
            let files = |why: quadrille_store::files::FilesError| StartError::Kept {
                key: "files.url",
                why: why.into(),
            };
            if let Some(lock) = Store::lock(&config.store).map_err(store)? {
                lock.hold();
            }
            let kept = Files::open(&config.files).map_err(files)?;
            kept.lock().map_err(files)?;
            let store = Store::with_shares(&config.store, &core.shares).await.map_err(store)?;
            store.remove_half_backups();
            kept.set_ledger(&store);
            Ok(Self { store, files: kept })
        }
        #[cfg(not(any(feature = "rooms", feature = "workflows")))]
        Ok(Self {})
    }

    /// Hands the storage to a protocol, with the limits on uploads.
    #[cfg(any(feature = "rooms", feature = "workflows"))]
    fn storage(&self, config: &Config) -> quadrille_store::Storage {
        quadrille_store::Storage {
            store: self.store.clone(),
            files: self.files.clone(),
            max_upload_size: config.files.max_upload_size,
            link_ttl: config.files.link_ttl,
        }
    }

    /// What has to be done to it from time to time.
    pub(crate) fn start(&self, life: &Life) {
        #[cfg(any(feature = "rooms", feature = "workflows"))]
        {
            let (kept, draining) = (self.clone(), life.clone());
            life.spawn("store", async move {
                tokio::select! {
                    () = draining.draining() => {}
                    () = kept.store.sweep() => {}
                    () = kept.store.watch() => {}
                    () = kept.store.tidy(&kept.files) => {}
                }
            });
            let (kept, draining) = (self.clone(), life.clone());
            life.spawn("files", async move {
                tokio::select! {
                    () = draining.draining() => {}
                    // There may be nothing to look after.
                    () = kept.files.watch() => {}
                }
            });
        }
    }

    /// What cannot be written to now, and why.
    pub(crate) fn fault(&self) -> Option<String> {
        #[cfg(any(feature = "rooms", feature = "workflows"))]
        {
            let store = self.store.fault().map(|why| format!("store: {why}"));
            store.or_else(|| self.files.fault().map(|why| format!("files: {why}")))
        }
        #[cfg(not(any(feature = "rooms", feature = "workflows")))]
        None
    }

    /// Nothing is written after.
    pub(crate) async fn close(&self) {
        #[cfg(any(feature = "rooms", feature = "workflows"))]
        self.store.close().await;
    }
}

/// Bring the schema up to date, and say what was done.
pub(crate) async fn migrate(config: &Config) -> Result<String, StartError> {
    #[cfg(any(feature = "rooms", feature = "workflows"))]
    {
        let migrated = quadrille_store::Store::migrate(&config.store).await;
        let migrated =
            migrated.map_err(|why| StartError::Kept { key: "store.url", why: why.into() })?;
        Ok(format!("the schema is current; steps taken: {}\n", migrated.applied))
    }
    #[cfg(not(any(feature = "rooms", feature = "workflows")))]
    {
        let absent = "this build has no `rooms`; rebuild with --features rooms";
        Err(StartError::Kept { key: "store", why: absent.into() })
    }
}

/// What TLS needs, if there is TLS.
pub(crate) fn certificates(
    config: &Config,
    sources: &Sources,
) -> Result<Option<Certificates>, config::Error> {
    let tls = config.server.listen.iter().any(Address::is_tls);
    let loaded = tls.then(|| Certificates::load(&config.server.tls)).transpose();
    loaded.map_err(|why| blame(&why, sources))
}

/// The protocols, and where they are. Those that ask agents or need storage are served by
/// [`Protocols::with_storage`]: until then nothing is opened.
pub(crate) fn compose(
    core: &Core,
    config: &Config,
    sources: &Sources,
) -> Result<Protocols, config::Error> {
    let mut all = Protocols::default();
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    {
        let agents = quadrille_agents::Agents::open(config.agents.clone(), &core.life);
        all.agents = Some(agents.map_err(|err| blame(&err, sources))?);
    }
    #[cfg(feature = "relay")]
    {
        all.doors.push(Door {
            name: quadrille_relay::NAME,
            what: "one question, one reply",
            path: quadrille_relay::PATH.to_owned(),
            try_it: send,
        });
    }
    #[cfg(feature = "rooms")]
    {
        all.doors.push(Door {
            name: quadrille_rooms::NAME,
            what: "conversations over Socket.IO",
            path: quadrille_rooms::PATH.to_owned(),
            try_it: rooms,
        });
    }
    #[cfg(feature = "workflows")]
    if config.workflows.enabled {
        all.doors.push(Door {
            name: quadrille_workflows::NAME,
            what: "spreadsheet jobs that can be watched",
            path: quadrille_workflows::PATH.to_owned(),
            try_it: workflows,
        });
    }
    #[cfg(feature = "broker")]
    {
        let path = config.broker.path.clone();
        let protocol = quadrille_broker::router(core, config.broker.clone());
        let protocol = protocol.map_err(|why| blame(&why, sources))?;
        // The same path twice would be a panic.
        if is_taken(&path) {
            let taken = taken().collect::<Vec<_>>().join(", ");
            let expected = format!(
                "expected a path other than {taken}, and not below these or {}",
                quadrille_api::API
            );
            return Err(sources.blame("broker.path", expected));
        }
        all.router = all.router.merge(protocol);
        all.doors.push(Door {
            name: quadrille_broker::NAME,
            what: "channels over a WebSocket",
            path,
            try_it: subscribe,
        });
    }
    Ok(all)
}

/// Joins the endpoints of operators, the protocols and the API, and the description of them all.
pub(crate) fn whole(
    core: &Core,
    (operations, operated): (Router, OpenApi),
    (protocols, spoken): (Router, OpenApi),
) -> Router {
    let (api, mut described) = quadrille_api::router(core);
    described.merge(operated);
    described.merge(spoken);
    let api = api.merge(openapi::router(described, core.auth.mode()));
    operations.merge(protocols).merge(guarded(api, core))
}

/// Where the doors are, for people who want to try them.
pub(crate) fn listed() -> Vec<Door> {
    let door = |name, what, path: &str, try_it| Door { name, what, path: path.to_owned(), try_it };
    vec![
        door("events", "topics as server-sent events", quadrille_api::EVENTS, |way, path, mode| {
            format!("{} -N '{}{path}?topic=demo'{}", way.curl, way.http, bearer(mode))
        }),
        door(
            "publish",
            "publish a record",
            &format!("{}v1/publish", quadrille_api::API),
            |way, path, mode| {
                let record = r#"{"channel":"demo","payload":{"message":"hello"}}"#;
                format!("{} {}{path} --json '{record}'{}", way.curl, way.http, bearer(mode))
            },
        ),
        door("api", "every door over HTTP, described", openapi::PATH, |way, path, _| {
            format!("{} {}{path}", way.curl, way.http)
        }),
    ]
}

/// Where a token is needed, how `curl` shows one.
pub(crate) fn bearer(mode: Mode) -> &'static str {
    match mode {
        Mode::Open => "",
        Mode::Jwt => r#" -H "Authorization: Bearer $TOKEN""#,
    }
}

#[cfg(feature = "relay")]
fn send(way: &Way, path: &str, mode: Mode) -> String {
    let user = if mode == Mode::Open { r#""user_id":"7","# } else { "" };
    let question = format!(r#"{{{user}"message":"hello"}}"#);
    format!("{} {}{path} --json '{question}'{}", way.curl, way.http, bearer(mode))
}

#[cfg(feature = "rooms")]
fn rooms(way: &Way, _: &str, mode: Mode) -> String {
    let user = if mode == Mode::Open { "?user_id=7" } else { "" };
    format!("{} '{}/conversations{user}' --json '{{}}'{}", way.curl, way.http, bearer(mode))
}

#[cfg(feature = "workflows")]
fn workflows(way: &Way, _: &str, mode: Mode) -> String {
    let chats = quadrille_workflows::CHATS;
    format!("{} -X POST {}{chats}{}", way.curl, way.http, bearer(mode))
}

#[cfg(feature = "broker")]
fn subscribe(way: &Way, path: &str, mode: Mode) -> String {
    const FRAME: &str =
        r#"{"channel":"subscription","payload":{"action":"subscribe","channel":"demo"}}"#;
    let query = match mode {
        Mode::Open => "",
        Mode::Jwt => r#""?token=$TOKEN""#,
    };
    format!("npx -y wscat -c {}{path}{query} -x '{FRAME}' -w 60", way.ws)
}

/// Whether something else is at `path`.
#[cfg(feature = "broker")]
fn is_taken(path: &str) -> bool {
    let below =
        |taken| path.strip_prefix(taken).is_some_and(|it| it.is_empty() || it.starts_with('/'));
    path.starts_with(quadrille_api::API) || taken().any(below)
}

/// The paths of everything that is served, or what they begin with.
pub(crate) fn paths(config: &Config) -> impl Iterator<Item = &str> + use<'_> {
    #[cfg(feature = "broker")]
    let broker = Some(config.broker.path.as_str());
    #[cfg(not(feature = "broker"))]
    let broker = None;
    let taken = taken().map(|it| -> &str { it });
    taken.chain([quadrille_api::API]).chain(broker)
}

fn taken() -> impl Iterator<Item = &'static str> {
    #[cfg(feature = "relay")]
    let relay = Some(quadrille_relay::PATH);
    #[cfg(not(feature = "relay"))]
    let relay = None;
    #[cfg(feature = "rooms")]
    let rooms = quadrille_rooms::PATHS;
    #[cfg(not(feature = "rooms"))]
    let rooms = &[];
    #[cfg(feature = "workflows")]
    let chats = Some(quadrille_workflows::PATH);
    #[cfg(not(feature = "workflows"))]
    let chats = None;
    let own = ops::PATHS.into_iter().chain([quadrille_api::EVENTS, openapi::PATH]);
    own.chain(relay).chain(rooms.iter().copied()).chain(chats)
}

/// The errors of a protocol or of the core begin with the key.
pub(crate) fn blame(why: &impl std::error::Error, sources: &Sources) -> config::Error {
    let text = why.to_string();
    let (key, expected) = text.split_once(": ").unwrap_or(("configuration", &text));
    sources.blame(key, expected)
}

/// Whether what is kept can be written to, as far as it is on this machine.
fn writable(config: &Config, sources: &Sources) -> Result<(), config::Error> {
    #[cfg(any(feature = "rooms", feature = "workflows"))]
    {
        let cannot = |key, why: String| sources.blame(key, why);
        config.store.check_writable().map_err(|why| cannot("store.url", why.to_string()))?;
        config.files.check_writable().map_err(|why| cannot("files.url", why.to_string()))?;
    }
    #[cfg(feature = "workflows")]
    if config.workflows.enabled {
        let checked = quadrille_store::check_folder(&config.workflows.scratch);
        checked.map_err(|(folder, why)| {
            let why = format!("cannot write in the folder {}: {why}", folder.display());
            sources.blame("workflows.scratch", why)
        })?;
    }
    Ok(())
}

/// What would be served, in one line, and in another what that takes at the worst; in a third what had
/// better be set.
pub(crate) fn check(config: &Config, sources: &Sources) -> Result<String, config::Error> {
    let life = Life::new();
    let composed = core(config, sources, life.clone()).and_then(|it| compose(&it, config, sources));
    // What was begun for it ends with it.
    life.drain();
    let Protocols { doors, .. } = composed?;
    let doors: Vec<_> = doors.iter().map(|it| format!("{} at {}", it.name, it.path)).collect();
    let doors = if doors.is_empty() { "no protocol".to_owned() } else { doors.join(", ") };
    certificates(config, sources)?;
    writable(config, sources)?;
    let listen: Vec<_> = config.server.listen.iter().map(Address::to_string).collect();
    let memory = Memory::of(config);
    let has_files = cfg!(any(feature = "rooms", feature = "workflows"));
    let advice = Hosts::advice(config).filter(|_| has_files);
    let advice = advice.map(|it| format!("{it}\n")).unwrap_or_default();
    let listen = listen.join(", ");
    Ok(format!("the configuration is good: {doors} on {listen}\n{memory}\n{advice}"))
}
