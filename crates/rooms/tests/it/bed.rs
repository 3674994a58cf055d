//! The set-up of a test: rooms on a port of their own, with a database and a folder of their own.
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use e2e::{scratch::Scratch, token::SECRET};
use futures_util::{FutureExt, StreamExt, stream};
use quadrille_agents::{
    Agent, Config as Agents, Desk, Kind, NamedAgent, Part, Question, Reply, Settings,
};
use quadrille_core::{
    BatchLimit, Delivery, Hub, Inbox, Life, Limits, Policies, Presence, Registry, Shares, Since,
    Turns,
};
use quadrille_edge::{Core, http::Origins};
use quadrille_identity::{AuthSettings, Authority, Mode, Quotas, Secret, install_crypto};
use quadrille_rooms::{Config, RoomJournal};
use quadrille_store::{
    Config as StoreConfig, Storage, Store,
    files::{Config as FilesConfig, Files},
};
use quadrille_turns::StoreJournal;
use serde_json::Value;
use tokio::net::TcpListener;

/// Bytes of one file, here.
pub(crate) const LARGEST: u64 = 1 << 20;

/// How long a locked database is waited for, here.
const BUSY: Duration = Duration::from_millis(300);

pub(crate) struct Bed {
    pub(crate) at: SocketAddr,
    pub(crate) core: Core,
    pub(crate) desk: Desk,
    pub(crate) store: Store,
    pub(crate) database: PathBuf,
    folder: PathBuf,
    _home: Scratch,
}

/// Says back what it is asked, unless that is `silence`: then it begins, and never ends.
struct Parrot(Arc<dyn Agent>);

impl Agent for Parrot {
    fn ask(&self, question: Question) -> Reply {
        if &*question.text != "silence" {
            return self.0.ask(question);
        }
        stream::iter([Ok(Part::Text("so".to_owned()))]).chain(stream::pending()).boxed()
    }
}

impl Bed {
    /// Where everybody is who they say.
    pub(crate) async fn open() -> Self {
        Self::with(Mode::Open, &Limits::default()).await
    }

    /// Where a token is needed.
    pub(crate) async fn jwt() -> Self {
        Self::with(Mode::Jwt, &Limits::default()).await
    }

    pub(crate) async fn with(mode: Mode, limits: &Limits) -> Self {
        install_crypto();
        let home = Scratch::new();
        let life = Life::new();
        let secrets = match mode {
            Mode::Open => Vec::new(),
            Mode::Jwt => vec![Secret::from(SECRET.to_owned())],
        };
        let settings = AuthSettings { mode, secrets, ..AuthSettings::default() };
        let core = Core {
            hub: Hub::new(Policies::default(), limits, &life),
            sessions: Registry::new(limits.clone()),
            presence: Presence::default(),
            auth: Authority::new(&settings).unwrap(),
            quotas: Quotas::new(limits),
            shares: Shares::new(limits),
            origins: Origins::new(&["https://chat.example.com"]).unwrap(),
            turns: Turns::default(),
            life: life.clone(),
        };
        let settings = Settings::new(Kind::Echo);
        let parrot = Parrot(quadrille_agents::open("echo", &settings, &life).unwrap());
        let named = NamedAgent::new("echo", Arc::new(parrot), &settings);
        let (database, folder) = (home.path().join("rooms.db"), home.path().join("files"));
        let url = format!("sqlite://{}", database.display());
        let config = StoreConfig { url, busy_timeout: BUSY, ..StoreConfig::default() };
        let store = Store::open(&config).await.unwrap();
        let turns = StoreJournal::new(&core.hub, &core.life, store.clone());
        let journal = RoomJournal::new(&core, store.clone(), turns);
        let stored_in = Arc::new(journal.clone());
        let agents = vec![named];
        let desk = Desk::new(Agents::default(), agents, stored_in, &core.hub, &core.shares, &life);
        let url = format!("file://{}", folder.display());
        let files = Files::open(&FilesConfig { url, ..FilesConfig::default() }).unwrap();
        let storage = Storage {
            store: store.clone(),
            files,
            max_upload_size: LARGEST,
            link_ttl: Duration::from_mins(1),
        };
        let (router, _) =
            quadrille_rooms::router(&core, &desk, journal, storage, Config::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        life.spawn("server", async move { axum::serve(listener, router).await.unwrap() });
        Self { at, core, desk, store, database, folder, _home: home }
    }

    /// Paths of all files that there are, below the folder.
    pub(crate) fn kept(&self) -> Vec<String> {
        fn walk(folder: &Path, kept: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    walk(&entry.path(), kept);
                } else if !entry.file_name().to_string_lossy().starts_with('.') {
                    kept.push(entry.path().display().to_string());
                }
            }
        }
        let mut kept = Vec::new();
        walk(&self.folder, &mut kept);
        let folder = format!("{}/", self.folder.display());
        kept.iter().map(|path| path.replacen(&folder, "", 1)).collect()
    }

    /// Follows what is published in a conversation.
    pub(crate) fn watch(&self, conversation: i64) -> Watch {
        let mut inbox = self.core.hub.inbox();
        let topic = format!("room:{conversation}").parse().unwrap();
        inbox.subscribe(&topic, Since::Now, 0).unwrap();
        Watch(inbox)
    }

    pub(crate) async fn conversation(&self, user: &str) -> i64 {
        self.store.create_conversation(user, None).await.unwrap().id
    }

    /// Returns the stored messages of a conversation.
    pub(crate) async fn contents(&self, conversation: i64) -> Vec<String> {
        let messages = self.store.messages(conversation, None, 100).await.unwrap();
        messages.into_iter().map(|it| it.content).collect()
    }
}

/// The records of a topic, as they come.
pub(crate) struct Watch(Inbox);

impl Watch {
    /// The next record: its name and its payload.
    pub(crate) async fn next(&mut self) -> (String, Value) {
        let mut got = Vec::new();
        let room = BatchLimit { records: 1, bytes: usize::MAX };
        e2e::patience::within("a record", self.0.recv(room, &mut got)).await;
        let Some(Delivery::Record(record, _)) = got.pop() else { panic!("no record: {got:?}") };
        (record.kind.to_string(), serde_json::from_str(&record.payload).unwrap())
    }

    /// Whether nothing has come that was not taken yet.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let room = BatchLimit { records: 1, bytes: usize::MAX };
        let mut got = Vec::new();
        self.0.recv(room, &mut got).now_or_never().is_none()
    }
}
