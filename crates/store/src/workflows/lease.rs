//! Runs as a worker does them: under a lease, so that nobody else does the same and somebody goes on
//! if the worker is gone.
use std::time::Duration;

use uuid::Uuid;

use super::{
    chats::TOUCH,
    files::{ADD, NAMES, fresh},
    model::{Claimed, FileError, NewChatFile, Run, RunsOf, Start, Step},
    runs::RunRow,
    words::{ChatStatus, RunStatus},
};
use crate::{
    Error, Store,
    db::{reading, writing},
    store::{clean, now},
};

/// One run of a chat at a time, the oldest first. What another worker left is gone on with, also if
/// its lease ends later than any can.
const CLAIM_SQLITE: &str = "
    UPDATE runs SET status = 'running', lease_owner = $1, lease_until = $2, attempts = attempts + 1,
        seq = seq + 1, started_at = COALESCE(started_at, $3)
    WHERE id = (
        SELECT r.id FROM runs AS r
        WHERE ((r.status = 'pending' AND NOT EXISTS (
                SELECT 1 FROM runs AS o WHERE o.chat_id = r.chat_id AND o.status = 'running'))
            OR (r.status = 'running' AND r.next_kind = 'internal'
                AND (r.lease_until < $3 OR r.lease_until > $6)))
            AND ($4 OR EXISTS (
                SELECT 1 FROM chats AS c
                WHERE c.id = r.chat_id AND c.user_id IS NOT DISTINCT FROM $5))
        ORDER BY r.created_at, r.id LIMIT 1)
    RETURNING id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at";
const CLAIM_POSTGRES: &str = "
    UPDATE runs SET status = 'running', lease_owner = $1, lease_until = $2, attempts = attempts + 1,
        seq = seq + 1, started_at = COALESCE(started_at, $3)
    WHERE id = (
        SELECT r.id FROM runs AS r
        WHERE ((r.status = 'pending' AND NOT EXISTS (
                SELECT 1 FROM runs AS o WHERE o.chat_id = r.chat_id AND o.status = 'running'))
            OR (r.status = 'running' AND r.next_kind = 'internal'
                AND (r.lease_until < $3 OR r.lease_until > $6)))
            AND ($4 OR EXISTS (
                SELECT 1 FROM chats AS c
                WHERE c.id = r.chat_id AND c.user_id IS NOT DISTINCT FROM $5))
        ORDER BY r.created_at, r.id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at";

/// Also those whose runs are being done: one of them may have been left. The one that has waited
/// longest is first.
const OWNERS: &str = "
    SELECT c.user_id FROM runs AS r JOIN chats AS c ON c.id = r.chat_id
    WHERE (r.status = 'pending' AND NOT EXISTS (
            SELECT 1 FROM runs AS o WHERE o.chat_id = r.chat_id AND o.status = 'running'))
        OR (r.status = 'running' AND r.next_kind = 'internal')
    GROUP BY c.user_id ORDER BY MIN(r.created_at), MIN(r.id) LIMIT $1";

const RENEW: &str = "
    UPDATE runs SET lease_until = $3 WHERE id = $1 AND lease_owner = $2 AND status = 'running'
    RETURNING cancel";

const PROGRESS: &str = "
    UPDATE run_steps SET progress = $3 WHERE run_id = $1 AND position = $2 AND status = 'running'";

const BEGIN_STEP: &str = "
    UPDATE run_steps SET status = 'running', progress = 0, started_at = COALESCE(started_at, $4)
    WHERE run_id = $1 AND position = $2 AND EXISTS (
        SELECT 1 FROM runs WHERE id = $1 AND lease_owner = $3 AND status = 'running')";

/// The run is locked before its steps.
const ADVANCE: &str = "
    UPDATE runs SET seq = seq + 1, next_step = $2 + 1, attempts = 0, next_kind = COALESCE(
        (SELECT kind FROM run_steps WHERE run_id = $1 AND position = $2 + 1), 'internal')
    WHERE id = $1 AND lease_owner = $3 AND status = 'running' AND next_step = $2
    RETURNING id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at";

pub(super) const FINISH_STEP: &str = "
    UPDATE run_steps SET status = 'completed', progress = 100, result = $3, output_file = $4,
        completed_at = $5, error = NULL
    WHERE run_id = $1 AND position = $2";

/// A step that makes no file leaves the next one what it had itself.
pub(super) const FEED: &str = "
    UPDATE run_steps SET input_file = COALESCE(
        $3, (SELECT input_file FROM run_steps WHERE run_id = $1 AND position = $2))
    WHERE run_id = $1 AND position = $2 + 1";

const END: &str = "
    UPDATE runs SET status = $3, error = $4, seq = seq + 1, ended_at = $5, lease_owner = NULL,
        lease_until = 0
    WHERE id = $1 AND lease_owner = $2 AND status = 'running'
    RETURNING id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at";

pub(super) const FAIL_STEP: &str = "
    UPDATE run_steps SET status = 'failed', error = $3, completed_at = $4
    WHERE run_id = $1 AND position = $2 AND status <> 'completed'";

pub(super) const SKIP: &str = "
    UPDATE run_steps SET status = 'skipped' WHERE run_id = $1 AND status IN ('pending', 'running')";

/// What was given back was not tried.
const GIVE_BACK: &str = "
    UPDATE runs SET lease_until = 0,
        attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END
    WHERE id = $1 AND lease_owner = $2 AND status = 'running'";

const HAND_OUT: &str = "
    UPDATE runs SET lease_owner = NULL, lease_until = 0, attempts = 0
    WHERE id = $1 AND lease_owner = $2 AND status = 'running' AND next_kind = 'external'
        AND NOT cancel";

impl Store {
    /// The owners of chats with runs to do, at most `limit` of them.
    pub async fn owners_of_runs(&self, limit: u32) -> Result<Vec<Option<String>>, Error> {
        Ok(reading!(self, |connection| {
            sqlx::query_scalar(OWNERS).bind(i64::from(limit)).fetch_all(connection).await?
        }))
    }

    /// The next run that there is to do, for as long as `lease`, unless it is
    /// [renewed](Self::renew_run).
    pub async fn claim_run(
        &self,
        lease: Duration,
        of: RunsOf<'_>,
    ) -> Result<Option<Claimed>, Error> {
        let user = match of {
            RunsOf::Anyone => None,
            RunsOf::Owner(owner) => owner.map(clean),
        };
        let (owner, now) = (Uuid::now_v7(), now());
        let claim = self.db().either(CLAIM_SQLITE, CLAIM_POSTGRES);
        let row: Option<RunRow> = writing!(self, |tx| {
            let claim = sqlx::query_as(claim).bind(owner).bind(until(now, lease)).bind(now);
            let claim = claim.bind(of == RunsOf::Anyone).bind(user.as_deref());
            let claim = claim.bind(too_far(now, lease));
            match claim.fetch_optional(&mut *tx).await {
                Ok(row) => row,
                // Another node was faster with another run of the chat.
                Err(sqlx::Error::Database(why)) if why.is_unique_violation() => return Ok(None),
                Err(why) => return Err(why.into()),
            }
        });
        Ok(row.map(|row| {
            let run = Run::from(row);
            let start = match (run.next, run.attempts) {
                _ if run.started_at == Some(now) => Start::Fresh,
                (1.., 0) => Start::Back,
                _ => Start::Resumed,
            };
            Claimed { run, lease: owner, start }
        }))
    }

    /// Keep a run for as long as `lease` again, and say how far its step is. Whether it is to be
    /// cancelled; `None` if it is not ours any more.
    pub async fn renew_run(
        &self,
        claimed: &Claimed,
        lease: Duration,
        progress: Option<(i64, u8)>,
    ) -> Result<Option<bool>, Error> {
        let id = &claimed.run.id;
        Ok(writing!(self, |tx| {
            let renew = sqlx::query_scalar(RENEW).bind(id).bind(claimed.lease);
            let cancel: Option<bool> =
                renew.bind(until(now(), lease)).fetch_optional(&mut *tx).await?;
            if let (Some(_), Some((position, percent))) = (cancel, progress) {
                let progress = sqlx::query(PROGRESS).bind(id).bind(position);
                progress.bind(i64::from(percent)).execute(&mut *tx).await?;
            }
            cancel
        }))
    }

    /// False if the run is not ours any more.
    pub async fn begin_step(&self, claimed: &Claimed, position: i64) -> Result<bool, Error> {
        Ok(writing!(self, |tx| {
            let begin = sqlx::query(BEGIN_STEP).bind(&claimed.run.id).bind(position);
            let begin = begin.bind(claimed.lease).bind(now()).execute(&mut *tx).await?;
            begin.rows_affected() > 0
        }))
    }

    /// Store what a step made, with its file, and go on to the next. Gives the run as it is then and
    /// the name of the file; `None` if the run is not ours any more.
    pub async fn finish_step(
        &self,
        claimed: &Claimed,
        step: &Step,
        result: &str,
        file: Option<NewChatFile<'_>>,
    ) -> Result<Option<(Run, Option<i64>)>, FileError> {
        let (id, result, now) = (&claimed.run.id, clean(result), now());
        let chat = &claimed.run.chat_id;
        Ok(writing!(self, |tx| {
            sqlx::query(TOUCH).bind(chat).bind(now).bind(None::<&str>).execute(&mut *tx).await?;
            let advance = sqlx::query_as(ADVANCE).bind(id).bind(step.position).bind(claimed.lease);
            let row: Option<RunRow> = advance.fetch_optional(&mut *tx).await?;
            let Some(run) = row.map(Run::from) else { return Ok(None) };
            let mut output: Option<i64> = None;
            if let Some(NewChatFile { place, name, key, size }) = file {
                let names = sqlx::query_scalar(NAMES).bind(chat).fetch_all(&mut *tx).await?;
                let add = sqlx::query_scalar(ADD).bind(chat).bind(place.word());
                let add = add.bind(fresh(&clean(name), &names)?).bind(key).bind(size).bind(now);
                output = Some(add.fetch_one(&mut *tx).await?);
            }
            let finish = sqlx::query(FINISH_STEP).bind(id).bind(step.position).bind(&*result);
            finish.bind(output).bind(now).execute(&mut *tx).await?;
            let feed = sqlx::query(FEED).bind(id).bind(step.position).bind(output);
            feed.execute(&mut *tx).await?;
            Some((run, output))
        }))
    }

    /// The run is over. What its present step failed with is kept with that step, too. `None` if it
    /// is not ours any more.
    pub async fn end_run(
        &self,
        claimed: &Claimed,
        status: RunStatus,
        error: Option<&str>,
        failed: Option<(i64, &str)>,
    ) -> Result<Option<Run>, Error> {
        let (id, error, now) = (&claimed.run.id, error.map(clean), now());
        let chat = match status {
            RunStatus::Completed => ChatStatus::Completed,
            RunStatus::Cancelled => ChatStatus::Active,
            _ => ChatStatus::Failed,
        };
        Ok(writing!(self, |tx| {
            let touch = sqlx::query(TOUCH).bind(&claimed.run.chat_id).bind(now).bind(chat.word());
            touch.execute(&mut *tx).await?;
            let end = sqlx::query_as(END).bind(id).bind(claimed.lease).bind(status.word());
            let end = end.bind(error.as_deref()).bind(now);
            let row: Option<RunRow> = end.fetch_optional(&mut *tx).await?;
            // Nor is the chat what it would have been.
            let Some(run) = row.map(Run::from) else { return Ok(None) };
            if let Some((position, why)) = failed {
                let fail = sqlx::query(FAIL_STEP).bind(id).bind(position);
                fail.bind(clean(why).into_owned()).bind(now).execute(&mut *tx).await?;
            }
            sqlx::query(SKIP).bind(id).execute(&mut *tx).await?;
            Some(run)
        }))
    }

    /// Let anybody go on with a run at once: it is as if it had not been begun.
    pub async fn give_back(&self, claimed: &Claimed) -> Result<(), Error> {
        writing!(self, |tx| {
            let back = sqlx::query(GIVE_BACK).bind(&claimed.run.id).bind(claimed.lease);
            back.execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// The next step is for somebody else, who may [claim](Self::claim_step) it now. False if the run
    /// is not ours any more, or is to be cancelled.
    pub async fn hand_out(&self, claimed: &Claimed) -> Result<bool, Error> {
        Ok(writing!(self, |tx| {
            let out = sqlx::query(HAND_OUT).bind(&claimed.run.id).bind(claimed.lease);
            out.execute(&mut *tx).await?.rows_affected() > 0
        }))
    }
}

/// When a lease from `now` on ends.
pub(super) fn until(now: i64, lease: Duration) -> i64 {
    now.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
}

/// A lease that ends after this was given before the clock was set back, and counts as over. Clocks of
/// other nodes may be ahead by as much as a lease.
pub(super) fn too_far(now: i64, lease: Duration) -> i64 {
    until(now, lease.saturating_mul(2))
}
