//! Queue of runs: creates them and retries them, within the limits on waiting runs.
use uuid::Uuid;

use super::{
    chats::TOUCH_CHAT,
    keys::{FIND_KEY, PUT_KEY},
    model::{NewRun, NewStep, Run, RunError, RunKey},
    words::{ChatStatus, StepKind},
};
use crate::{
    Error, Store,
    db::writing,
    store::{clean, now},
};

/// Counts runs that wait for a worker, without runs behind another one of their chat.
const COUNT_WAITING: &str = "
    SELECT count(*) FROM runs AS r WHERE r.status = 'pending' AND NOT EXISTS (
        SELECT 1 FROM runs AS o WHERE o.chat_id = r.chat_id AND o.status = 'running')";

const COUNT_WAITING_IN_CHAT: &str =
    "SELECT count(*) FROM runs WHERE status = 'pending' AND chat_id = $1";

/// Counts waiting runs in all chats of the owner of chat $1; none if it has no owner.
const COUNT_WAITING_OF_OWNER: &str = "
    SELECT count(*) FROM chats AS c JOIN runs AS r ON r.chat_id = c.id
    WHERE c.user_id = (SELECT user_id FROM chats WHERE id = $1) AND r.status = 'pending'";

const CREATE: &str = "
    INSERT INTO runs (id, chat_id, origin, status, total_steps, next_kind, created_at)
    VALUES ($1, $2, $3, 'pending', $4, $5, $6)";

pub(super) const CREATE_STEP: &str = "
    INSERT INTO run_steps (id, run_id, position, operation, kind, arguments, status, input_file)
    VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7)";

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

/// Reason to roll the transaction back.
enum QueueRollback {
    /// The key has a run already.
    Known(String),
    Refused(RunError),
}

impl From<RunError> for QueueRollback {
    fn from(err: RunError) -> Self {
        Self::Refused(err)
    }
}

impl From<Error> for QueueRollback {
    fn from(err: Error) -> Self {
        Self::Refused(err.into())
    }
}

impl From<sqlx::Error> for QueueRollback {
    fn from(err: sqlx::Error) -> Self {
        Error::from(err).into()
    }
}

impl Store {
    /// Creates a run, which waits for a worker. With a known key it returns the run that there is,
    /// under its own id.
    pub async fn create_run(&self, new: NewRun<'_>) -> Result<Run, RunError> {
        let run = match self.create(&new).await {
            Ok(()) => self.run(new.id).await?,
            Err(QueueRollback::Known(id)) => self.run(&id).await?,
            Err(QueueRollback::Refused(err)) => return Err(err),
        };
        run.ok_or(RunError::NoChat)
    }

    async fn create(&self, new: &NewRun<'_>) -> Result<(), QueueRollback> {
        let NewRun { id, chat, started_by, steps, input, max_waiting, share, key } = *new;
        let (chat, now, key) = (clean(chat), now(), key.map(RunKey::clean));
        let since = now.saturating_sub(self.keep_keys());
        let first = steps.first().map_or(StepKind::Internal, |step| step.kind);
        let total = i64::try_from(steps.len()).unwrap_or(i64::MAX);
        writing!(self, |tx| {
            let processing = ChatStatus::Processing.word();
            let touch = sqlx::query(TOUCH_CHAT).bind(&*chat).bind(now).bind(processing);
            if touch.fetch_optional(&mut *tx).await?.is_none() {
                return Err(RunError::NoChat.into());
            }
            if let Some(key) = &key {
                let known = sqlx::query_as(FIND_KEY).bind(&*chat).bind(&*key.user).bind(&*key.key);
                let known = known.bind(since);
                if let Some(run) = key.matching_run(known.fetch_optional(&mut *tx).await?)? {
                    return Err(QueueRollback::Known(run));
                }
            }
            let waiting: i64 = sqlx::query_scalar(COUNT_WAITING).fetch_one(&mut *tx).await?;
            let behind = sqlx::query_scalar(COUNT_WAITING_IN_CHAT).bind(&*chat);
            let behind: i64 = behind.fetch_one(&mut *tx).await?;
            if waiting.max(behind) >= max_waiting {
                return Err(RunError::Full.into());
            }
            let own: i64 =
                sqlx::query_scalar(COUNT_WAITING_OF_OWNER).bind(&*chat).fetch_one(&mut *tx).await?;
            if own >= share {
                return Err(RunError::Share.into());
            }
            let create = sqlx::query(CREATE).bind(id).bind(&*chat).bind(started_by).bind(total);
            create.bind(first.word()).bind(now).execute(&mut *tx).await?;
            for (position, NewStep { operation, kind, arguments }) in (0_i64..).zip(steps) {
                let step = sqlx::query(CREATE_STEP).bind(Uuid::now_v7()).bind(id).bind(position);
                let step = step.bind(clean(operation).into_owned()).bind(kind.word());
                let step = step.bind(clean(arguments).into_owned());
                step.bind(input.filter(|_| position == 0)).execute(&mut *tx).await?;
            }
            if let Some(key) = &key {
                let remember = sqlx::query(PUT_KEY).bind(&*chat).bind(&*key.user);
                let remember = remember.bind(&*key.key).bind(key.request).bind(id).bind(now);
                remember.execute(&mut *tx).await?;
            }
        });
        Ok(())
    }

    /// Queues a failed, cancelled or interrupted run again, from its first unfinished step. `None` if
    /// it is none of these. At most `max_waiting` runs may wait, and `share` of one owner. With a
    /// known key it returns the run as it stands.
    pub async fn retry_run(
        &self,
        run: &Run,
        max_waiting: i64,
        share: i64,
        key: Option<RunKey<'_>>,
    ) -> Result<Option<Run>, RunError> {
        match self.retry(run, max_waiting, share, key).await {
            Ok(run) => Ok(run),
            Err(QueueRollback::Known(id)) => Ok(self.run(&id).await?),
            Err(QueueRollback::Refused(err)) => Err(err),
        }
    }

    async fn retry(
        &self,
        run: &Run,
        max_waiting: i64,
        share: i64,
        key: Option<RunKey<'_>>,
    ) -> Result<Option<Run>, QueueRollback> {
        let (id, chat, now) = (clean(&run.id), clean(&run.chat_id), now());
        let (key, since) = (key.map(RunKey::clean), now.saturating_sub(self.keep_keys()));
        Ok(writing!(self, |tx| {
            if let Some(key) = &key {
                // Keeps others from looking the key up meanwhile.
                let touch = sqlx::query(TOUCH_CHAT).bind(&*chat).bind(now).bind(None::<&str>);
                touch.execute(&mut *tx).await?;
                let known = sqlx::query_as(FIND_KEY).bind(&*chat).bind(&*key.user).bind(&*key.key);
                let known = known.bind(since);
                if let Some(run) = key.matching_run(known.fetch_optional(&mut *tx).await?)? {
                    return Err(QueueRollback::Known(run));
                }
            }
            let waiting: i64 = sqlx::query_scalar(COUNT_WAITING).fetch_one(&mut *tx).await?;
            if waiting >= max_waiting {
                return Err(RunError::Full.into());
            }
            let own = sqlx::query_scalar(COUNT_WAITING_OF_OWNER).bind(&*chat);
            let own: i64 = own.fetch_one(&mut *tx).await?;
            if own >= share {
                return Err(RunError::Share.into());
            }
            let retry = sqlx::query_as(RETRY).bind(&*id);
            let run: Option<Run> = retry.fetch_optional(&mut *tx).await?;
            let Some(run) = run else { return Ok(None) };
            if let Some(key) = &key {
                let remember = sqlx::query(PUT_KEY).bind(&*chat).bind(&*key.user);
                let remember = remember.bind(&*key.key).bind(key.request).bind(&*id).bind(now);
                remember.execute(&mut *tx).await?;
            }
            sqlx::query(RETRY_STEPS).bind(&*id).execute(&mut *tx).await?;
            let touch = sqlx::query(TOUCH_CHAT).bind(&run.chat_id).bind(now);
            touch.bind(ChatStatus::Processing.word()).execute(&mut *tx).await?;
            Some(run)
        }))
    }
}
