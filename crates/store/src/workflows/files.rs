//! Files of chats; their bytes are in [`files`](crate::files).
use std::{
    collections::{HashMap, HashSet},
    fmt::Display,
};

use super::{
    chats::TOUCH,
    model::{ChatFile, FileError, NewChatFile},
    words::Place,
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

/// The chat has to be locked.
pub(super) const NAMES: &str = "SELECT name FROM chat_files WHERE chat_id = $1";

pub(super) const LIST: &str = "
    SELECT id, place, name, file_path, size, created_at FROM chat_files
    WHERE chat_id = $1 ORDER BY id";

const GET: &str = "
    SELECT id, place, name, file_path, size, created_at FROM chat_files
    WHERE chat_id = $1 AND name = $2";

pub(super) type FileRow = (i64, String, String, String, i64, i64);

impl Store {
    /// `None` if there is no such chat.
    pub async fn add_chat_file(
        &self,
        chat: &str,
        new: NewChatFile<'_>,
    ) -> Result<Option<ChatFile>, FileError> {
        let (chat, now) = (clean(chat), now());
        let NewChatFile { place, name, key, size } = new;
        let (id, name) = writing!(self, |tx| {
            let touch = sqlx::query(TOUCH).bind(&*chat).bind(now).bind(None::<&str>);
            if touch.fetch_optional(&mut *tx).await?.is_none() {
                return Ok(None);
            }
            let names = sqlx::query_scalar(NAMES).bind(&*chat);
            let name = fresh(&clean(name), &names.fetch_all(&mut *tx).await?)?;
            let add = sqlx::query_scalar(ADD).bind(&*chat).bind(place.word()).bind(&*name);
            let id: i64 = add.bind(key).bind(size).bind(now).fetch_one(&mut *tx).await?;
            (id, name)
        });
        Ok(Some(ChatFile { id, place, name, key: key.to_owned(), size, created_at: now }))
    }

    /// All of a chat, in the order in which they came.
    pub async fn chat_files(&self, chat: &str) -> Result<Vec<ChatFile>, Error> {
        let chat = clean(chat);
        let rows: Vec<FileRow> = reading!(self, |connection| {
            sqlx::query_as(LIST).bind(&*chat).fetch_all(connection).await?
        });
        Ok(rows.into_iter().map(ChatFile::from).collect())
    }

    pub async fn chat_file(&self, chat: &str, name: &str) -> Result<Option<ChatFile>, Error> {
        let (chat, name) = (clean(chat), clean(name));
        let row: Option<FileRow> = reading!(self, |connection| {
            let get = sqlx::query_as(GET).bind(&*chat).bind(&*name);
            get.fetch_optional(connection).await?
        });
        if row.is_some() || name.is_ascii() {
            return Ok(row.map(ChatFile::from));
        }
        // It may be written in another way than it was then.
        let (name, files) = (Files::composed(&name), self.chat_files(&chat).await?);
        Ok(files.into_iter().find(|it| Files::composed(&it.name) == name))
    }
}

/// Names that are taken, for many files at once.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    /// The number to try next, by the name that was wished for.
    next: HashMap<String, u32>,
}

impl Names {
    /// As [`free`], and it is taken from then on.
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

/// As [`free`], for one more file of a chat with these names.
pub(super) fn fresh(name: &str, taken: &[String]) -> Result<String, FileError> {
    if taken.len() >= ChatFile::MAX {
        return Err(FileError::TooMany);
    }
    Ok(free(name, taken))
}

/// `name`, or the same with the first number that makes it a new one.
pub(super) fn free(name: &str, taken: &[String]) -> String {
    let taken: HashSet<_> = taken.iter().map(String::as_str).collect();
    let mut names = (1..).map(|n| numbered(name, n));
    names.find(|it| !taken.contains(it.as_str())).unwrap_or_else(|| name.to_owned())
}

/// The first is as it is.
fn numbered(name: &str, n: u32) -> String {
    if n == 1 { name.to_owned() } else { marked(name, n) }
}

/// `name` with something before its extension.
pub(super) fn marked(name: &str, mark: impl Display) -> String {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => format!("{stem}_{mark}.{extension}"),
        _ => format!("{name}_{mark}"),
    }
}

impl From<FileRow> for ChatFile {
    fn from((id, place, name, key, size, created_at): FileRow) -> Self {
        let place = Place::parse(&place).unwrap_or(Place::Uploads);
        Self { id, place, name, key, size, created_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_gets_the_first_free_number() {
        let taken = ["a.csv", "a_2.csv", "b", ".c"].map(str::to_owned);
        assert_eq!(free("a.csv", &taken), "a_3.csv");
        assert_eq!(free("a.xlsx", &taken), "a.xlsx");
        assert_eq!(free("b", &taken), "b_2");
        assert_eq!(free(".c", &taken), ".c_2");
    }

    #[test]
    fn many_of_one_name_get_the_same_as_one_by_one() {
        let mut names = Names::default();
        let given = ["a.csv", "a_2.csv", "a.csv", "a.csv", "a_2.csv", "b"].map(|it| names.take(it));
        assert_eq!(given, ["a.csv", "a_2.csv", "a_3.csv", "a_4.csv", "a_2_2.csv", "b"]);
        // Trying all that are taken for each would not end.
        let last = (0..200_000).map(|_| names.take("c")).last();
        assert_eq!(last.as_deref(), Some("c_200000"));
    }
}
