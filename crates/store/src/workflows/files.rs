//! Files of chats; their bytes are in [`files`](crate::files).
use std::{
    collections::{HashMap, HashSet},
    fmt::Display,
};

use super::{
    chats::TOUCH_CHAT,
    model::{ChatFile, FileError, NewChatFile},
};
use crate::{
    Error, Store,
    db::{reading, writing},
    files::Files,
    store::{clean, now},
};

pub(super) const ADD: &str = "
    INSERT INTO chat_files (chat_id, place, name, file_path, size, created_at)
    VALUES ($1, $2, $3, $4, $5, $6) RETURNING id";

/// Requires that the chat is locked.
pub(super) const NAMES: &str = "SELECT name FROM chat_files WHERE chat_id = $1";

pub(super) const LIST: &str = "
    SELECT id, place, name, file_path, size, created_at FROM chat_files
    WHERE chat_id = $1 ORDER BY id";

const GET: &str = "
    SELECT id, place, name, file_path, size, created_at FROM chat_files
    WHERE chat_id = $1 AND name = $2";

impl Store {
    /// Adds a file to a chat, under a name that the chat does not have. `None` if there is no such
    /// chat.
    pub async fn add_chat_file(
        &self,
        chat: &str,
        new: NewChatFile<'_>,
    ) -> Result<Option<ChatFile>, FileError> {
        let (chat, now) = (clean(chat), now());
        let NewChatFile { place, name, key, size } = new;
        let (id, name) = writing!(self, |tx| {
            let touch = sqlx::query(TOUCH_CHAT).bind(&*chat).bind(now).bind(None::<&str>);
            if touch.fetch_optional(&mut *tx).await?.is_none() {
                return Ok(None);
            }
            let names = sqlx::query_scalar(NAMES).bind(&*chat);
            let name = new_name(&clean(name), &names.fetch_all(&mut *tx).await?)?;
            let add = sqlx::query_scalar(ADD).bind(&*chat).bind(place.word()).bind(&*name);
            let id: i64 = add.bind(key).bind(size).bind(now).fetch_one(&mut *tx).await?;
            (id, name)
        });
        Ok(Some(ChatFile { id, place, name, key: key.to_owned(), size, created_at: now }))
    }

    /// Lists all files of a chat, in the order in which they were added.
    pub async fn chat_files(&self, chat: &str) -> Result<Vec<ChatFile>, Error> {
        let chat = clean(chat);
        Ok(reading!(self, |connection| {
            sqlx::query_as(LIST).bind(&*chat).fetch_all(connection).await?
        }))
    }

    pub async fn chat_file(&self, chat: &str, name: &str) -> Result<Option<ChatFile>, Error> {
        let (chat, name) = (clean(chat), clean(name));
        let file: Option<ChatFile> = reading!(self, |connection| {
            let get = sqlx::query_as(GET).bind(&*chat).bind(&*name);
            get.fetch_optional(connection).await?
        });
        if file.is_some() || name.is_ascii() {
            return Ok(file);
        }
        // The stored name may be in another normal form.
        let (name, files) = (Files::composed(&name), self.chat_files(&chat).await?);
        Ok(files.into_iter().find(|file| Files::composed(&file.name) == name))
    }
}

/// Hands out unique names to many files at once.
#[derive(Debug, Default)]
pub(super) struct UniqueNames {
    taken: HashSet<String>,
    /// The number to try next, by the requested name.
    next: HashMap<String, u32>,
}

impl UniqueNames {
    /// Returns a free name as [`free_name`] does, and marks it as taken.
    pub(super) fn take(&mut self, name: &str) -> String {
        let next = self.next.entry(name.to_owned()).or_insert(1);
        loop {
            let named = numbered(name, *next);
            *next = next.saturating_add(1);
            if self.taken.insert(named.clone()) {
                return named;
            }
        }
    }
}

/// Returns a free name for one more file of a chat. Fails at [`ChatFile::MAX`] files.
pub(super) fn new_name(name: &str, taken: &[String]) -> Result<String, FileError> {
    if taken.len() >= ChatFile::MAX {
        return Err(FileError::TooMany);
    }
    Ok(free_name(name, taken))
}

/// Returns `name`, or adds the first number that makes it unique.
pub(super) fn free_name(name: &str, taken: &[String]) -> String {
    let taken: HashSet<_> = taken.iter().map(String::as_str).collect();
    let mut names = (1..).map(|n| numbered(name, n));
    names.find(|name| !taken.contains(name.as_str())).unwrap_or_else(|| name.to_owned())
}

/// Adds a number to a name; number 1 adds nothing.
fn numbered(name: &str, n: u32) -> String {
    if n == 1 { name.to_owned() } else { with_mark(name, n) }
}

/// Inserts `mark` before the extension.
pub(super) fn with_mark(name: &str, mark: impl Display) -> String {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => format!("{stem}_{mark}.{extension}"),
        _ => format!("{name}_{mark}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_gets_the_first_free_number() {
        let taken = ["a.csv", "a_2.csv", "b", ".c"].map(str::to_owned);
        assert_eq!(free_name("a.csv", &taken), "a_3.csv");
        assert_eq!(free_name("a.xlsx", &taken), "a.xlsx");
        assert_eq!(free_name("b", &taken), "b_2");
        assert_eq!(free_name(".c", &taken), ".c_2");
    }

    #[test]
    fn many_of_one_name_get_the_same_as_one_by_one() {
        let mut names = UniqueNames::default();
        let given =
            ["a.csv", "a_2.csv", "a.csv", "a.csv", "a_2.csv", "b"].map(|name| names.take(name));
        assert_eq!(given, ["a.csv", "a_2.csv", "a_3.csv", "a_4.csv", "a_2_2.csv", "b"]);
        // Trying all that are taken for each would not end.
        let last = (0..200_000).map(|_| names.take("c")).last();
        assert_eq!(last.as_deref(), Some("c_200000"));
    }
}
