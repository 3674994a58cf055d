//! Reads turns, with the text that there is so far.
use uuid::Uuid;

use super::model::{RunningReply, StoredState, StoredTurn};
use crate::{Error, Store, db::reading};

const GET: &str = "
    SELECT t.id, t.topic, t.user_id, t.agent, COALESCE(t.question, q.content, '') AS question,
        COALESCE(t.text, r.content, '') AS text, t.state, t.code, t.title, t.details,
        t.conversation_id, t.question_id, t.reply_id, t.started_at, t.ended_at
    FROM turns AS t
    LEFT JOIN messages AS q ON q.id = t.question_id
    LEFT JOIN messages AS r ON r.id = t.reply_id
    WHERE t.id = $1";

const SEGMENTS: &str = "SELECT text FROM turn_segments WHERE turn_id = $1 ORDER BY start";

const RUNNING: &str = "
    SELECT t.id, t.started_at, s.text
    FROM turns AS t JOIN turn_segments AS s ON s.turn_id = t.id
    WHERE t.conversation_id = $1 AND t.state = 'open'
    ORDER BY t.started_at, t.id, s.start";

impl Store {
    /// Returns a turn: of one that is open, with the text that is stored so far.
    pub async fn turn(&self, id: Uuid) -> Result<Option<StoredTurn>, Error> {
        // Before the row: a turn that ends in between has its text there.
        let segments: Vec<String> = reading!(self, |connection| {
            sqlx::query_scalar(SEGMENTS).bind(id).fetch_all(connection).await?
        });
        let turn: Option<StoredTurn> = reading!(self, |connection| {
            sqlx::query_as(GET).bind(id).fetch_optional(connection).await?
        });
        Ok(turn.map(|turn| match turn.state {
            StoredState::Open => StoredTurn { text: segments.concat(), ..turn },
            _ => turn,
        }))
    }

    /// Lists the replies that are being made in a conversation and have text, oldest first.
    pub async fn running_replies(&self, conversation: i64) -> Result<Vec<RunningReply>, Error> {
        let rows: Vec<(Uuid, i64, String)> = reading!(self, |connection| {
            sqlx::query_as(RUNNING).bind(conversation).fetch_all(connection).await?
        });
        let mut replies = Vec::<RunningReply>::new();
        for (turn, started_at, text) in rows {
            match replies.last_mut().filter(|last| last.turn == turn) {
                Some(last) => last.text.push_str(&text),
                None => replies.push(RunningReply { turn, text, started_at }),
            }
        }
        Ok(replies)
    }
}
