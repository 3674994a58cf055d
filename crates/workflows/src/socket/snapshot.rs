//! The run so far, for who comes late: as it is stored, and what of the log it leaves to be told.
use std::borrow::Cow;

use quadrille_core::{Event, Hub, Position, Since, Topic};
use quadrille_store::{self as store, Page, Run, RunStatus, Step};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::frame::is_frame;
use crate::{door::Door, wire};

/// Runs of a chat among which the one is looked for that is being done.
const RUNS: Page = Page { limit: 100, offset: 0 };

/// Records that came while the run was read, of which the first are looked at.
const RECORDS: usize = 1000;

/// Bytes of results that a snapshot shows, at most.
const RESULTS: usize = 256 << 10;

#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) frame: String,
    /// Where what is not in it begins.
    pub(super) since: Since,
    pub(super) seen: Option<Seen>,
}

/// What of a run a connection was shown already.
#[derive(Debug)]
pub(super) struct Seen {
    run: String,
    seq: i64,
    /// The step that is being done, and how far it was.
    step: Option<(Uuid, i64)>,
}

/// What tells the frames of a run apart.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    run_id: Cow<'a, str>,
    seq: i64,
    step_id: Option<Uuid>,
    progress: Option<i64>,
}

/// Leaves out all results but their files if they are too much for everybody who watches: the run
/// itself can be asked for them.
fn without_much(steps: &mut [Step]) {
    let results = steps.iter().filter_map(|it| it.result.as_deref());
    if results.map(str::len).sum::<usize>() <= RESULTS {
        return;
    }
    for result in steps.iter_mut().filter_map(|it| it.result.as_mut()) {
        r#"{"omitted":true}"#.clone_into(result);
    }
}

impl Snapshot {
    /// The run of the chat that is being done, or the newest. `None` where everything after `since`
    /// is still in the log.
    pub(super) async fn of(
        door: &Door,
        topic: &Topic,
        since: Option<Since>,
    ) -> Result<Option<Self>, store::Error> {
        let hub = &door.core.hub;
        if let Some(since) = since
            && hub.history(topic, since, 0).is_some_and(|it| !it.gap)
        {
            return Ok(None);
        }
        // What is stored is never older than what is in the log.
        let position = match hub.open(topic) {
            Ok(position) => position,
            Err(why) => {
                tracing::warn!(error = %why, %topic, "a chat cannot be shown from its store");
                return Ok(None);
            }
        };
        let store = &door.memory.store;
        let mut frame = json!({
            "type": "snapshot",
            "chat_id": topic.name(),
            "position": position,
            "run": null,
            "timestamp": wire::now(),
        });
        let mut seen = None;
        if let Some(chat) = store.chat(topic.name()).await? {
            let runs = store.runs(&chat.id, RUNS).await?;
            let doing = runs.iter().find(|it| it.status == RunStatus::Running);
            if let Some(run) = doing.or(runs.first())
                && let Some((run, steps)) = store.run_with_steps(&run.id).await?
            {
                let files = store.chat_files(&chat.id).await?;
                let percent = door.percent(&run.id);
                let mut steps = steps;
                without_much(&mut steps);
                frame["run"] = wire::run(&chat, &run, &steps, &files, percent, None);
                let step = steps.iter().find(|it| it.position == run.next);
                let far = step.map(|it| (it.id, percent.map_or(it.progress, i64::from)));
                seen = Some(Seen::of(&run, far));
            }
        }
        // What it tells is not told again, also not to who comes back with its position.
        let position = seen.as_ref().map_or(position, |seen| seen.advance(hub, topic, position));
        frame["position"] = json!(position);
        Ok(Some(Self { frame: frame.to_string(), since: Since::After(position), seen }))
    }
}

impl Seen {
    fn of(run: &Run, step: Option<(Uuid, i64)>) -> Self {
        let step = step.filter(|_| run.status == RunStatus::Running);
        Self { run: run.id.clone(), seq: run.seq, step }
    }

    /// The position of the last record after `position` before the first one that has to be told.
    fn advance(&self, hub: &Hub, topic: &Topic, position: Position) -> Position {
        let Some(history) = hub.history(topic, Since::After(position), RECORDS) else {
            return position;
        };
        if history.gap {
            return position;
        }
        let told = history.records.iter().take_while(|it| self.covers(it));
        told.last().map_or(position, |it| it.at)
    }

    /// Whether the record says nothing that the snapshot did not say.
    pub(super) fn covers(&self, record: &Event) -> bool {
        is_frame(record) && self.covers_frame(&record.payload)
    }

    fn covers_frame(&self, frame: &str) -> bool {
        let Ok(told) = serde_json::from_str::<Told<'_>>(frame) else { return false };
        if told.run_id != self.run || told.seq > self.seq {
            return false;
        }
        let newer = |(step, far)| told.step_id == Some(step) && told.progress >= Some(far);
        told.seq < self.seq || !self.step.is_some_and(newer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_newer_than_the_snapshot_is_told() {
        let step = Uuid::now_v7();
        let seen = Seen { run: "r".to_owned(), seq: 3, step: Some((step, 40)) };
        let frame = |run: &str, seq: i64, progress: Option<i64>| {
            let step_id = progress.map(|_| step);
            json!({"run_id": run, "seq": seq, "step_id": step_id, "progress": progress}).to_string()
        };
        let covered = [frame("r", 3, None), frame("r", 2, Some(90)), frame("r", 3, Some(39))];
        assert!(covered.iter().all(|it| seen.covers_frame(it)));
        let told = [
            frame("r", 3, Some(40)),
            frame("r", 4, None),
            frame("s", 1, None),
            r#"{"type":"error"}"#.to_owned(),
        ];
        assert!(!told.iter().any(|it| seen.covers_frame(it)));
        let over = Seen { step: None, ..seen };
        assert!(over.covers_frame(&frame("r", 3, Some(100))));
    }
}
