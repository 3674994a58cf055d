//! Runs under a lease: one worker at a time executes a run, and another one continues it if the
//! lease expires.
use std::time::Duration;

use uuid::Uuid;

use super::{
    chats::TOUCH_CHAT,
    files::{ADD, NAMES, new_name},
    model::{Claimed, FileError, NewChatFile, Run, RunScope, Start, Step},
    words::{ChatStatus, RunStatus},
};
use crate::{
    Error, Store,
    db::{reading, writing},
    store::{clean, now},
};

/// Claims one run of a chat at a time, the oldest first. Also claims a run whose lease has expired, or
/// ends later than any lease can.
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

/// Includes owners of runs in progress, whose lease may have expired. The longest wait comes first.
const LIST_OWNERS: &str = "
    SELECT c.user_id FROM runs AS r JOIN chats AS c ON c.id = r.chat_id
    WHERE (r.status = 'pending' AND NOT EXISTS (
            SELECT 1 FROM runs AS o WHERE o.chat_id = r.chat_id AND o.status = 'running'))
        OR (r.status = 'running' AND r.next_kind = 'internal')
    GROUP BY c.user_id ORDER BY MIN(r.created_at), MIN(r.id) LIMIT $1";

const RENEW_LEASE: &str = "
    UPDATE runs SET lease_until = $3 WHERE id = $1 AND lease_owner = $2 AND status = 'running'
    RETURNING cancel";

const SET_PROGRESS: &str = "
    UPDATE run_steps SET progress = $3 WHERE run_id = $1 AND position = $2 AND status = 'running'";

const BEGIN_STEP: &str = "
    UPDATE run_steps SET status = 'running', progress = 0, started_at = COALESCE(started_at, $4)
    WHERE run_id = $1 AND position = $2 AND EXISTS (
        SELECT 1 FROM runs WHERE id = $1 AND lease_owner = $3 AND status = 'running')";

/// Locks the run before its steps.
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

/// Passes the input on if the step made no file.
pub(super) const SET_NEXT_INPUT: &str = "
    UPDATE run_steps SET input_file = COALESCE(
        $3, (SELECT input_file FROM run_steps WHERE run_id = $1 AND position = $2))
    WHERE run_id = $1 AND position = $2 + 1";

const END_RUN: &str = "
    UPDATE runs SET status = $3, error = $4, seq = seq + 1, ended_at = $5, lease_owner = NULL,
        lease_until = 0
    WHERE id = $1 AND lease_owner = $2 AND status = 'running'
    RETURNING id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at";

pub(super) const FAIL_STEP: &str = "
    UPDATE run_steps SET status = 'failed', error = $3, completed_at = $4
    WHERE run_id = $1 AND position = $2 AND status <> 'completed'";

pub(super) const SKIP_STEPS: &str = "
    UPDATE run_steps SET status = 'skipped' WHERE run_id = $1 AND status IN ('pending', 'running')";

/// Does not count the attempt.
const RELEASE_RUN: &str = "
    UPDATE runs SET lease_until = 0,
        attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END
    WHERE id = $1 AND lease_owner = $2 AND status = 'running'";

const RELEASE_TO_EXTERNAL: &str = "
    UPDATE runs SET lease_owner = NULL, lease_until = 0, attempts = 0
    WHERE id = $1 AND lease_owner = $2 AND status = 'running' AND next_kind = 'external'
        AND NOT cancel";

impl Store {
    /// Lists the owners of chats with runs to execute, at most `limit` of them.
    pub async fn owners_of_runs(&self, limit: u32) -> Result<Vec<Option<String>>, Error> {
        Ok(reading!(self, |connection| {
            sqlx::query_scalar(LIST_OWNERS).bind(i64::from(limit)).fetch_all(connection).await?
        }))
    }

    /// Claims the next run for as long as `lease`, unless it is [renewed](Self::renew_run).
    pub async fn claim_run(
        &self,
        lease: Duration,
        scope: RunScope<'_>,
    ) -> Result<Option<Claimed>, Error> {
        let user = match scope {
            RunScope::Anyone => None,
            RunScope::Owner(owner) => owner.map(clean),
        };
        let (owner, now) = (Uuid::now_v7(), now());
        let claim = self.db().either(CLAIM_SQLITE, CLAIM_POSTGRES);
        let run: Option<Run> = writing!(self, |tx| {
            let claim = sqlx::query_as(claim).bind(owner).bind(lease_end(now, lease)).bind(now);
            let claim = claim.bind(scope == RunScope::Anyone).bind(user.as_deref());
            let claim = claim.bind(latest_lease_end(now, lease));
            match claim.fetch_optional(&mut *tx).await {
                Ok(run) => run,
                // Another node was faster with another run of the chat.
                Err(sqlx::Error::Database(err)) if err.is_unique_violation() => return Ok(None),
                Err(err) => return Err(err.into()),
            }
        });
        Ok(run.map(|run| {
            let start = match (run.next, run.attempts) {
                _ if run.started_at == Some(now) => Start::Fresh,
                (1.., 0) => Start::Returned,
                _ => Start::Resumed,
            };
            Claimed { run, lease: owner, start }
        }))
    }

    /// Extends the lease, and stores the progress of a step. Returns whether the run is to be
    /// cancelled; `None` if the lease is lost.
    pub async fn renew_run(
        &self,
        claimed: &Claimed,
        lease: Duration,
        progress: Option<(i64, u8)>,
    ) -> Result<Option<bool>, Error> {
        let id = &claimed.run.id;
        Ok(writing!(self, |tx| {
            let renew = sqlx::query_scalar(RENEW_LEASE).bind(id).bind(claimed.lease);
            let cancel: Option<bool> =
                renew.bind(lease_end(now(), lease)).fetch_optional(&mut *tx).await?;
            if let (Some(_), Some((position, percent))) = (cancel, progress) {
                let progress = sqlx::query(SET_PROGRESS).bind(id).bind(position);
                progress.bind(i64::from(percent)).execute(&mut *tx).await?;
            }
            cancel
        }))
    }

    /// Marks a step as running. False if the lease is lost.
    pub async fn begin_step(&self, claimed: &Claimed, position: i64) -> Result<bool, Error> {
        Ok(writing!(self, |tx| {
            let begin = sqlx::query(BEGIN_STEP).bind(&claimed.run.id).bind(position);
            let begin = begin.bind(claimed.lease).bind(now()).execute(&mut *tx).await?;
            begin.rows_affected() > 0
        }))
    }

    /// Stores the result of a step and its file, and advances to the next step. Returns the run as it
    /// is then and the id of the file; `None` if the lease is lost.
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
            sqlx::query(TOUCH_CHAT)
                .bind(chat)
                .bind(now)
                .bind(None::<&str>)
                .execute(&mut *tx)
                .await?;
            let advance = sqlx::query_as(ADVANCE).bind(id).bind(step.position).bind(claimed.lease);
            let run: Option<Run> = advance.fetch_optional(&mut *tx).await?;
            let Some(run) = run else { return Ok(None) };
            let mut output: Option<i64> = None;
            if let Some(NewChatFile { place, name, key, size }) = file {
                let names = sqlx::query_scalar(NAMES).bind(chat).fetch_all(&mut *tx).await?;
                let add = sqlx::query_scalar(ADD).bind(chat).bind(place.word());
                let add = add.bind(new_name(&clean(name), &names)?).bind(key).bind(size).bind(now);
                output = Some(add.fetch_one(&mut *tx).await?);
            }
            let finish = sqlx::query(FINISH_STEP).bind(id).bind(step.position).bind(&*result);
            finish.bind(output).bind(now).execute(&mut *tx).await?;
            let next = sqlx::query(SET_NEXT_INPUT).bind(id).bind(step.position).bind(output);
            next.execute(&mut *tx).await?;
            Some((run, output))
        }))
    }

    /// Ends the run, and stores the error of the step that `failed`. `None` if the lease is lost.
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
            let touch =
                sqlx::query(TOUCH_CHAT).bind(&claimed.run.chat_id).bind(now).bind(chat.word());
            touch.execute(&mut *tx).await?;
            let end = sqlx::query_as(END_RUN).bind(id).bind(claimed.lease).bind(status.word());
            let end = end.bind(error.as_deref()).bind(now);
            let run: Option<Run> = end.fetch_optional(&mut *tx).await?;
            // Rolls the change of the chat back.
            let Some(run) = run else { return Ok(None) };
            if let Some((position, error)) = failed {
                let fail = sqlx::query(FAIL_STEP).bind(id).bind(position);
                fail.bind(clean(error).into_owned()).bind(now).execute(&mut *tx).await?;
            }
            sqlx::query(SKIP_STEPS).bind(id).execute(&mut *tx).await?;
            Some(run)
        }))
    }

    /// Gives the lease up, so that another worker may claim the run at once. The attempt is not
    /// counted.
    pub async fn release_run(&self, claimed: &Claimed) -> Result<(), Error> {
        writing!(self, |tx| {
            let release = sqlx::query(RELEASE_RUN).bind(&claimed.run.id).bind(claimed.lease);
            release.execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Gives the lease up, so that an external worker may [claim](Self::claim_step) the next step.
    /// False if the lease is lost, or the run is to be cancelled.
    pub async fn release_to_external(&self, claimed: &Claimed) -> Result<bool, Error> {
        Ok(writing!(self, |tx| {
            let release = sqlx::query(RELEASE_TO_EXTERNAL).bind(&claimed.run.id);
            release.bind(claimed.lease).execute(&mut *tx).await?.rows_affected() > 0
        }))
    }
}

/// Computes the end of a lease that begins `now`.
pub(super) fn lease_end(now: i64, lease: Duration) -> i64 {
    now.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
}

/// Upper bound on the end of a valid lease. A later one was taken before the clock was set back, and
/// counts as expired. Clocks of other nodes may be ahead by as much as a lease.
pub(super) fn latest_lease_end(now: i64, lease: Duration) -> i64 {
    lease_end(now, lease.saturating_mul(2))
}
