//! The handle on the database.
use uuid::Uuid;

use crate::{
    AddError, Added, Config, Conversation, Error, FileInfo, Interrupted, Message, NewFile,
    NewMessage, OpenError, Page, TurnEnd, Who,
};

/// The database. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Store(());

/// What a migration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// How many steps were taken; 0 if the schema was current.
    pub applied: usize,
}
#[expect(unused, clippy::unused_async, clippy::unnecessary_wraps, reason = "the bodies come next")]
impl Store {
    pub async fn open(config: &Config) -> Result<Self, OpenError> {
        Err(OpenError::New)
    }
    pub async fn migrate(config: &Config) -> Result<Migrated, OpenError> {
        Err(OpenError::New)
    }
    pub async fn close(&self) {}
    pub async fn put_user(&self, id: &str, name: Option<&str>) -> Result<(), Error> {
        Err(Error::Busy)
    }
    pub async fn user_name(&self, id: &str) -> Result<Option<String>, Error> {
        Err(Error::Busy)
    }
    pub async fn create_conversation(
        &self,
        user: &str,
        title: Option<&str>,
    ) -> Result<Conversation, Error> {
        Err(Error::Busy)
    }
    pub async fn conversations(&self, user: &str, page: Page) -> Result<Vec<Conversation>, Error> {
        Err(Error::Busy)
    }
    pub async fn conversation(&self, id: i64, who: Who<'_>) -> Result<Option<Conversation>, Error> {
        Err(Error::Busy)
    }
    pub async fn update_conversation(
        &self,
        id: i64,
        who: Who<'_>,
        title: Option<&str>,
        pinned: Option<bool>,
    ) -> Result<Option<Conversation>, Error> {
        Err(Error::Busy)
    }
    pub async fn delete_conversation(
        &self,
        id: i64,
        user: &str,
    ) -> Result<Option<Vec<String>>, Error> {
        Err(Error::Busy)
    }
    pub async fn add_message(&self, new: NewMessage<'_>) -> Result<Added, AddError> {
        Err(AddError::NoConversation)
    }
    pub async fn message(&self, id: i64) -> Result<Option<Message>, Error> {
        Err(Error::Busy)
    }
    pub async fn messages(
        &self,
        conversation: i64,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Message>, Error> {
        Err(Error::Busy)
    }
    pub async fn end_turn(
        &self,
        turn: Uuid,
        end: TurnEnd,
        content: &str,
    ) -> Result<Option<Message>, Error> {
        Err(Error::Busy)
    }
    pub async fn interrupt_turns(&self, content: &str) -> Result<Vec<Interrupted>, Error> {
        Err(Error::Busy)
    }
    pub async fn add_file(&self, file: NewFile<'_>) -> Result<FileInfo, Error> {
        Err(Error::Busy)
    }
    pub async fn file(&self, key: &str) -> Result<Option<FileInfo>, Error> {
        Err(Error::Busy)
    }
    pub async fn files(&self, user: &str, page: Page) -> Result<Vec<FileInfo>, Error> {
        Err(Error::Busy)
    }
    pub async fn search(&self, user: &str, query: &str, page: Page) -> Result<Vec<Message>, Error> {
        Err(Error::Busy)
    }
    pub async fn forget_keys(&self, before: i64) -> Result<u64, Error> {
        Err(Error::Busy)
    }
}
