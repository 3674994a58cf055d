//! Turns: a question without a reply survives a restart, and is closed once.
use serde_json::json;
use uuid::Uuid;

use crate::{
    Error, Interrupted, Message, Page, Sender, Store, TurnEnd,
    add::INSERT_MESSAGE,
    db::{reading, writing},
    pages::fitting,
    store::{clean, now},
};

/// Locks the conversation before the turn, as everywhere.
const TOUCH_CONVERSATION: &str = "
    UPDATE conversations SET updated_at = $2
    WHERE id = (SELECT conversation_id FROM turns WHERE id = $1 AND state = 'open')
    RETURNING id";

const CLOSE_TURN: &str = "
    UPDATE turns SET state = $2, reply_id = $3, ended_at = $4 WHERE id = $1 AND state = 'open'";

const OLDEST_OPEN: &str = "
    SELECT id FROM turns WHERE state = 'open' AND started_at < $1 ORDER BY started_at LIMIT 1";

/// Lists the newest replies that are not blank, with the bytes of question and reply. Long replies are
/// not read for that.
const MEASURE_REPLIES: &str = "
    SELECT r.id, CAST(OCTET_LENGTH(q.content) + OCTET_LENGTH(r.content) AS BIGINT)
    FROM turns AS t
    JOIN messages AS q ON q.id = t.question_id JOIN messages AS r ON r.id = t.reply_id
    WHERE t.conversation_id = $1 AND t.state = 'completed'
        AND (OCTET_LENGTH(r.content) > 1000 OR trim(r.content, $3) <> '')
    ORDER BY r.id DESC LIMIT $2";

/// Characters of a blank reply.
const WHITESPACE: &str = " \n\r\t";

/// Lists questions and replies, from reply $2 on.
const EXCHANGES: &str = "
    SELECT q.content, r.content FROM turns AS t
    JOIN messages AS q ON q.id = t.question_id JOIN messages AS r ON r.id = t.reply_id
    WHERE t.conversation_id = $1 AND t.state = 'completed' AND r.id >= $2
        AND (OCTET_LENGTH(r.content) > 1000 OR trim(r.content, $4) <> '')
    ORDER BY r.id LIMIT $3";

impl Store {
    /// Stores the reply and closes its turn. `None` if the turn is not open; then nothing is stored.
    pub async fn end_turn(
        &self,
        turn: Uuid,
        end: TurnEnd,
        content: &str,
    ) -> Result<Option<Message>, Error> {
        let state = match end {
            TurnEnd::Completed => "completed",
            TurnEnd::Failed => "failed",
            TurnEnd::Cancelled => "cancelled",
        };
        self.close_turn(turn, state, content).await
    }

    /// Closes the oldest open turn that started `before`, in Unix milliseconds, with `content` as its
    /// reply. For turns that the last process left open. `None` when there is none left.
    pub async fn interrupt_turn(
        &self,
        content: &str,
        before: i64,
    ) -> Result<Option<Interrupted>, Error> {
        loop {
            let open: Option<Uuid> = reading!(self, |connection| {
                sqlx::query_scalar(OLDEST_OPEN).bind(before).fetch_optional(connection).await?
            });
            let Some(turn) = open else { return Ok(None) };
            // It may have ended meanwhile.
            if let Some(message) = self.close_turn(turn, "interrupted", content).await? {
                let conversation_id = message.conversation_id;
                return Ok(Some(Interrupted { turn, conversation_id, message }));
            }
        }
    }

    /// Lists the question and the reply of the last `limit` completed turns, the oldest first, without
    /// blank replies. Beyond `bytes` older ones are left out, down to one.
    pub async fn exchanges(
        &self,
        conversation: i64,
        limit: u32,
        bytes: usize,
    ) -> Result<Vec<(String, String)>, Error> {
        let (limit, _) = Page { limit, offset: 0 }.bounds();
        let measured: Vec<(i64, i64)> = reading!(self, |connection| {
            let query =
                sqlx::query_as(MEASURE_REPLIES).bind(conversation).bind(limit).bind(WHITESPACE);
            query.fetch_all(connection).await?
        });
        let fitting = fitting(measured, bytes);
        let Some(oldest) = fitting.last() else { return Ok(Vec::new()) };
        let count = i64::try_from(fitting.len()).unwrap_or(i64::MAX);
        Ok(reading!(self, |connection| {
            let exchanges = sqlx::query_as(EXCHANGES).bind(conversation).bind(*oldest);
            exchanges.bind(count).bind(WHITESPACE).fetch_all(connection).await?
        }))
    }

    async fn close_turn(
        &self,
        turn: Uuid,
        state: &'static str,
        content: &str,
    ) -> Result<Option<Message>, Error> {
        let (content, now) = (clean(content), now());
        let metadata = json!({ "turn": turn, "status": state }).to_string();
        let (id, conversation_id) = writing!(self, |tx| {
            let touch = sqlx::query_scalar(TOUCH_CONVERSATION).bind(turn).bind(now);
            let conversation: Option<i64> = touch.fetch_optional(&mut *tx).await?;
            let Some(conversation) = conversation else { return Ok(None) };
            let insert = sqlx::query_scalar(INSERT_MESSAGE).bind(conversation).bind(None::<&str>);
            let insert = insert.bind(Sender::Assistant.word()).bind(&*content).bind(&*metadata);
            let id: i64 = insert.bind(now).fetch_one(&mut *tx).await?;
            let close = sqlx::query(CLOSE_TURN).bind(turn).bind(state).bind(id).bind(now);
            if close.execute(&mut *tx).await?.rows_affected() == 0 {
                return Ok(None);
            }
            (id, conversation)
        });
        Ok(Some(Message {
            id,
            conversation_id,
            user_id: None,
            sender: Sender::Assistant,
            content: content.into_owned(),
            metadata: Some(metadata),
            files: Vec::new(),
            created_at: now,
        }))
    }
}
