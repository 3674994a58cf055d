//! Search in the conversations of one user. Reads their messages alone: the response time of a shared
//! index would reveal the words of others.
use futures_util::TryStreamExt;

use crate::{
    Error, Page, SearchPage, Store,
    db::{Db, reading},
    pages::fitting,
    store::clean,
};

/// Most messages that are searched, the newest first.
const MAX_MESSAGES: i64 = 100_000;

/// Messages per statement.
const READ_BATCH: usize = 256;

/// Most bytes that are read for one search.
const MAX_BYTES: usize = 256 << 20;

/// Most words of a query; further ones are ignored.
const MAX_WORDS: usize = 32;

const LIST_OWN: &str = "
    SELECT m.id FROM members AS i JOIN messages AS m ON m.conversation_id = i.conversation_id
    WHERE i.user_id = $1 ORDER BY m.id DESC LIMIT $2";

/// Ends before the list of ids.
const GET_CONTENTS: &str = "SELECT id, content FROM messages WHERE id IN (";

/// Ends before the list of ids.
const MEASURE: &str = "
    SELECT id, CAST(OCTET_LENGTH(content) + COALESCE(OCTET_LENGTH(metadata), 0) AS BIGINT)
    FROM messages WHERE id IN (";

#[cfg(feature = "postgres")]
const SEARCH_POSTGRES: &str = "
    WITH own AS MATERIALIZED (
        SELECT m.id, m.words FROM members AS i
        JOIN messages AS m ON m.conversation_id = i.conversation_id
        WHERE i.user_id = $1 ORDER BY m.id DESC LIMIT $2)
    SELECT id FROM own WHERE words @@ plainto_tsquery('simple', $3)
    ORDER BY id DESC LIMIT $4 OFFSET $5";

impl Store {
    /// Finds messages with every word of `query`, among the newest 100,000 in the conversations of a
    /// member; the newest first, at most [`Page::BYTES`] of them. Punctuation separates words and has
    /// no other meaning. `PostgreSQL` searches the first 100,000 characters of a message; `SQLite`
    /// reads the newest 256 MiB, and sets `has_more` if that is not all.
    pub async fn search(&self, user: &str, query: &str, page: Page) -> Result<SearchPage, Error> {
        self.search_within(user, query, page, MAX_BYTES).await
    }

    async fn search_within(
        &self,
        user: &str,
        query: &str,
        page: Page,
        bytes: usize,
    ) -> Result<SearchPage, Error> {
        let words = query.split(is_separator).filter(|word| !word.is_empty());
        let words: Vec<_> = words.take(MAX_WORDS).collect();
        if words.is_empty() {
            return Ok(SearchPage::default());
        }
        let (user, (limit, _)) = (clean(user), page.bounds());
        let (mut found, is_cut) = match self.db() {
            Db::Sqlite { .. } => self.scan(&user, &words, page, bytes).await?,
            #[cfg(feature = "postgres")]
            Db::Postgres(pool) => {
                let (_, offset) = page.bounds();
                let _permit = self.connection().await?;
                let mut taken = crate::db::take(pool).await?;
                let search = sqlx::query_scalar(SEARCH_POSTGRES).bind(&*user).bind(MAX_MESSAGES);
                let search = search.bind(words.join(" ")).bind(limit + 1).bind(offset);
                (search.fetch_all(&mut *taken).await?, false)
            }
        };
        let count = found.len();
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let ids = fitting(self.measured(&found).await?, Page::BYTES);
        // A reader of page after page comes to an end.
        let continues = is_cut && (page.offset == 0 || !ids.is_empty());
        let has_more = continues || ids.len() < count;
        Ok(SearchPage { messages: self.messages_by_id(&ids).await?, has_more })
    }

    /// Measures the messages that still exist, the newest first.
    async fn measured(&self, ids: &[i64]) -> Result<Vec<(i64, i64)>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        Ok(reading!(self, |connection| {
            let mut query = sqlx::QueryBuilder::new(MEASURE);
            let mut list = query.separated(", ");
            for id in ids {
                list.push_bind(*id);
            }
            query.push(") ORDER BY id DESC");
            // The text depends on the number of messages.
            query.build_query_as().persistent(false).fetch_all(connection).await?
        }))
    }

    /// Reads the user's messages, the newest first. Returns the ids of the page and of one message more,
    /// and whether the search stopped after `bytes`.
    async fn scan(
        &self,
        user: &str,
        words: &[&str],
        page: Page,
        bytes: usize,
    ) -> Result<(Vec<i64>, bool), Error> {
        let (limit, offset) = page.bounds();
        let enough = usize::try_from(offset.saturating_add(limit + 1)).unwrap_or(usize::MAX);
        let phrases: Vec<Vec<String>> = words.iter().map(|word| tokens(word)).collect();
        let own: Vec<i64> = reading!(self, |connection| {
            sqlx::query_scalar(LIST_OWN).bind(user).bind(MAX_MESSAGES).fetch_all(connection).await?
        });
        let (mut found, mut read, mut is_cut) = (Vec::new(), 0, false);
        for batch in own.chunks(READ_BATCH) {
            reading!(self, |connection| {
                let mut query = sqlx::QueryBuilder::new(GET_CONTENTS);
                let mut list = query.separated(", ");
                for id in batch {
                    list.push_bind(*id);
                }
                query.push(") ORDER BY id DESC");
                let query = query.build_query_as::<(i64, String)>().persistent(false);
                let mut rows = query.fetch(connection);
                while let Some((id, content)) = rows.try_next().await? {
                    is_cut = read >= bytes;
                    if is_cut {
                        break;
                    }
                    read += content.len();
                    if has_all(&content, &phrases) {
                        found.push(id);
                    }
                }
            });
            if is_cut || found.len() >= enough {
                break;
            }
            // Lets other tasks run.
            tokio::task::yield_now().await;
        }
        let skipped = found.into_iter().skip(usize::try_from(offset).unwrap_or(usize::MAX));
        let found = skipped.take(usize::try_from(limit + 1).unwrap_or_default()).collect();
        Ok((found, is_cut))
    }
}

/// Returns whether `c` separates words of a query. The words are split again like messages.
fn is_separator(c: char) -> bool {
    c.is_whitespace() || c.is_control() || c.is_ascii_punctuation()
}

/// Returns whether `c` belongs to a word: letters, digits, and combining marks.
fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\u{300}'..='\u{36f}')
}

/// Splits a text into words, in lower case.
fn tokens(text: &str) -> Vec<String> {
    let folded = text.to_lowercase();
    let words = folded.split(|c| !is_word_char(c)).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// Returns whether the text contains each phrase, its words in sequence.
fn has_all(text: &str, phrases: &[Vec<String>]) -> bool {
    let folded = text.to_lowercase();
    let words: Vec<&str> =
        folded.split(|c| !is_word_char(c)).filter(|word| !word.is_empty()).collect();
    let has = |phrase: &Vec<String>| {
        !phrase.is_empty() && words.windows(phrase.len()).any(|window| window == phrase.as_slice())
    };
    phrases.iter().all(has)
}

#[cfg(test)]
mod tests {
    use e2e::scratch::Scratch;

    use super::*;
    use crate::{Config, NewMessage, Sender};

    #[tokio::test]
    async fn what_is_not_read_any_more_may_have_others() {
        let home = Scratch::new();
        let url = format!("sqlite://{}/a.db", home.path().display());
        let store = Store::open(&Config { url, ..Config::default() }).await.unwrap();
        let conversation = store.create_conversation("ann", None).await.unwrap().id;
        for content in ["old word", "word 1", "word 2", "nothing"] {
            let new = NewMessage {
                conversation,
                user: "ann",
                sender: Sender::User,
                content,
                metadata: None,
                key: None,
                turn: None,
                files: &[],
            };
            store.add_message(new).await.unwrap();
        }
        let search = async |offset, bytes| {
            let page = Page { limit: 9, offset };
            let SearchPage { messages, has_more } =
                store.search_within("ann", "word", page, bytes).await.unwrap();
            (
                messages.into_iter().map(|message| message.content).collect::<Vec<_>>().join(","),
                has_more,
            )
        };
        let given = |all: &str, has_more| (all.to_owned(), has_more);
        // The last message of all may go beyond.
        assert_eq!(search(0, 20).await, given("word 2,word 1,old word", false));
        assert_eq!(search(0, 19).await, given("word 2,word 1", true));
        assert_eq!(search(1, 19).await, given("word 1", true));
        assert_eq!(search(2, 19).await, given("", false));
        assert_eq!(search(0, 7).await, given("", true));
    }

    #[test]
    fn words_are_found_whole_in_any_case_and_with_their_marks() {
        let has = |text: &str, query: &str| {
            let words = query.split(is_separator).filter(|word| !word.is_empty());
            has_all(text, &words.map(tokens).collect::<Vec<_>>())
        };
        let text = "Grüße aus KÖLN, 3.5 km – e\u{301}t\u{e9}!";
        for good in ["grüsse", "köln grüße", "GRÜSSE", "3 5", "3.5", "KM–e\u{301}t\u{e9}", "aus"]
        {
            assert_eq!(has(text, good), good != "grüsse" && good != "GRÜSSE", "{good}");
        }
        for bad in ["grusse", "kol", "ete", "–", "km 4", "aus–km"] {
            assert!(!has(text, bad), "{bad}");
        }
    }
}
