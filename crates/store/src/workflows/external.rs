//! Steps that somebody else does: claimed, kept by signs of life, and given to another when these
//! cease.
use std::time::Duration;

use uuid::Uuid;

use super::{
    chats::TOUCH,
    files::{ADD, NAMES, fresh},
    lease::{FAIL_STEP, FEED, FINISH_STEP, SKIP, too_far, until},
    model::{Brought, Claim, FileError, NewChatFile, Run},
    runs::{RunRow, StepRow},
    words::ChatStatus,
};
use crate::{
    Error, Store,
    db::{reading, writing},
    store::{clean, now},
};

/// The oldest step that is free, of operation $1 or of any. It and its run are locked.
const FREE_SQLITE: &str = "
    SELECT r.id FROM run_steps AS s
    JOIN runs AS r ON r.id = s.run_id AND r.next_step = s.position
    WHERE r.status = 'running' AND r.next_kind = 'external' AND r.lease_owner IS NULL
        AND NOT r.cancel AND (s.lease_until < $2 OR s.lease_until > $4) AND s.attempts < $3
        AND ($1 IS NULL OR s.operation = $1)
    ORDER BY r.created_at, r.id LIMIT 1";
const FREE_POSTGRES: &str = "
    SELECT r.id FROM run_steps AS s
    JOIN runs AS r ON r.id = s.run_id AND r.next_step = s.position
    WHERE r.status = 'running' AND r.next_kind = 'external' AND r.lease_owner IS NULL
        AND NOT r.cancel AND (s.lease_until < $2 OR s.lease_until > $4) AND s.attempts < $3
        AND ($1 IS NULL OR s.operation = $1)
    ORDER BY r.created_at, r.id LIMIT 1 FOR UPDATE OF r, s SKIP LOCKED";

const CLAIM: &str = "
    UPDATE run_steps SET status = 'running', claim = $2, worker = $3, lease_until = $4,
        attempts = attempts + 1, progress = 0, started_at = COALESCE(started_at, $5)
    WHERE run_id = $1 AND position = (SELECT next_step FROM runs WHERE id = $1)
    RETURNING id, position, operation, kind, arguments, status, progress, input_file, output_file,
        result, error, worker, started_at, completed_at";

const CLAIMED: &str = "
    UPDATE runs SET seq = seq + 1 WHERE id = $1
    RETURNING id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at";

/// What was promised for longer stays so.
const RENEW: &str = "
    UPDATE run_steps SET
        lease_until = CASE WHEN lease_until > $3 THEN lease_until ELSE $3 END, progress = COALESCE($4, progress)
    WHERE id = $1 AND claim = $2 AND status = 'running' AND EXISTS (
        SELECT 1 FROM runs WHERE id = run_id AND status = 'running')
    RETURNING id, position, operation, kind, arguments, status, progress, input_file, output_file,
        result, error, worker, started_at, completed_at";

const RUN_OF: &str = "SELECT run_id FROM run_steps WHERE id = $1";

const RUN: &str = "
    SELECT id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at
    FROM runs WHERE id = $1";

/// Locks the run, if its present step is under the claim. To claim it next is not to begin it again.
const ADVANCE: &str = "
    UPDATE runs SET seq = seq + 1, next_step = next_step + 1, attempts = -1, lease_until = 0,
        next_kind = COALESCE(
            (SELECT n.kind FROM run_steps AS n
             WHERE n.run_id = runs.id AND n.position = next_step + 1), 'internal')
    WHERE id = $1 AND status = 'running' AND EXISTS (
        SELECT 1 FROM run_steps AS s WHERE s.run_id = runs.id AND s.position = next_step
            AND s.claim = $2 AND s.status = 'running')
    RETURNING id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at";

const FAIL: &str = "
    UPDATE runs SET status = 'failed', error = $3, seq = seq + 1, ended_at = $4
    WHERE id = $1 AND status = 'running' AND EXISTS (
        SELECT 1 FROM run_steps AS s WHERE s.run_id = runs.id AND s.position = next_step
            AND s.claim = $2 AND s.status = 'running')
    RETURNING id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at";

const BROUGHT: &str = "UPDATE run_steps SET brought = $3 WHERE run_id = $1 AND position = $2";

const FIND_BROUGHT: &str = "
    SELECT run_id, brought FROM run_steps
    WHERE id = $1 AND claim = $2 AND status IN ('completed', 'failed')";

/// Nobody finished it, as often as it was claimed.
const GIVEN_UP: &str = "
    SELECT s.claim, r.id FROM run_steps AS s
    JOIN runs AS r ON r.id = s.run_id AND r.next_step = s.position
    WHERE r.status = 'running' AND r.next_kind = 'external' AND s.status = 'running'
        AND (s.lease_until < $1 OR s.lease_until > $3) AND s.attempts >= $2
    LIMIT 1";

impl Store {
    /// How long a claim may hold without a sign of life.
    pub const LONGEST_CLAIM: Duration = Duration::from_hours(1);

    /// The oldest external step that nobody does, of one operation or of any, for as long as `lease`
    /// unless it is [renewed](Self::renew_step). What was claimed `attempts` times is nobody's any
    /// more.
    pub async fn claim_step(
        &self,
        operation: Option<&str>,
        worker: &str,
        lease: Duration,
        attempts: i64,
    ) -> Result<Option<Claim>, Error> {
        let (operation, worker) = (operation.map(clean), clean(worker));
        let (claim, now) = (Uuid::now_v7(), now());
        let until = until(now, lease);
        let free = self.db().either(FREE_SQLITE, FREE_POSTGRES);
        Ok(writing!(self, |tx| {
            let free = sqlx::query_scalar(free).bind(operation.as_deref()).bind(now).bind(attempts);
            let free = free.bind(too_far(now, Self::LONGEST_CLAIM));
            let run: Option<String> = free.fetch_optional(&mut *tx).await?;
            let Some(run) = run else { return Ok(None) };
            let claimed: RunRow = sqlx::query_as(CLAIMED).bind(&run).fetch_one(&mut *tx).await?;
            let step = sqlx::query_as(CLAIM).bind(&run).bind(claim).bind(&*worker);
            let step: StepRow = step.bind(until).bind(now).fetch_one(&mut *tx).await?;
            Some(Claim { claim, run: claimed.into(), step: step.into(), until })
        }))
    }

    /// A sign of life, and how far it is. `None` if the claim does not hold any more.
    pub async fn renew_step(
        &self,
        step: Uuid,
        claim: Uuid,
        lease: Duration,
        progress: Option<u8>,
    ) -> Result<Option<Claim>, Error> {
        let until = until(now(), lease);
        Ok(writing!(self, |tx| {
            let renew = sqlx::query_as(RENEW).bind(step).bind(claim).bind(until);
            let row: Option<StepRow> =
                renew.bind(progress.map(i64::from)).fetch_optional(&mut *tx).await?;
            let Some(row) = row else { return Ok(None) };
            let run: String = sqlx::query_scalar(RUN_OF).bind(step).fetch_one(&mut *tx).await?;
            let run: RunRow = sqlx::query_as(RUN).bind(run).fetch_one(&mut *tx).await?;
            Some(Claim { claim, run: run.into(), step: row.into(), until })
        }))
    }

    /// As [`finish_step`](Self::finish_step), under a claim. By the `digest` of what the worker
    /// brought, it is known again: see [`brought`](Self::brought).
    pub async fn finish_claimed(
        &self,
        held: &Claim,
        (result, digest): (&str, &str),
        file: Option<NewChatFile<'_>>,
    ) -> Result<Option<(Run, Option<i64>)>, FileError> {
        let Claim { claim, run, step, .. } = held;
        let (result, now) = (clean(result), now());
        Ok(writing!(self, |tx| {
            let touch = sqlx::query(TOUCH).bind(&run.chat_id).bind(now).bind(None::<&str>);
            touch.execute(&mut *tx).await?;
            let advance = sqlx::query_as(ADVANCE).bind(&run.id).bind(claim);
            let row: Option<RunRow> = advance.fetch_optional(&mut *tx).await?;
            let Some(advanced) = row.map(Run::from) else { return Ok(None) };
            let mut output: Option<i64> = None;
            if let Some(NewChatFile { place, name, key, size }) = file {
                let names = sqlx::query_scalar(NAMES).bind(&run.chat_id);
                let name = fresh(&clean(name), &names.fetch_all(&mut *tx).await?)?;
                let add = sqlx::query_scalar(ADD).bind(&run.chat_id).bind(place.word()).bind(name);
                output = Some(add.bind(key).bind(size).bind(now).fetch_one(&mut *tx).await?);
            }
            let finish = sqlx::query(FINISH_STEP).bind(&run.id).bind(step.position);
            finish.bind(&*result).bind(output).bind(now).execute(&mut *tx).await?;
            let known = sqlx::query(BROUGHT).bind(&run.id).bind(step.position).bind(digest);
            known.execute(&mut *tx).await?;
            let feed = sqlx::query(FEED).bind(&run.id).bind(step.position).bind(output);
            feed.execute(&mut *tx).await?;
            Some((advanced, output))
        }))
    }

    /// The step that was ended under `claim`, finished or failed. `None` if none was.
    pub async fn brought(&self, step: Uuid, claim: Uuid) -> Result<Option<Brought>, Error> {
        let found: Option<(String, Option<String>)> = reading!(self, |connection| {
            let found = sqlx::query_as(FIND_BROUGHT).bind(step).bind(claim);
            found.fetch_optional(connection).await?
        });
        let Some((run, digest)) = found else { return Ok(None) };
        let Some((run, steps)) = self.run_with_steps(&run).await? else { return Ok(None) };
        let step = steps.into_iter().find(|it| it.id == step);
        Ok(step.map(|step| Brought { run, step, digest }))
    }

    /// The step failed, and with it the run. `None` if the claim does not hold any more.
    pub async fn fail_claimed(
        &self,
        run: &str,
        claim: Uuid,
        error: &str,
        of_step: &str,
    ) -> Result<Option<Run>, Error> {
        let (error, of_step, now) = (clean(error), clean(of_step), now());
        Ok(writing!(self, |tx| {
            let fail = sqlx::query_as(FAIL).bind(run).bind(claim).bind(&*error).bind(now);
            let row: Option<RunRow> = fail.fetch_optional(&mut *tx).await?;
            let Some(run) = row.map(Run::from) else { return Ok(None) };
            let step = sqlx::query(FAIL_STEP).bind(&run.id).bind(run.next).bind(&*of_step);
            step.bind(now).execute(&mut *tx).await?;
            sqlx::query(SKIP).bind(&run.id).execute(&mut *tx).await?;
            let touch = sqlx::query(TOUCH).bind(&run.chat_id).bind(now);
            touch.bind(ChatStatus::Failed.word()).execute(&mut *tx).await?;
            Some(run)
        }))
    }

    /// The claim and the run of an external step that was claimed `attempts` times and not finished.
    pub async fn given_up(&self, attempts: i64) -> Result<Option<(Uuid, String)>, Error> {
        let now = now();
        Ok(reading!(self, |connection| {
            let given_up = sqlx::query_as(GIVEN_UP).bind(now).bind(attempts);
            given_up.bind(too_far(now, Self::LONGEST_CLAIM)).fetch_optional(connection).await?
        }))
    }
}
