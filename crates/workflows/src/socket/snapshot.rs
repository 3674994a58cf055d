//! The state of a run for a client that comes late, and the records that the client still needs.
use std::borrow::Cow;

use quadrille_core::{Event, Hub, Position, Since, Topic};
use quadrille_store::{self as store, Page, Run, RunStatus, Step};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::frame::is_frame;
use crate::{state::State, wire};

/// The newest runs of a chat, which are searched for one that is running.
const RECENT_RUNS: Page = Page { limit: 100, offset: 0 };

/// Upper bound on the records that are compared with the snapshot, published while the run was
/// read.
const MAX_RECORDS: usize = 1000;

/// Upper bound on the bytes of results in a snapshot.
const MAX_RESULTS: usize = 256 << 10;

#[derive(Debug)]
pub(super) struct RunSnapshot {
    pub(super) frame: String,
    /// Position of the records that the snapshot does not cover.
    pub(super) since: Since,
    pub(super) seen: Option<SeenRun>,
}

/// The part of a run that a snapshot shows.
#[derive(Debug)]
pub(super) struct SeenRun {
    run: String,
    seq: i64,
    /// The step that is running, and its progress.
    step: Option<(Uuid, i64)>,
}

/// The members that order the frames of a run.
#[derive(Deserialize)]
struct FrameFields<'a> {
    #[serde(borrow)]
    run_id: Cow<'a, str>,
    seq: i64,
    step_id: Option<Uuid>,
    progress: Option<i64>,
}

/// Omits all results but their files if they exceed [`MAX_RESULTS`]. A client can get them from the
/// run.
fn omit_large_results(steps: &mut [Step]) {
    let results = steps.iter().filter_map(|step| step.result.as_deref());
    if results.map(str::len).sum::<usize>() <= MAX_RESULTS {
        return;
    }
    for result in steps.iter_mut().filter_map(|step| step.result.as_mut()) {
        r#"{"omitted":true}"#.clone_into(result);
    }
}

impl RunSnapshot {
    /// Takes a snapshot of the chat's running run, or else of its newest. `None` if the log still
    /// has everything after `since`.
    pub(super) async fn of(
        state: &State,
        topic: &Topic,
        since: Option<Since>,
    ) -> Result<Option<Self>, store::Error> {
        let hub = &state.core.hub;
        if let Some(since) = since
            && hub.history(topic, since, 0).is_some_and(|history| !history.gap)
        {
            return Ok(None);
        }
        // The store is never behind the log.
        let position = match hub.open(topic) {
            Ok(position) => position,
            Err(err) => {
                tracing::warn!(error = %err, %topic, "a chat cannot be shown from its store");
                return Ok(None);
            }
        };
        let store = &state.memory.store;
        let mut frame = json!({
            "type": "snapshot",
            "chat_id": topic.name(),
            "position": position,
            "run": null,
            "timestamp": wire::now(),
        });
        let mut seen = None;
        if let Some(chat) = store.chat(topic.name()).await? {
            let runs = store.runs(&chat.id, RECENT_RUNS).await?;
            let running = runs.iter().find(|run| run.status == RunStatus::Running);
            if let Some(run) = running.or(runs.first())
                && let Some((run, steps)) = store.run_with_steps(&run.id).await?
            {
                let files = store.chat_files(&chat.id).await?;
                let percent = state.percent(&run.id);
                let mut steps = steps;
                omit_large_results(&mut steps);
                frame["run"] = wire::run(&chat, &run, &steps, &files, percent, None);
                let step = steps.iter().find(|step| step.position == run.next);
                let step = step.map(|step| (step.id, percent.map_or(step.progress, i64::from)));
                seen = Some(SeenRun::of(&run, step));
            }
        }
        // Records that it covers are not delivered, nor after a reconnect with its position.
        let position = seen.as_ref().map_or(position, |seen| seen.advance(hub, topic, position));
        frame["position"] = json!(position);
        Ok(Some(Self { frame: frame.to_string(), since: Since::Fresh(position), seen }))
    }
}

impl SeenRun {
    fn of(run: &Run, step: Option<(Uuid, i64)>) -> Self {
        let step = step.filter(|_| run.status == RunStatus::Running);
        Self { run: run.id.clone(), seq: run.seq, step }
    }

    /// Moves `position` past the records that the snapshot covers, up to the first that it does
    /// not.
    fn advance(&self, hub: &Hub, topic: &Topic, position: Position) -> Position {
        let Some(history) = hub.history(topic, Since::After(position), MAX_RECORDS) else {
            return position;
        };
        if history.gap {
            return position;
        }
        let covered = history.records.iter().take_while(|record| self.covers(record));
        covered.last().map_or(position, |record| record.at)
    }

    /// Whether the snapshot shows all that the record does.
    pub(super) fn covers(&self, record: &Event) -> bool {
        is_frame(record) && self.covers_frame(&record.payload)
    }

    fn covers_frame(&self, frame: &str) -> bool {
        let Ok(frame) = serde_json::from_str::<FrameFields<'_>>(frame) else { return false };
        if frame.run_id != self.run || frame.seq > self.seq {
            return false;
        }
        let newer =
            |(step, progress)| frame.step_id == Some(step) && frame.progress >= Some(progress);
        frame.seq < self.seq || !self.step.is_some_and(newer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_covers_what_is_not_newer() {
        let step = Uuid::now_v7();
        let seen = SeenRun { run: "r".to_owned(), seq: 3, step: Some((step, 40)) };
        let frame = |run: &str, seq: i64, progress: Option<i64>| {
            let step_id = progress.map(|_| step);
            json!({"run_id": run, "seq": seq, "step_id": step_id, "progress": progress}).to_string()
        };
        let covered = [frame("r", 3, None), frame("r", 2, Some(90)), frame("r", 3, Some(39))];
        assert!(covered.iter().all(|frame| seen.covers_frame(frame)));
        let newer = [
            frame("r", 3, Some(40)),
            frame("r", 4, None),
            frame("s", 1, None),
            r#"{"type":"error"}"#.to_owned(),
        ];
        assert!(!newer.iter().any(|frame| seen.covers_frame(frame)));
        let over = SeenRun { step: None, ..seen };
        assert!(over.covers_frame(&frame("r", 3, Some(100))));
    }
}
