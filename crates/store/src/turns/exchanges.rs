//! The newest turns of a topic, as an agent is told of them.
use uuid::Uuid;

use crate::{Error, Page, Store, db::reading, pages::fitting};

/// Lists turns that have ended, with the bytes of question and reply. Texts are not read for that.
const MEASURE: &str = "
    SELECT t.id, CAST(
        COALESCE(OCTET_LENGTH(t.question), OCTET_LENGTH(q.content), 0)
        + COALESCE(OCTET_LENGTH(t.text), OCTET_LENGTH(r.content), 0) AS BIGINT)
    FROM turns AS t
    LEFT JOIN messages AS q ON q.id = t.question_id
    LEFT JOIN messages AS r ON r.id = t.reply_id
    WHERE t.topic = $1 AND t.state <> 'open'
    ORDER BY t.ended_at DESC, t.id DESC LIMIT $2";

/// Ends before the list of ids.
const READ: &str = "
    SELECT COALESCE(t.question, q.content, ''), COALESCE(t.text, r.content, '')
    FROM turns AS t
    LEFT JOIN messages AS q ON q.id = t.question_id
    LEFT JOIN messages AS r ON r.id = t.reply_id
    WHERE t.id IN (";

impl Store {
    /// Lists the question and the reply of the last `limit` turns that have ended, however they did,
    /// the oldest first. Beyond `bytes` older ones are left out, down to one.
    pub async fn exchanges(
        &self,
        topic: &str,
        limit: u32,
        bytes: usize,
    ) -> Result<Vec<(String, String)>, Error> {
        let (limit, _) = Page { limit, offset: 0 }.bounds();
        let measured: Vec<(Uuid, i64)> = reading!(self, |connection| {
            let query = sqlx::query_as(MEASURE).bind(topic).bind(limit);
            query.fetch_all(connection).await?
        });
        let fitting = fitting(measured, bytes);
        if fitting.is_empty() {
            return Ok(Vec::new());
        }
        Ok(reading!(self, |connection| {
            let mut query = sqlx::QueryBuilder::new(READ);
            let mut ids = query.separated(", ");
            for id in &fitting {
                ids.push_bind(*id);
            }
            query.push(") ORDER BY t.ended_at, t.id");
            // The text depends on the number of turns.
            query.build_query_as().persistent(false).fetch_all(connection).await?
        }))
    }
}
