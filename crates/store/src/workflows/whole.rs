//! A chat with everything in it: taken out, and put in again elsewhere or later.
use std::collections::HashMap;

use super::{
    chats::{self, MessageRow},
    files::{self, FileRow, Names},
    model::{ChatFile, ChatMessage, Run, Step, WholeChat},
    runs::{CREATE_STEP, RunRow, STEPS, StepRow},
    words::{ChatStatus, RunStatus, StepStatus},
};
use crate::{
    Error, Store,
    db::{reading, writing},
    store::{clean, now},
    users,
};

/// About as much as describing them takes.
const SIZE: &str = "
    SELECT
        (SELECT COALESCE(SUM(OCTET_LENGTH(content) + OCTET_LENGTH(metadata) + 200), 0)
         FROM chat_messages WHERE chat_id = $1)
        + (SELECT COALESCE(SUM(OCTET_LENGTH(name) + 100), 0) FROM chat_files WHERE chat_id = $1)
        + (SELECT COALESCE(SUM(
            OCTET_LENGTH(s.arguments) + OCTET_LENGTH(COALESCE(s.result, ''))
            + OCTET_LENGTH(COALESCE(s.error, '')) + 500), 0)
           FROM run_steps AS s JOIN runs AS r ON r.id = s.run_id WHERE r.chat_id = $1)";

const SAID: &str = "
    SELECT message_id, message_type, content, metadata, created_at
    FROM chat_messages WHERE chat_id = $1 ORDER BY id";

const RUNS: &str = "
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

/// Why the transaction was given up.
enum Stop {
    /// Something of it is there already.
    Taken,
    Store(Error),
}

impl Store {
    /// About how many bytes a description of a chat has.
    pub async fn size_of_chat(&self, id: &str) -> Result<i64, Error> {
        let id = clean(id);
        Ok(reading!(self, |connection| {
            sqlx::query_scalar(SIZE).bind(&*id).fetch_one(connection).await?
        }))
    }

    /// All of it, however much it is; see [`size_of_chat`](Self::size_of_chat). What is done to it
    /// meanwhile may be in it or not; no step has a file that is not.
    pub async fn whole_chat(&self, id: &str) -> Result<Option<WholeChat>, Error> {
        let Some(chat) = self.chat(id).await? else { return Ok(None) };
        let id = clean(id);
        let (said, runs, files) = reading!(self, |connection| {
            let said: Vec<MessageRow> =
                sqlx::query_as(SAID).bind(&*id).fetch_all(&mut *connection).await?;
            let rows: Vec<RunRow> =
                sqlx::query_as(RUNS).bind(&*id).fetch_all(&mut *connection).await?;
            let mut runs = Vec::new();
            for run in rows.into_iter().map(Run::from) {
                let steps = sqlx::query_as(STEPS).bind(&run.id).fetch_all(&mut *connection);
                let steps: Vec<StepRow> = steps.await?;
                runs.push((run, steps.into_iter().map(Step::from).collect()));
            }
            let files: Vec<FileRow> =
                sqlx::query_as(files::LIST).bind(&*id).fetch_all(&mut *connection).await?;
            (said, runs, files)
        });
        let messages = said.into_iter().map(ChatMessage::from).collect();
        let files = files.into_iter().map(ChatFile::from).collect();
        Ok(Some(WholeChat { chat, messages, files, runs }))
    }

    /// All of it or nothing. False if there is a chat, a run, a step or a message with one of its
    /// ids. Files get new ids, and of two with one name, one gets a number. A run that was not over
    /// is interrupted.
    pub async fn restore_chat(&self, whole: &WholeChat) -> Result<bool, Error> {
        match self.restore(whole).await {
            Ok(()) => Ok(true),
            Err(Stop::Taken) => Ok(false),
            Err(Stop::Store(why)) => Err(why),
        }
    }

    async fn restore(
        &self,
        WholeChat { chat, messages, files, runs }: &WholeChat,
    ) -> Result<(), Stop> {
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
            let put = put.bind(chat.dialogue.as_deref().map(|it| clean(it).into_owned()));
            let put = put.bind(chat.created_at).bind(chat.updated_at);
            if put.execute(&mut *tx).await?.rows_affected() == 0 {
                return Err(Stop::Taken);
            }
            for message in messages {
                let say = sqlx::query(chats::SAY).bind(message.id).bind(&*id);
                let say = say.bind(message.kind.word()).bind(clean(&message.content).into_owned());
                let say = say.bind(clean(&message.metadata).into_owned()).bind(message.created_at);
                say.execute(&mut *tx).await?;
            }
            let (mut names, mut ids) = (Names::default(), HashMap::new());
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
                let put = put.bind(clean(&run.origin).into_owned()).bind(status.word());
                let put = put.bind(run.seq).bind(run.total).bind(run.next);
                let put = put.bind(run.next_kind.word());
                let put = put.bind(run.error.as_deref().map(|it| clean(it).into_owned()));
                let put = put.bind(run.created_at).bind(run.started_at).bind(ended);
                put.execute(&mut *tx).await?;
                for step in steps {
                    let of = |file: Option<i64>| file.and_then(|it| ids.get(&it).copied());
                    let text =
                        |text: &Option<String>| text.as_deref().map(|it| clean(it).into_owned());
                    let status = match step.status {
                        StepStatus::Pending | StepStatus::Running => StepStatus::Skipped,
                        status => status,
                    };
                    let put = sqlx::query(CREATE_STEP).bind(step.id);
                    let put = put.bind(clean(&run.id).into_owned()).bind(step.position);
                    let put = put.bind(clean(&step.operation).into_owned()).bind(step.kind.word());
                    let put = put.bind(clean(&step.arguments).into_owned()).bind(of(step.input));
                    put.execute(&mut *tx).await?;
                    let end = sqlx::query(END_STEP).bind(step.id).bind(status.word());
                    let end = end.bind(step.progress).bind(of(step.output));
                    let end = end.bind(text(&step.result)).bind(text(&step.error));
                    let end = end.bind(text(&step.worker)).bind(step.started_at);
                    end.bind(step.completed_at).execute(&mut *tx).await?;
                }
            }
        });
        Ok(())
    }
}

impl From<Error> for Stop {
    fn from(why: Error) -> Self {
        Self::Store(why)
    }
}

impl From<sqlx::Error> for Stop {
    fn from(why: sqlx::Error) -> Self {
        match why {
            sqlx::Error::Database(why) if why.is_unique_violation() => Self::Taken,
            why => Self::Store(why.into()),
        }
    }
}
