//! What observers of a chat are told: records of its topic, whose payload is the frame that clients
//! of workflows know.
use quadrille_core::{Draft, EventKey, Topic};
use quadrille_store::{Chat, ChatFile, MessageType, NewChatMessage, Run, RunStatus, Start, Step};
use serde_json::{Value, json};

use crate::{
    bot::texts,
    door::{self, Door},
    wire,
};

/// The chat of a run, for those who watch it.
#[derive(Debug)]
pub(crate) struct News<'a> {
    door: &'a Door,
    chat: &'a Chat,
    topic: Topic,
}

/// The door that a run came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Execute,
    Runs,
    Bot,
}

impl Origin {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Execute => "execute",
            Self::Runs => "runs",
            Self::Bot => "bot",
        }
    }
}

impl<'a> News<'a> {
    /// `None` for a chat that nobody can watch.
    pub(crate) fn of(door: &'a Door, chat: &'a Chat) -> Option<Self> {
        Some(Self { door, chat, topic: door::topic(&chat.id).ok()? })
    }

    pub(crate) async fn begun(&self, run: &Run, start: Start) {
        let bot = run.started_by == Origin::Bot.word();
        let (kind, message) = match start {
            Start::Fresh if bot => ("workflow_started", "🚀 Starting workflow execution..."),
            Start::Fresh => ("workflow_started", "Workflow execution started"),
            Start::Resumed => {
                ("workflow_resumed", "Workflow execution goes on after an interruption")
            }
            Start::Returned => return,
        };
        let frame = json!({ "total_steps": run.total, "message": message });
        self.tell(run, kind, None, frame).await;
    }

    pub(crate) async fn progress(&self, run: &Run, step: &Step, percent: u8, message: &str) {
        let status = if percent == 100 { "completed" } else { "running" };
        self.moved(run, step, percent, status, message).await;
    }

    async fn moved(&self, run: &Run, step: &Step, percent: u8, status: &str, message: &str) {
        let frame = json!({
            "step_id": step.id,
            "operation": step.operation,
            "progress": percent,
            "status": status,
            "message": message,
        });
        self.tell(run, "progress", Some(step), frame).await;
    }

    /// `step` and `files` as they are now, with what it made.
    pub(crate) async fn finished(&self, run: &Run, step: &Step, files: &[ChatFile]) {
        let said = match wire::incomplete(std::slice::from_ref(step)) {
            Some(_) => "Step completed with errors",
            None => "Step completed successfully",
        };
        self.progress(run, step, 100, said).await;
        let result = wire::result(self.chat, step, files, None);
        let frame = json!({ "step_id": step.id, "operation": step.operation, "result": result });
        self.tell(run, "step_result", Some(step), frame).await;
    }

    pub(crate) async fn failed(&self, run: &Run, step: &Step, why: &str) {
        self.moved(run, step, 0, "failed", &format!("Step failed: {why}")).await;
        self.tell(run, "error", Some(step), json!({ "step_id": step.id, "message": why })).await;
    }

    /// `outputs` are files of the chat that are for the user.
    pub(crate) async fn over(&self, run: &Run, outputs: usize) {
        let incomplete = self.incomplete(run).await;
        if run.started_by == Origin::Bot.word() {
            self.bot_says(run, incomplete.as_deref()).await;
        }
        let (kind, frame) = match run.status {
            RunStatus::Completed => (
                "workflow_completed",
                json!({
                    "total_steps": run.total,
                    "output_files_count": outputs,
                    "message": if let Some(incomplete) = &incomplete {
                        incomplete
                    } else if run.started_by == Origin::Bot.word() {
                        "✅ Workflow completed successfully!"
                    } else {
                        "Workflow execution completed successfully"
                    },
                }),
            ),
            RunStatus::Cancelled => (
                "workflow_cancelled",
                json!({ "error": "cancelled", "message": "Workflow execution cancelled" }),
            ),
            status => {
                let kind = if status == RunStatus::Interrupted {
                    "workflow_interrupted"
                } else {
                    "workflow_failed"
                };
                (kind, json!({ "error": run.error, "message": "Workflow execution failed" }))
            }
        };
        self.tell(run, kind, None, frame).await;
        self.door.run_changed();
    }

    /// What is said of a run that ended without having done all that was asked.
    async fn incomplete(&self, run: &Run) -> Option<String> {
        if run.status != RunStatus::Completed {
            return None;
        }
        match self.door.memory.store.steps(&run.id).await {
            Ok(steps) => wire::incomplete(&steps),
            Err(why) => {
                tracing::warn!(error = %why, run = run.id, "the results of a run were not read");
                None
            }
        }
    }

    /// What became of a run that the bot began is a part of the conversation.
    async fn bot_says(&self, run: &Run, incomplete: Option<&str>) {
        let (kind, content) = match (run.status, &run.error) {
            (RunStatus::Completed, _) if let Some(incomplete) = incomplete => {
                (MessageType::System, incomplete.to_owned())
            }
            (RunStatus::Completed, _) => (MessageType::System, texts::COMPLETED.to_owned()),
            (RunStatus::Cancelled, _) => (MessageType::System, texts::CANCELLED.to_owned()),
            (status, error) => {
                (MessageType::Error, texts::failed(error.as_deref().unwrap_or(status.word())))
            }
        };
        let metadata = json!({ "job_id": run.id }).to_string();
        let said = NewChatMessage { kind, content: &content, metadata: &metadata };
        let store = &self.door.memory.store;
        if let Err(why) = store.add_chat_messages(&self.chat.id, None, &[said]).await {
            tracing::warn!(error = %why, run = run.id, "the end of a run is not in its conversation");
        }
    }

    /// The record is in the log when this ends; slow readers were waited for a little.
    async fn tell(&self, run: &Run, kind: &'static str, step: Option<&Step>, frame: Value) {
        let draft = draft(&self.topic, run, kind, step, frame);
        if let Err(why) = self.door.core.hub.publish(draft).await {
            tracing::warn!(error = %why, chat = %self.chat.id, "observers were not told of a run");
        }
    }
}

/// Tell those who watch a chat that was deleted that its runs were cancelled. Waits for nobody.
pub(crate) fn deleted(door: &Door, topic: &Topic, cancelled: &[Run]) {
    for run in cancelled {
        let message = "Workflow execution cancelled: the chat was deleted";
        let frame = json!({ "error": "cancelled", "message": message });
        // The record is in the log before this could be awaited.
        drop(door.core.hub.publish(draft(topic, run, "workflow_cancelled", None, frame)));
    }
}

fn draft(
    topic: &Topic,
    run: &Run,
    kind: &'static str,
    step: Option<&Step>,
    mut frame: Value,
) -> Draft {
    let members = json!({
        "type": kind,
        "chat_id": topic.name(),
        "run_id": run.id,
        "seq": run.seq,
        "timestamp": wire::now(),
    });
    if let (Value::Object(frame), Value::Object(members)) = (&mut frame, members) {
        frame.extend(members);
    }
    // Of each kind and step only the newest counts for who is behind.
    let about = step.map_or_else(|| run.id.clone(), |step| step.id.to_string());
    let key = EventKey::from(format!("{kind} {about}").as_str());
    Draft::new(topic.clone(), kind, frame.to_string()).key(Some(key))
}
