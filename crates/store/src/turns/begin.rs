//! Opens turns outside of conversations; those in conversations are opened with their message.
use super::{
    keys,
    model::{NewTurn, TurnOpening},
};
use crate::{
    Error, Store,
    db::writing,
    store::{clean, now},
};

pub(crate) const OPEN: &str = "
    INSERT INTO turns (
        id, topic, user_id, agent, question, state, conversation_id, question_id, started_at
    )
    VALUES ($1, $2, $3, $4, $5, 'open', $6, $7, $8)";

/// Reason to roll the transaction back.
enum OpenRollback {
    KeyTaken,
    Failed(Error),
}

impl Store {
    /// Opens a turn, once for each key of `user`.
    pub async fn open_turn(
        &self,
        turn: NewTurn<'_>,
        user: &str,
        question: &str,
        key: Option<&str>,
    ) -> Result<TurnOpening, Error> {
        match self.insert_turn(turn, user, question, key).await {
            Ok(()) => Ok(TurnOpening::New),
            Err(OpenRollback::Failed(err)) => Err(err),
            Err(OpenRollback::KeyTaken) => {
                let known = self.turn_of_key(user, key.unwrap_or_default()).await?;
                Ok(TurnOpening::Known(Box::new(known)))
            }
        }
    }

    async fn insert_turn(
        &self,
        NewTurn { id, topic, agent }: NewTurn<'_>,
        user: &str,
        question: &str,
        key: Option<&str>,
    ) -> Result<(), OpenRollback> {
        let (topic, agent, user) = (clean(topic), clean(agent), clean(user));
        let (question, key, now) = (clean(question), key.map(clean), now());
        writing!(self, |tx| {
            let open = sqlx::query(OPEN).bind(id).bind(&*topic).bind(&*user).bind(&*agent);
            let open = open.bind(&*question).bind(None::<i64>).bind(None::<i64>).bind(now);
            open.execute(&mut *tx).await?;
            if let Some(key) = key.as_deref() {
                let put = sqlx::query(keys::PUT).bind(&*user).bind(key).bind(id).bind(now);
                let put = put.bind(now.saturating_sub(self.keep_keys()));
                if put.execute(&mut *tx).await?.rows_affected() == 0 {
                    return Err(OpenRollback::KeyTaken);
                }
            }
        });
        Ok(())
    }
}

impl From<Error> for OpenRollback {
    fn from(err: Error) -> Self {
        Self::Failed(err)
    }
}

impl From<sqlx::Error> for OpenRollback {
    fn from(err: sqlx::Error) -> Self {
        Error::from(err).into()
    }
}
