//! Test bed: a database of its own for each test, once for each kind of database.
use std::time::Duration;

use e2e::scratch::Scratch;
use quadrille_store::{Added, Config, Conversation, NewMessage, NewTurn, Page, Sender, Store};
use uuid::Uuid;

pub(crate) const ALL: Page = Page { limit: 100, offset: 0 };

#[derive(Debug)]
pub(crate) struct Bed {
    pub(crate) store: Store,
    pub(crate) config: Config,
    _home: Scratch,
}

/// Runs the test on each kind of database.
pub(crate) async fn each(test: impl AsyncFn(&Bed)) {
    with(|_| {}, test).await;
}

/// The same with another configuration.
pub(crate) async fn with(change: impl Fn(&mut Config), test: impl AsyncFn(&Bed)) {
    test(&Bed::sqlite(&change).await).await;
    #[cfg(feature = "postgres")]
    postgres::with(&change, test).await;
}

impl Bed {
    pub(crate) async fn sqlite(change: impl Fn(&mut Config)) -> Self {
        let home = Scratch::new();
        let url = format!("sqlite://{}/made/quadrille.db", home.path().display());
        Self::open(url, change, home).await
    }

    async fn open(url: String, change: impl Fn(&mut Config), home: Scratch) -> Self {
        let mut config = Config { url, busy_timeout: Duration::from_secs(30), ..Config::default() };
        change(&mut config);
        let store = Store::open(&config).await.expect("the database can be made");
        Self { store, config, _home: home }
    }

    /// The path, if it is a file.
    pub(crate) fn path(&self) -> Option<&str> {
        self.config.url.strip_prefix("sqlite://")
    }

    /// Runs SQL beside the store.
    pub(crate) async fn execute(&self, sql: &'static str) {
        match self.path() {
            Some(path) => {
                use sqlx::{ConnectOptions, Connection, Executor, sqlite::SqliteConnectOptions};
                let options = SqliteConnectOptions::new().filename(path);
                let mut connection = options.connect().await.unwrap();
                connection.execute(sql).await.unwrap();
                connection.close().await.unwrap();
            }
            #[cfg(feature = "postgres")]
            None => postgres::execute(&self.config.url, sql).await,
            #[cfg(not(feature = "postgres"))]
            None => unreachable!("there is no other database in this build"),
        }
    }

    pub(crate) async fn conversation(&self, user: &str) -> Conversation {
        self.store.create_conversation(user, None).await.unwrap()
    }

    pub(crate) async fn say(&self, conversation: i64, user: &str, content: &str) -> Added {
        let new = message(conversation, user, content);
        self.store.add_message(new).await.unwrap()
    }

    /// Lists the contents of a conversation.
    pub(crate) async fn contents(&self, conversation: i64) -> Vec<String> {
        let messages = self.store.messages(conversation, None, 100).await.unwrap();
        messages.into_iter().map(|message| message.content).collect()
    }
}

/// Makes a plain message of a user.
pub(crate) fn message<'a>(conversation: i64, user: &'a str, content: &'a str) -> NewMessage<'a> {
    NewMessage {
        conversation,
        user,
        sender: Sender::User,
        content,
        metadata: None,
        key: None,
        turn: None,
        files: &[],
    }
}

/// Makes a turn of this topic.
pub(crate) fn turn(id: Uuid, topic: &str) -> NewTurn<'_> {
    NewTurn { id, topic, agent: "gpt" }
}

#[cfg(feature = "postgres")]
mod postgres {
    use std::sync::atomic::{AtomicU32, Ordering};

    use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

    use super::{Bed, Config, Scratch};

    /// Runs the test in a database that is made for it.
    pub(super) async fn with(change: impl Fn(&mut Config), test: impl AsyncFn(&Bed)) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server =
            std::env::var_os("QUADRILLE_TEST_POSTGRES").and_then(|url| url.into_string().ok());
        let server = server.expect(
            "QUADRILLE_TEST_POSTGRES is not set: run `cargo xtask test postgres`, which starts a \
             server",
        );
        let name = format!("q{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut admin = PgConnection::connect(&server).await.expect("the server answers");
        admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        let (server, _) = server.rsplit_once('/').expect("the address names a database");
        let bed = Bed::open(format!("{server}/{name}"), change, Scratch::new()).await;
        test(&bed).await;
        bed.store.close().await;
        let drop = AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        admin.execute(drop).await.unwrap();
    }

    pub(super) async fn execute(url: &str, sql: &'static str) {
        let mut connection = PgConnection::connect(url).await.unwrap();
        connection.execute(sql).await.unwrap();
        connection.close().await.unwrap();
    }
}
