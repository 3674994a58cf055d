//! The gateway's database, open beside it.
use quadrille_store::{Config, Message, Store, StoredTurn};

use crate::scratch::Scratch;

/// A database in a file of its own, which outlives the gateways that use it.
#[derive(Debug)]
pub struct Database {
    store: Store,
    url: String,
    _home: Scratch,
}

impl Database {
    pub async fn new() -> Self {
        let home = Scratch::new();
        let url = format!("sqlite://{}", home.path().join("rooms.db").display());
        let config = Config { url: url.clone(), ..Config::default() };
        let store = Store::open(&config).await.expect("the temporary directory can be written");
        Self { store, url, _home: home }
    }

    /// Setting with which a gateway uses it.
    pub fn setting(&self) -> (&str, &str) {
        ("store.url", &self.url)
    }

    /// A conversation of this user, by its id.
    pub async fn conversation(&self, user: &str) -> i64 {
        let made = self.store.create_conversation(user, Some("Katzen")).await;
        made.expect("the database takes it").id
    }

    /// A turn of any topic.
    pub async fn turn(&self, id: &str) -> Option<StoredTurn> {
        let id = id.parse().expect("an id");
        self.store.turn(id).await.expect("the database gives it")
    }

    /// All messages of a conversation, if there are not more than 1000.
    pub async fn messages(&self, conversation: i64) -> Vec<Message> {
        let messages = self.store.messages(conversation, None, 1000).await;
        messages.expect("the database gives them")
    }
}
