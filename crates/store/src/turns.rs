//! Turns: what was asked and not answered yet survives the process, and is closed once.
use serde_json::json;
use uuid::Uuid;

use crate::{
    Error, Interrupted, Message, Sender, Store, TurnEnd,
    add::INSERT,
    db::{reading, writing},
    store::{clean, now},
};

/// The conversation is locked before the turn, as everywhere.
const TOUCH: &str = "
    UPDATE conversations SET updated_at = $2
    WHERE id = (SELECT conversation_id FROM turns WHERE id = $1 AND state = 'open')
    RETURNING id";

const CLOSE: &str = "
    UPDATE turns SET state = $2, reply_id = $3, ended_at = $4 WHERE id = $1 AND state = 'open'";

const OPEN: &str = "SELECT id FROM turns WHERE state = 'open' ORDER BY started_at";

impl Store {
    /// Store the reply, and close the turn that it belongs to. `None`, and no reply is stored, if
    /// the turn is not open.
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

    /// For the start: every turn that is still open was cut off, and gets `content` as its reply.
    /// With an error, some may have got it; they are not given by the next call.
    pub async fn interrupt_turns(&self, content: &str) -> Result<Vec<Interrupted>, Error> {
        let open: Vec<Uuid> =
            reading!(self, |connection| sqlx::query_scalar(OPEN).fetch_all(connection).await?);
        let mut interrupted = Vec::with_capacity(open.len());
        for turn in open {
            if let Some(message) = self.close_turn(turn, "interrupted", content).await? {
                let conversation_id = message.conversation_id;
                interrupted.push(Interrupted { turn, conversation_id, message });
            }
        }
        Ok(interrupted)
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
            let touch = sqlx::query_scalar(TOUCH).bind(turn).bind(now);
            let conversation: Option<i64> = touch.fetch_optional(&mut *tx).await?;
            let Some(conversation) = conversation else { return Ok(None) };
            let insert = sqlx::query_scalar(INSERT).bind(conversation).bind(None::<&str>);
            let insert = insert.bind(Sender::Assistant.role()).bind(&*content).bind(&*metadata);
            let id: i64 = insert.bind(now).fetch_one(&mut *tx).await?;
            let close = sqlx::query(CLOSE).bind(turn).bind(state).bind(id).bind(now);
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
