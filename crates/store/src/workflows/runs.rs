//! Reads runs and their steps, and cancels runs.
use uuid::Uuid;

use super::{
    chats::TOUCH_CHAT,
    model::{CancelRun, Run, Step},
    words::ChatStatus,
};
use crate::{
    Error, Page, Store,
    db::{reading, writing},
    pages::fitting,
    store::{clean, now},
};

const GET: &str = "
    SELECT id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at
    FROM runs WHERE id = $1";

const LIST: &str = "
    SELECT id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at
    FROM runs WHERE chat_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3";

const MEASURE_RUNS: &str = "
    SELECT total_steps, CAST(COALESCE(OCTET_LENGTH(error), 0) AS BIGINT) FROM runs
    WHERE chat_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3";

pub(super) const LIST_STEPS: &str = "
    SELECT id, position, operation, kind, arguments, status, progress, input_file, output_file,
        result, error, worker, started_at, completed_at
    FROM run_steps WHERE run_id = $1 ORDER BY position";

const MEASURE_STEPS_OF_CHAT: &str = "
    SELECT s.id, CAST(OCTET_LENGTH(s.arguments) + COALESCE(OCTET_LENGTH(s.error), 0) AS BIGINT)
    FROM run_steps AS s JOIN runs AS r ON r.id = s.run_id
    WHERE r.chat_id = $1 ORDER BY r.created_at DESC, r.id DESC, s.position LIMIT $2";

const LIST_STEPS_OF_CHAT: &str = "
    SELECT s.id, s.position, s.operation, s.kind, s.arguments, s.status, s.progress, s.input_file,
        s.output_file, CAST(NULL AS TEXT) AS result, s.error, s.worker, s.started_at, s.completed_at
    FROM run_steps AS s JOIN runs AS r ON r.id = s.run_id
    WHERE r.chat_id = $1 ORDER BY r.created_at DESC, r.id DESC, s.position LIMIT $2";

const SKIP_STEPS: &str = "
    UPDATE run_steps SET status = 'skipped' WHERE run_id = $1 AND status IN ('pending', 'running')";

/// Ends a run without a worker at once; a worker sees the flag when it renews its lease.
const CANCEL: &str = "
    UPDATE runs SET
        cancel = TRUE,
        seq = seq + CASE WHEN status = 'pending' OR lease_until < $2 THEN 1 ELSE 0 END,
        ended_at = CASE WHEN status = 'pending' OR lease_until < $2 THEN $2 ELSE NULL END,
        status = CASE WHEN status = 'pending' OR lease_until < $2 THEN 'cancelled' ELSE status END
    WHERE id = $1 AND status IN ('pending', 'running')
    RETURNING id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at";

impl Store {
    pub async fn run(&self, id: &str) -> Result<Option<Run>, Error> {
        let id = clean(id);
        Ok(reading!(self, |connection| {
            sqlx::query_as(GET).bind(&*id).fetch_optional(connection).await?
        }))
    }

    /// Reads a run and its steps as of one moment.
    pub async fn run_with_steps(&self, id: &str) -> Result<Option<(Run, Vec<Step>)>, Error> {
        loop {
            let Some(run) = self.run(id).await? else { return Ok(None) };
            let steps = self.steps(id).await?;
            if self.run(id).await?.is_none_or(|now| now.seq == run.seq) {
                return Ok(Some((run, steps)));
            }
        }
    }

    /// Lists the runs of a chat, the newest first; at most [`Page::BYTES`] of them.
    pub async fn runs(&self, chat: &str, page: Page) -> Result<Vec<Run>, Error> {
        let (chat, (limit, offset)) = (clean(chat), page.bounds());
        let measured: Vec<(i64, i64)> = reading!(self, |connection| {
            let list = sqlx::query_as(MEASURE_RUNS).bind(&*chat).bind(limit).bind(offset);
            list.fetch_all(connection).await?
        });
        let limit = i64::try_from(fitting(measured, Page::BYTES).len()).unwrap_or(i64::MAX);
        Ok(reading!(self, |connection| {
            let list = sqlx::query_as(LIST).bind(&*chat).bind(limit).bind(offset);
            list.fetch_all(connection).await?
        }))
    }

    /// Lists the steps of a run in their order.
    pub async fn steps(&self, run: &str) -> Result<Vec<Step>, Error> {
        let run = clean(run);
        Ok(reading!(self, |connection| {
            sqlx::query_as(LIST_STEPS).bind(&*run).fetch_all(connection).await?
        }))
    }

    /// Lists the steps of the newest runs of a chat, about `limit` of them and at most
    /// [`Page::BYTES`], the oldest run first, without their results.
    pub async fn steps_of_chat(&self, chat: &str, limit: u32) -> Result<Vec<Step>, Error> {
        let (chat, (limit, _)) = (clean(chat), Page { limit, offset: 0 }.bounds());
        let measured: Vec<(Uuid, i64)> = reading!(self, |connection| {
            sqlx::query_as(MEASURE_STEPS_OF_CHAT)
                .bind(&*chat)
                .bind(limit)
                .fetch_all(connection)
                .await?
        });
        let limit = i64::try_from(fitting(measured, Page::BYTES).len()).unwrap_or(i64::MAX);
        let steps: Vec<Step> = reading!(self, |connection| {
            sqlx::query_as(LIST_STEPS_OF_CHAT)
                .bind(&*chat)
                .bind(limit)
                .fetch_all(connection)
                .await?
        });
        let mut runs: Vec<Vec<Step>> = Vec::new();
        for step in steps {
            match runs.last_mut() {
                Some(run) if step.position > 0 => run.push(step),
                _ => runs.push(vec![step]),
            }
        }
        Ok(runs.into_iter().rev().flatten().collect())
    }

    /// Cancels a run, or asks its worker to. `None` if there is no such run.
    pub async fn cancel_run(&self, id: &str) -> Result<Option<CancelRun>, Error> {
        let (id, now) = (clean(id), now());
        let cancelled: Option<Run> = writing!(self, |tx| {
            let cancel = sqlx::query_as(CANCEL).bind(&*id).bind(now);
            let run: Option<Run> = cancel.fetch_optional(&mut *tx).await?;
            if let Some(run) = run.as_ref().filter(|run| run.status.is_over()) {
                sqlx::query(SKIP_STEPS).bind(&*id).execute(&mut *tx).await?;
                let touch = sqlx::query(TOUCH_CHAT).bind(&run.chat_id).bind(now);
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
}
