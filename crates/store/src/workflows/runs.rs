//! Runs as anybody may see them, begin them, give them up and try them again.
use uuid::Uuid;

use super::{
    chats::TOUCH,
    keys::{KNOWN, REMEMBER},
    model::{CancelRun, NewRun, NewStep, Run, RunError, RunKey, Step},
    words::{ChatStatus, RunStatus, StepKind, StepStatus},
};
use crate::{
    Error, Page, Store,
    db::{reading, writing},
    pages::fitting,
    store::{clean, now},
};

/// Runs that wait for a worker of the server. Those behind another run of their chat do not.
const WAITING: &str = "
    SELECT count(*) FROM runs AS r WHERE r.status = 'pending' AND NOT EXISTS (
        SELECT 1 FROM runs AS o WHERE o.chat_id = r.chat_id AND o.status = 'running')";

const WAITING_IN_CHAT: &str = "SELECT count(*) FROM runs WHERE status = 'pending' AND chat_id = $1";

/// Those of all chats of the owner of chat $1, also behind other runs; a chat of nobody has none.
const WAITING_OF_OWNER: &str = "
    SELECT count(*) FROM chats AS c JOIN runs AS r ON r.chat_id = c.id
    WHERE c.user_id = (SELECT user_id FROM chats WHERE id = $1) AND r.status = 'pending'";

const CREATE: &str = "
    INSERT INTO runs (id, chat_id, origin, status, total_steps, next_kind, created_at)
    VALUES ($1, $2, $3, 'pending', $4, $5, $6)";

pub(super) const CREATE_STEP: &str = "
    INSERT INTO run_steps (id, run_id, position, operation, kind, arguments, status, input_file)
    VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7)";

const GET: &str = "
    SELECT id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at
    FROM runs WHERE id = $1";

const LIST: &str = "
    SELECT id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at
    FROM runs WHERE chat_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3";

const MEASURED: &str = "
    SELECT total_steps, CAST(COALESCE(OCTET_LENGTH(error), 0) AS BIGINT) FROM runs
    WHERE chat_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3";

pub(super) const STEPS: &str = "
    SELECT id, position, operation, kind, arguments, status, progress, input_file, output_file,
        result, error, worker, started_at, completed_at
    FROM run_steps WHERE run_id = $1 ORDER BY position";

const MEASURED_OF_CHAT: &str = "
    SELECT s.id, CAST(OCTET_LENGTH(s.arguments) + COALESCE(OCTET_LENGTH(s.error), 0) AS BIGINT)
    FROM run_steps AS s JOIN runs AS r ON r.id = s.run_id
    WHERE r.chat_id = $1 ORDER BY r.created_at DESC, r.id DESC, s.position LIMIT $2";

const STEPS_OF_CHAT: &str = "
    SELECT s.id, s.position, s.operation, s.kind, s.arguments, s.status, s.progress, s.input_file,
        s.output_file, CAST(NULL AS TEXT), s.error, s.worker, s.started_at, s.completed_at
    FROM run_steps AS s JOIN runs AS r ON r.id = s.run_id
    WHERE r.chat_id = $1 ORDER BY r.created_at DESC, r.id DESC, s.position LIMIT $2";

const SKIP: &str = "
    UPDATE run_steps SET status = 'skipped' WHERE run_id = $1 AND status IN ('pending', 'running')";

/// What nobody works on is over at once; who works on something sees that it is to be.
const CANCEL: &str = "
    UPDATE runs SET
        cancel = TRUE,
        seq = seq + CASE WHEN status = 'pending' OR lease_until < $2 THEN 1 ELSE 0 END,
        ended_at = CASE WHEN status = 'pending' OR lease_until < $2 THEN $2 ELSE NULL END,
        status = CASE WHEN status = 'pending' OR lease_until < $2 THEN 'cancelled' ELSE status END
    WHERE id = $1 AND status IN ('pending', 'running')
    RETURNING id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at";

const RETRY: &str = "
    UPDATE runs SET status = 'pending', error = NULL, cancel = FALSE, attempts = 0, ended_at = NULL,
        lease_owner = NULL, lease_until = 0, seq = seq + 1
    WHERE id = $1 AND status IN ('failed', 'cancelled', 'interrupted')
    RETURNING id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at";

const RETRY_STEPS: &str = "
    UPDATE run_steps SET status = 'pending', progress = 0, error = NULL, claim = NULL,
        lease_until = 0, attempts = 0, started_at = NULL, completed_at = NULL
    WHERE run_id = $1 AND status <> 'completed'";

pub(super) type RunRow = (
    String,
    String,
    String,
    String,
    i64,
    i64,
    i64,
    String,
    Option<String>,
    i64,
    i64,
    Option<i64>,
    Option<i64>,
);

pub(super) type StepRow = (
    Uuid,
    i64,
    String,
    String,
    String,
    String,
    i64,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
);

/// Why the transaction was given up.
enum Stop {
    /// The run of the key is there.
    Known(String),
    Refused(RunError),
}

impl From<RunError> for Stop {
    fn from(why: RunError) -> Self {
        Self::Refused(why)
    }
}

impl From<Error> for Stop {
    fn from(why: Error) -> Self {
        Self::Refused(why.into())
    }
}

impl From<sqlx::Error> for Stop {
    fn from(why: sqlx::Error) -> Self {
        Error::from(why).into()
    }
}

impl Store {
    /// Begin a run, which waits until somebody does it. With a key that is known it is the run that
    /// there is, under its own id.
    pub async fn create_run(&self, new: NewRun<'_>) -> Result<Run, RunError> {
        let run = match self.create(&new).await {
            Ok(()) => self.run(new.id).await?,
            Err(Stop::Known(id)) => self.run(&id).await?,
            Err(Stop::Refused(why)) => return Err(why),
        };
        run.ok_or(RunError::NoChat)
    }

    async fn create(&self, new: &NewRun<'_>) -> Result<(), Stop> {
        let NewRun { id, chat, origin, steps, input, max_waiting, share, key } = *new;
        let (chat, now, key) = (clean(chat), now(), key.map(RunKey::clean));
        let since = now.saturating_sub(self.keep_keys());
        let first = steps.first().map_or(StepKind::Internal, |it| it.kind);
        let total = i64::try_from(steps.len()).unwrap_or(i64::MAX);
        writing!(self, |tx| {
            let processing = ChatStatus::Processing.word();
            let touch = sqlx::query(TOUCH).bind(&*chat).bind(now).bind(processing);
            if touch.fetch_optional(&mut *tx).await?.is_none() {
                return Err(RunError::NoChat.into());
            }
            if let Some(key) = &key {
                let known = sqlx::query_as(KNOWN).bind(&*chat).bind(&*key.user).bind(&*key.key);
                let known = known.bind(since);
                if let Some(run) = key.same(known.fetch_optional(&mut *tx).await?)? {
                    return Err(Stop::Known(run));
                }
            }
            let waiting: i64 = sqlx::query_scalar(WAITING).fetch_one(&mut *tx).await?;
            let behind = sqlx::query_scalar(WAITING_IN_CHAT).bind(&*chat);
            let behind: i64 = behind.fetch_one(&mut *tx).await?;
            if waiting.max(behind) >= max_waiting {
                return Err(RunError::Full.into());
            }
            let own: i64 =
                sqlx::query_scalar(WAITING_OF_OWNER).bind(&*chat).fetch_one(&mut *tx).await?;
            if own >= share {
                return Err(RunError::Share.into());
            }
            let create = sqlx::query(CREATE).bind(id).bind(&*chat).bind(origin).bind(total);
            create.bind(first.word()).bind(now).execute(&mut *tx).await?;
            for (position, NewStep { operation, kind, arguments }) in (0_i64..).zip(steps) {
                let step = sqlx::query(CREATE_STEP).bind(Uuid::now_v7()).bind(id).bind(position);
                let step = step.bind(clean(operation).into_owned()).bind(kind.word());
                let step = step.bind(clean(arguments).into_owned());
                step.bind(input.filter(|_| position == 0)).execute(&mut *tx).await?;
            }
            if let Some(key) = &key {
                let remember = sqlx::query(REMEMBER).bind(&*chat).bind(&*key.user);
                let remember = remember.bind(&*key.key).bind(key.request).bind(id).bind(now);
                remember.execute(&mut *tx).await?;
            }
        });
        Ok(())
    }

    pub async fn run(&self, id: &str) -> Result<Option<Run>, Error> {
        let id = clean(id);
        let row: Option<RunRow> = reading!(self, |connection| {
            sqlx::query_as(GET).bind(&*id).fetch_optional(connection).await?
        });
        Ok(row.map(Run::from))
    }

    /// A run and its steps as they were at one moment.
    pub async fn run_with_steps(&self, id: &str) -> Result<Option<(Run, Vec<Step>)>, Error> {
        loop {
            let Some(run) = self.run(id).await? else { return Ok(None) };
            let steps = self.steps(id).await?;
            if self.run(id).await?.is_none_or(|it| it.seq == run.seq) {
                return Ok(Some((run, steps)));
            }
        }
    }

    /// Those of a chat, the newest first; at most [`Page::BYTES`] of them.
    pub async fn runs(&self, chat: &str, page: Page) -> Result<Vec<Run>, Error> {
        let (chat, (limit, offset)) = (clean(chat), page.bounds());
        let measured: Vec<(i64, i64)> = reading!(self, |connection| {
            let list = sqlx::query_as(MEASURED).bind(&*chat).bind(limit).bind(offset);
            list.fetch_all(connection).await?
        });
        let limit = i64::try_from(fitting(measured, Page::BYTES).len()).unwrap_or(i64::MAX);
        let rows: Vec<RunRow> = reading!(self, |connection| {
            let list = sqlx::query_as(LIST).bind(&*chat).bind(limit).bind(offset);
            list.fetch_all(connection).await?
        });
        Ok(rows.into_iter().map(Run::from).collect())
    }

    /// In their order.
    pub async fn steps(&self, run: &str) -> Result<Vec<Step>, Error> {
        let run = clean(run);
        let rows: Vec<StepRow> = reading!(self, |connection| {
            sqlx::query_as(STEPS).bind(&*run).fetch_all(connection).await?
        });
        Ok(rows.into_iter().map(Step::from).collect())
    }

    /// The steps of the newest runs of a chat, about `limit` of them and at most [`Page::BYTES`],
    /// the oldest run first, without their results.
    pub async fn steps_of_chat(&self, chat: &str, limit: u32) -> Result<Vec<Step>, Error> {
        let (chat, (limit, _)) = (clean(chat), Page { limit, offset: 0 }.bounds());
        let measured: Vec<(Uuid, i64)> = reading!(self, |connection| {
            sqlx::query_as(MEASURED_OF_CHAT).bind(&*chat).bind(limit).fetch_all(connection).await?
        });
        let limit = i64::try_from(fitting(measured, Page::BYTES).len()).unwrap_or(i64::MAX);
        let rows: Vec<StepRow> = reading!(self, |connection| {
            sqlx::query_as(STEPS_OF_CHAT).bind(&*chat).bind(limit).fetch_all(connection).await?
        });
        let mut runs: Vec<Vec<Step>> = Vec::new();
        for step in rows.into_iter().map(Step::from) {
            match runs.last_mut() {
                Some(run) if step.position > 0 => run.push(step),
                _ => runs.push(vec![step]),
            }
        }
        Ok(runs.into_iter().rev().flatten().collect())
    }

    /// `None` if there is no such run.
    pub async fn cancel_run(&self, id: &str) -> Result<Option<CancelRun>, Error> {
        let (id, now) = (clean(id), now());
        let cancelled: Option<Run> = writing!(self, |tx| {
            let cancel = sqlx::query_as(CANCEL).bind(&*id).bind(now);
            let row: Option<RunRow> = cancel.fetch_optional(&mut *tx).await?;
            let run = row.map(Run::from);
            if let Some(run) = run.as_ref().filter(|it| it.status.is_over()) {
                sqlx::query(SKIP).bind(&*id).execute(&mut *tx).await?;
                let touch = sqlx::query(TOUCH).bind(&run.chat_id).bind(now);
                touch.bind(ChatStatus::Active.word()).execute(&mut *tx).await?;
            }
            run
        });
        Ok(match cancelled {
            Some(run) if run.status.is_over() => Some(CancelRun::Ended(run)),
            Some(run) => Some(CancelRun::Asked(run)),
            None => self.run(&id).await?.map(CancelRun::Over),
        })
    }

    /// Let a run that failed, was cancelled or was interrupted go on at its first unfinished step.
    /// `None` if it is none of these. At most `max_waiting` runs may wait, and `share` of one
    /// owner. With a key that is known it is the run as it stands.
    pub async fn retry_run(
        &self,
        run: &Run,
        max_waiting: i64,
        share: i64,
        key: Option<RunKey<'_>>,
    ) -> Result<Option<Run>, RunError> {
        match self.retry(run, max_waiting, share, key).await {
            Ok(run) => Ok(run),
            Err(Stop::Known(id)) => Ok(self.run(&id).await?),
            Err(Stop::Refused(why)) => Err(why),
        }
    }

    async fn retry(
        &self,
        run: &Run,
        max_waiting: i64,
        share: i64,
        key: Option<RunKey<'_>>,
    ) -> Result<Option<Run>, Stop> {
        let (id, chat, now) = (clean(&run.id), clean(&run.chat_id), now());
        let (key, since) = (key.map(RunKey::clean), now.saturating_sub(self.keep_keys()));
        Ok(writing!(self, |tx| {
            if let Some(key) = &key {
                // Nobody else looks the key up meanwhile.
                let touch = sqlx::query(TOUCH).bind(&*chat).bind(now).bind(None::<&str>);
                touch.execute(&mut *tx).await?;
                let known = sqlx::query_as(KNOWN).bind(&*chat).bind(&*key.user).bind(&*key.key);
                let known = known.bind(since);
                if let Some(run) = key.same(known.fetch_optional(&mut *tx).await?)? {
                    return Err(Stop::Known(run));
                }
            }
            let waiting: i64 = sqlx::query_scalar(WAITING).fetch_one(&mut *tx).await?;
            if waiting >= max_waiting {
                return Err(RunError::Full.into());
            }
            let own = sqlx::query_scalar(WAITING_OF_OWNER).bind(&*chat);
            let own: i64 = own.fetch_one(&mut *tx).await?;
            if own >= share {
                return Err(RunError::Share.into());
            }
            let retry = sqlx::query_as(RETRY).bind(&*id);
            let row: Option<RunRow> = retry.fetch_optional(&mut *tx).await?;
            let Some(run) = row.map(Run::from) else { return Ok(None) };
            if let Some(key) = &key {
                let remember = sqlx::query(REMEMBER).bind(&*chat).bind(&*key.user);
                let remember = remember.bind(&*key.key).bind(key.request).bind(&*id).bind(now);
                remember.execute(&mut *tx).await?;
            }
            sqlx::query(RETRY_STEPS).bind(&*id).execute(&mut *tx).await?;
            let touch = sqlx::query(TOUCH).bind(&run.chat_id).bind(now);
            touch.bind(ChatStatus::Processing.word()).execute(&mut *tx).await?;
            Some(run)
        }))
    }
}

impl From<RunRow> for Run {
    fn from(row: RunRow) -> Self {
        let (
            id,
            chat_id,
            origin,
            status,
            seq,
            total,
            next,
            next_kind,
            error,
            attempts,
            created_at,
            started_at,
            ended_at,
        ) = row;
        Self {
            id,
            chat_id,
            origin,
            status: RunStatus::parse(&status).unwrap_or(RunStatus::Interrupted),
            seq,
            total,
            next,
            next_kind: StepKind::parse(&next_kind).unwrap_or(StepKind::Internal),
            error,
            attempts,
            created_at,
            started_at,
            ended_at,
        }
    }
}

impl From<StepRow> for Step {
    fn from(row: StepRow) -> Self {
        let (
            id,
            position,
            operation,
            kind,
            arguments,
            status,
            progress,
            input,
            output,
            result,
            error,
            worker,
            started_at,
            completed_at,
        ) = row;
        Self {
            id,
            position,
            operation,
            kind: StepKind::parse(&kind).unwrap_or(StepKind::Internal),
            arguments,
            status: StepStatus::parse(&status).unwrap_or(StepStatus::Failed),
            progress,
            input,
            output,
            result,
            error,
            worker,
            started_at,
            completed_at,
        }
    }
}
