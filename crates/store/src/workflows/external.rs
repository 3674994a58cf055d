//! External steps: claimed by a worker, kept by renewals, and free for another worker when these
//! stop.
use std::time::Duration;

use uuid::Uuid;

use super::{
    chats::TOUCH_CHAT,
    files::{ADD, NAMES, new_name},
    lease::{FAIL_STEP, FINISH_STEP, SET_NEXT_INPUT, SKIP_STEPS, latest_lease_end, lease_end},
    model::{Claim, FileError, NewChatFile, Run, Step, SubmittedStep},
    words::ChatStatus,
};
use crate::{
    Error, Store,
    db::{reading, writing},
    store::{clean, now},
};

/// Finds the oldest free step, of operation $1 or of any, and locks it and its run.
const FIND_FREE_SQLITE: &str = "
    SELECT r.id FROM run_steps AS s
    JOIN runs AS r ON r.id = s.run_id AND r.next_step = s.position
    WHERE r.status = 'running' AND r.next_kind = 'external' AND r.lease_owner IS NULL
        AND NOT r.cancel AND (s.lease_until < $2 OR s.lease_until > $4) AND s.attempts < $3
        AND ($1 IS NULL OR s.operation = $1)
    ORDER BY r.created_at, r.id LIMIT 1";
const FIND_FREE_POSTGRES: &str = "
    SELECT r.id FROM run_steps AS s
    JOIN runs AS r ON r.id = s.run_id AND r.next_step = s.position
    WHERE r.status = 'running' AND r.next_kind = 'external' AND r.lease_owner IS NULL
        AND NOT r.cancel AND (s.lease_until < $2 OR s.lease_until > $4) AND s.attempts < $3
        AND ($1 IS NULL OR s.operation = $1)
    ORDER BY r.created_at, r.id LIMIT 1 FOR UPDATE OF r, s SKIP LOCKED";

const CLAIM_STEP: &str = "
    UPDATE run_steps SET status = 'running', claim = $2, worker = $3, lease_until = $4,
        attempts = attempts + 1, progress = 0, started_at = COALESCE(started_at, $5)
    WHERE run_id = $1 AND position = (SELECT next_step FROM runs WHERE id = $1)
    RETURNING id, position, operation, kind, arguments, status, progress, input_file, output_file,
        result, error, worker, started_at, completed_at";

const COUNT_CLAIM: &str = "
    UPDATE runs SET seq = seq + 1 WHERE id = $1
    RETURNING id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at";

/// Never shortens a lease.
const RENEW_CLAIM: &str = "
    UPDATE run_steps SET
        lease_until = CASE WHEN lease_until > $3 THEN lease_until ELSE $3 END, progress = COALESCE($4, progress)
    WHERE id = $1 AND claim = $2 AND status = 'running' AND EXISTS (
        SELECT 1 FROM runs WHERE id = run_id AND status = 'running')
    RETURNING id, position, operation, kind, arguments, status, progress, input_file, output_file,
        result, error, worker, started_at, completed_at";

const FIND_RUN: &str = "SELECT run_id FROM run_steps WHERE id = $1";

const GET_RUN: &str = "
    SELECT id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at
    FROM runs WHERE id = $1";

/// Locks the run, if its present step is under the claim. The worker that claims the run next counts
/// as its first.
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

const SET_DIGEST: &str = "UPDATE run_steps SET brought = $3 WHERE run_id = $1 AND position = $2";

const FIND_SUBMITTED: &str = "
    SELECT run_id, brought FROM run_steps
    WHERE id = $1 AND claim = $2 AND status IN ('completed', 'failed')";

/// Finds a step whose claims are used up.
const FIND_ABANDONED: &str = "
    SELECT s.claim, r.id FROM run_steps AS s
    JOIN runs AS r ON r.id = s.run_id AND r.next_step = s.position
    WHERE r.status = 'running' AND r.next_kind = 'external' AND s.status = 'running'
        AND (s.lease_until < $1 OR s.lease_until > $3) AND s.attempts >= $2
    LIMIT 1";

impl Store {
    /// Longest time that a claim holds without a renewal.
    pub const MAX_CLAIM: Duration = Duration::from_hours(1);

    /// Claims the oldest free external step, of one operation or of any, for as long as `lease`
    /// unless it is [renewed](Self::renew_step). Steps that were claimed `attempts` times are not
    /// given out.
    pub async fn claim_step(
        &self,
        operation: Option<&str>,
        worker: &str,
        lease: Duration,
        attempts: i64,
    ) -> Result<Option<Claim>, Error> {
        let (operation, worker) = (operation.map(clean), clean(worker));
        let (claim, now) = (Uuid::now_v7(), now());
        let until = lease_end(now, lease);
        let free = self.db().either(FIND_FREE_SQLITE, FIND_FREE_POSTGRES);
        Ok(writing!(self, |tx| {
            let free = sqlx::query_scalar(free).bind(operation.as_deref()).bind(now).bind(attempts);
            let free = free.bind(latest_lease_end(now, Self::MAX_CLAIM));
            let run: Option<String> = free.fetch_optional(&mut *tx).await?;
            let Some(run) = run else { return Ok(None) };
            let claimed: Run = sqlx::query_as(COUNT_CLAIM).bind(&run).fetch_one(&mut *tx).await?;
            let step = sqlx::query_as(CLAIM_STEP).bind(&run).bind(claim).bind(&*worker);
            let step: Step = step.bind(until).bind(now).fetch_one(&mut *tx).await?;
            Some(Claim { claim, run: claimed, step, until })
        }))
    }

    /// Extends a claim, and stores the progress of its step. `None` if the claim has expired.
    pub async fn renew_step(
        &self,
        step: Uuid,
        claim: Uuid,
        lease: Duration,
        progress: Option<u8>,
    ) -> Result<Option<Claim>, Error> {
        let until = lease_end(now(), lease);
        Ok(writing!(self, |tx| {
            let renew = sqlx::query_as(RENEW_CLAIM).bind(step).bind(claim).bind(until);
            let renewed: Option<Step> =
                renew.bind(progress.map(i64::from)).fetch_optional(&mut *tx).await?;
            let Some(renewed) = renewed else { return Ok(None) };
            let run: String = sqlx::query_scalar(FIND_RUN).bind(step).fetch_one(&mut *tx).await?;
            let run: Run = sqlx::query_as(GET_RUN).bind(run).fetch_one(&mut *tx).await?;
            Some(Claim { claim, run, step: renewed, until })
        }))
    }

    /// Finishes a step as [`finish_step`](Self::finish_step) does, under a claim. Stores the `digest`
    /// of the result, so that [`submitted_step`](Self::submitted_step) recognises it if it is sent
    /// again.
    pub async fn finish_claimed(
        &self,
        held: &Claim,
        (result, digest): (&str, &str),
        file: Option<NewChatFile<'_>>,
    ) -> Result<Option<(Run, Option<i64>)>, FileError> {
        let Claim { claim, run, step, .. } = held;
        let (result, now) = (clean(result), now());
        Ok(writing!(self, |tx| {
            let touch = sqlx::query(TOUCH_CHAT).bind(&run.chat_id).bind(now).bind(None::<&str>);
            touch.execute(&mut *tx).await?;
            let advance = sqlx::query_as(ADVANCE).bind(&run.id).bind(claim);
            let advanced: Option<Run> = advance.fetch_optional(&mut *tx).await?;
            let Some(advanced) = advanced else { return Ok(None) };
            let mut output: Option<i64> = None;
            if let Some(NewChatFile { place, name, key, size }) = file {
                let names = sqlx::query_scalar(NAMES).bind(&run.chat_id);
                let name = new_name(&clean(name), &names.fetch_all(&mut *tx).await?)?;
                let add = sqlx::query_scalar(ADD).bind(&run.chat_id).bind(place.word()).bind(name);
                output = Some(add.bind(key).bind(size).bind(now).fetch_one(&mut *tx).await?);
            }
            let finish = sqlx::query(FINISH_STEP).bind(&run.id).bind(step.position);
            finish.bind(&*result).bind(output).bind(now).execute(&mut *tx).await?;
            let set = sqlx::query(SET_DIGEST).bind(&run.id).bind(step.position).bind(digest);
            set.execute(&mut *tx).await?;
            let next = sqlx::query(SET_NEXT_INPUT).bind(&run.id).bind(step.position).bind(output);
            next.execute(&mut *tx).await?;
            Some((advanced, output))
        }))
    }

    /// Returns the step that ended under `claim`, finished or failed. `None` if none did.
    pub async fn submitted_step(
        &self,
        step: Uuid,
        claim: Uuid,
    ) -> Result<Option<SubmittedStep>, Error> {
        let found: Option<(String, Option<String>)> = reading!(self, |connection| {
            let found = sqlx::query_as(FIND_SUBMITTED).bind(step).bind(claim);
            found.fetch_optional(connection).await?
        });
        let Some((run, digest)) = found else { return Ok(None) };
        let Some((run, steps)) = self.run_with_steps(&run).await? else { return Ok(None) };
        let step = steps.into_iter().find(|other| other.id == step);
        Ok(step.map(|step| SubmittedStep { run, step, digest }))
    }

    /// Fails the step, and with it the run. `None` if the claim has expired.
    pub async fn fail_claimed(
        &self,
        run: &str,
        claim: Uuid,
        error: &str,
        step_error: &str,
    ) -> Result<Option<Run>, Error> {
        let (error, step_error, now) = (clean(error), clean(step_error), now());
        Ok(writing!(self, |tx| {
            let fail = sqlx::query_as(FAIL).bind(run).bind(claim).bind(&*error).bind(now);
            let run: Option<Run> = fail.fetch_optional(&mut *tx).await?;
            let Some(run) = run else { return Ok(None) };
            let step = sqlx::query(FAIL_STEP).bind(&run.id).bind(run.next).bind(&*step_error);
            step.bind(now).execute(&mut *tx).await?;
            sqlx::query(SKIP_STEPS).bind(&run.id).execute(&mut *tx).await?;
            let touch = sqlx::query(TOUCH_CHAT).bind(&run.chat_id).bind(now);
            touch.bind(ChatStatus::Failed.word()).execute(&mut *tx).await?;
            Some(run)
        }))
    }

    /// Returns the claim and the run of an external step that was claimed `attempts` times and not
    /// finished.
    pub async fn abandoned_step(&self, attempts: i64) -> Result<Option<(Uuid, String)>, Error> {
        let now = now();
        Ok(reading!(self, |connection| {
            let find = sqlx::query_as(FIND_ABANDONED).bind(now).bind(attempts);
            let find = find.bind(latest_lease_end(now, Self::MAX_CLAIM));
            find.fetch_optional(connection).await?
        }))
    }
}
