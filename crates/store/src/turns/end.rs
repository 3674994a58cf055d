//! Ends a turn: its segments become the text of its row or, in a conversation, a message.
use serde_json::json;
use uuid::Uuid;

use super::{
    keys,
    model::{EndedTurn, NewEnd, TurnEnd},
};
use crate::{
    Error, Message, Sender, Store,
    add::INSERT_MESSAGE,
    db::writing,
    store::{clean, now},
};

/// Locks the conversation before the turn, as everywhere.
const TOUCH_CONVERSATION: &str = "
    UPDATE conversations SET updated_at = $2
    WHERE id = (SELECT conversation_id FROM turns WHERE id = $1 AND state = 'open')
    RETURNING id";

const CLOSE: &str = "
    UPDATE turns
    SET state = $2, text = $3, code = $4, title = $5, details = $6, reply_id = $7, untold = $8,
        ended_at = $9
    WHERE id = $1 AND state = 'open'";

const DELETE_SEGMENTS: &str = "DELETE FROM turn_segments WHERE turn_id = $1";

impl Store {
    /// Ends an open turn, and adds the message of its reply if it is in a conversation. `None` if the
    /// turn is not open; then nothing is stored.
    pub async fn end_turn(&self, turn: Uuid, new: NewEnd<'_>) -> Result<Option<EndedTurn>, Error> {
        let NewEnd { end, untold, frees_key, sentence, .. } = new;
        let (text, state, now) = (clean(new.text), end.word(), now());
        let (code, title, details) =
            (new.code.map(clean), new.title.map(clean), new.details.map(clean));
        let is_lost = end == TurnEnd::Failed && text.trim().is_empty();
        let content = if is_lost { clean(sentence) } else { text.clone() };
        let mut metadata = json!({ "turn": turn, "status": state });
        if let (Some(code), Some(members)) = (code.as_deref(), metadata.as_object_mut()) {
            members.insert("code".to_owned(), code.into());
        }
        let metadata = metadata.to_string();
        let said = writing!(self, |tx| {
            let touch = sqlx::query_scalar(TOUCH_CONVERSATION).bind(turn).bind(now);
            let conversation: Option<i64> = touch.fetch_optional(&mut *tx).await?;
            let mut said = None;
            if let Some(conversation) = conversation {
                let insert = sqlx::query_scalar(INSERT_MESSAGE).bind(conversation);
                let insert = insert.bind(None::<&str>).bind(Sender::Assistant.word());
                let insert = insert.bind(&*content).bind(&*metadata).bind(now);
                let id: i64 = insert.fetch_one(&mut *tx).await?;
                said = Some((id, conversation));
            }
            // A message with the text has it.
            let kept = (said.is_none() || is_lost).then_some(&*text);
            let close = sqlx::query(CLOSE).bind(turn).bind(state).bind(kept);
            let close = close.bind(code.as_deref()).bind(title.as_deref());
            let close = close.bind(details.as_deref()).bind(said.map(|(id, _)| id));
            let close = close.bind(untold).bind(now);
            if close.execute(&mut *tx).await?.rows_affected() == 0 {
                return Ok(None);
            }
            if !text.is_empty() {
                sqlx::query(DELETE_SEGMENTS).bind(turn).execute(&mut *tx).await?;
            }
            if frees_key {
                sqlx::query(keys::FREE).bind(turn).execute(&mut *tx).await?;
            }
            said
        });
        let message = said.map(|(id, conversation_id)| Message {
            id,
            conversation_id,
            user_id: None,
            sender: Sender::Assistant,
            content: content.into_owned(),
            metadata: Some(metadata),
            files: Vec::new(),
            created_at: now,
        });
        Ok(Some(EndedTurn { message }))
    }
}
