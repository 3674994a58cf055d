//! Export and import of a whole chat.
use std::collections::HashMap;

use super::{
    chats,
    files::{self, UniqueNames},
    model::{ChatFile, ChatMessage, Run, Step, WholeChat},
    queue::CREATE_STEP,
    runs::LIST_STEPS,
    words::{ChatStatus, RunStatus, StepStatus},
};
use crate::{
    Error, Store,
    db::{reading, writing},
    store::{clean, now},
    users,
};

/// Estimates the bytes of a description of the chat.
const ESTIMATE_SIZE: &str = "
    SELECT
        (SELECT COALESCE(SUM(OCTET_LENGTH(content) + OCTET_LENGTH(metadata) + 200), 0)
         FROM chat_messages WHERE chat_id = $1)
        + (SELECT COALESCE(SUM(OCTET_LENGTH(name) + 100), 0) FROM chat_files WHERE chat_id = $1)
        + (SELECT COALESCE(SUM(
            OCTET_LENGTH(s.arguments) + OCTET_LENGTH(COALESCE(s.result, ''))
            + OCTET_LENGTH(COALESCE(s.error, '')) + 500), 0)
           FROM run_steps AS s JOIN runs AS r ON r.id = s.run_id WHERE r.chat_id = $1)";

const LIST_MESSAGES: &str = "
    SELECT message_id, message_type, content, metadata, created_at
    FROM chat_messages WHERE chat_id = $1 ORDER BY id";

const LIST_RUNS: &str = "
    SELECT id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at
    FROM runs WHERE chat_id = $1 ORDER BY created_at, id";

const PUT: &str = "
    INSERT INTO chats
        (id, user_id, participant_name, status, partition_key, metadata, dialogue, created_at,
        updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING";

const PUT_RUN: &str = "
    INSERT INTO runs (id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error,
        created_at, started_at, ended_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

const END_STEP: &str = "
    UPDATE run_steps SET status = $2, progress = $3, output_file = $4, result = $5, error = $6,
        worker = $7, started_at = $8, completed_at = $9
    WHERE id = $1";

/// Reason to roll the transaction back.
enum RestoreRollback {
    /// One of the ids exists already.
    Exists,
    Store(Error),
}

impl Store {
    /// Estimates the bytes of a description of a chat.
    pub async fn size_of_chat(&self, id: &str) -> Result<i64, Error> {
        let id = clean(id);
        Ok(reading!(self, |connection| {
            sqlx::query_scalar(ESTIMATE_SIZE).bind(&*id).fetch_one(connection).await?
        }))
    }

    /// Reads a whole chat, of any size; see [`size_of_chat`](Self::size_of_chat). Concurrent changes
    /// may be included or not; files referenced by steps are always included.
    pub async fn whole_chat(&self, id: &str) -> Result<Option<WholeChat>, Error> {
        let Some(chat) = self.chat(id).await? else { return Ok(None) };
        let id = clean(id);
        Ok(Some(reading!(self, |connection| {
            let messages: Vec<ChatMessage> =
                sqlx::query_as(LIST_MESSAGES).bind(&*id).fetch_all(&mut *connection).await?;
            let without_steps: Vec<Run> =
                sqlx::query_as(LIST_RUNS).bind(&*id).fetch_all(&mut *connection).await?;
            let mut runs = Vec::new();
            for run in without_steps {
                let steps = sqlx::query_as(LIST_STEPS).bind(&run.id).fetch_all(&mut *connection);
                let steps: Vec<Step> = steps.await?;
                runs.push((run, steps));
            }
            let files: Vec<ChatFile> =
                sqlx::query_as(files::LIST).bind(&*id).fetch_all(&mut *connection).await?;
            WholeChat { chat, messages, files, runs }
        })))
    }

    /// Stores a whole chat in one transaction. False if one of the ids of the chat, its runs, steps
    /// or messages exists already. Files get new ids, and a number if two have one name. Unfinished
    /// runs become interrupted.
    pub async fn restore_chat(&self, whole: &WholeChat) -> Result<bool, Error> {
        match self.restore(whole).await {
            Ok(()) => Ok(true),
            Err(RestoreRollback::Exists) => Ok(false),
            Err(RestoreRollback::Store(err)) => Err(err),
        }
    }

    async fn restore(
        &self,
        WholeChat { chat, messages, files, runs }: &WholeChat,
    ) -> Result<(), RestoreRollback> {
        let (id, user) = (clean(&chat.id), chat.user_id.as_deref().map(clean));
        let cut = runs.iter().any(|(run, _)| !run.status.is_over());
        let status = if cut { ChatStatus::Failed } else { chat.status };
        writing!(self, |tx| {
            if let Some(user) = user.as_deref() {
                sqlx::query(users::ENSURE).bind(user).bind(now()).execute(&mut *tx).await?;
            }
            let put = sqlx::query(PUT).bind(&*id).bind(user.as_deref());
            let put = put.bind(clean(&chat.participant).into_owned()).bind(status.word());
            let put = put.bind(clean(&chat.partition).into_owned());
            let put = put.bind(clean(&chat.metadata).into_owned());
            let put = put.bind(chat.dialogue.as_deref().map(|text| clean(text).into_owned()));
            let put = put.bind(chat.created_at).bind(chat.updated_at);
            if put.execute(&mut *tx).await?.rows_affected() == 0 {
                return Err(RestoreRollback::Exists);
            }
            for message in messages {
                let add = sqlx::query(chats::INSERT_MESSAGE).bind(message.id).bind(&*id);
                let add = add.bind(message.kind.word()).bind(clean(&message.content).into_owned());
                let add = add.bind(clean(&message.metadata).into_owned()).bind(message.created_at);
                add.execute(&mut *tx).await?;
            }
            let (mut names, mut ids) = (UniqueNames::default(), HashMap::new());
            for file in files {
                let name = names.take(&clean(&file.name));
                let add = sqlx::query_scalar(files::ADD).bind(&*id).bind(file.place.word());
                let add = add.bind(&*name).bind(&file.key).bind(file.size).bind(file.created_at);
                let new: i64 = add.fetch_one(&mut *tx).await?;
                ids.insert(file.id, new);
            }
            for (run, steps) in runs {
                let (status, ended) = if run.status.is_over() {
                    (run.status, run.ended_at)
                } else {
                    (RunStatus::Interrupted, run.ended_at.or(Some(now())))
                };
                let put = sqlx::query(PUT_RUN).bind(clean(&run.id).into_owned()).bind(&*id);
                let put = put.bind(clean(&run.started_by).into_owned()).bind(status.word());
                let put = put.bind(run.seq).bind(run.total).bind(run.next);
                let put = put.bind(run.next_kind.word());
                let put = put.bind(run.error.as_deref().map(|text| clean(text).into_owned()));
                let put = put.bind(run.created_at).bind(run.started_at).bind(ended);
                put.execute(&mut *tx).await?;
                for step in steps {
                    let new_id = |file: Option<i64>| file.and_then(|id| ids.get(&id).copied());
                    let text = |text: &Option<String>| {
                        text.as_deref().map(|text| clean(text).into_owned())
                    };
                    let status = match step.status {
                        StepStatus::Pending | StepStatus::Running => StepStatus::Skipped,
                        status => status,
                    };
                    let put = sqlx::query(CREATE_STEP).bind(step.id);
                    let put = put.bind(clean(&run.id).into_owned()).bind(step.position);
                    let put = put.bind(clean(&step.operation).into_owned()).bind(step.kind.word());
                    let put =
                        put.bind(clean(&step.arguments).into_owned()).bind(new_id(step.input));
                    put.execute(&mut *tx).await?;
                    let end = sqlx::query(END_STEP).bind(step.id).bind(status.word());
                    let end = end.bind(step.progress).bind(new_id(step.output));
                    let end = end.bind(text(&step.result)).bind(text(&step.error));
                    let end = end.bind(text(&step.worker)).bind(step.started_at);
                    end.bind(step.completed_at).execute(&mut *tx).await?;
                }
            }
        });
        Ok(())
    }
}

impl From<Error> for RestoreRollback {
    fn from(err: Error) -> Self {
        Self::Store(err)
    }
}

impl From<sqlx::Error> for RestoreRollback {
    fn from(err: sqlx::Error) -> Self {
        match err {
            sqlx::Error::Database(err) if err.is_unique_violation() => Self::Exists,
            err => Self::Store(err.into()),
        }
    }
}
