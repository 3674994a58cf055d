//! Publishes the progress of runs to the topic of their chat. The payload of each record is a frame of
//! the workflows protocol.
use quadrille_core::{Draft, EventKey, Topic};
use quadrille_store::{Chat, ChatFile, MessageType, NewChatMessage, Run, RunStatus, Start, Step};
use serde_json::{Value, json};

use crate::{
    bot::texts,
    state::{State, chat_topic},
    wire,
};

/// Publishes the events of a chat's runs.
#[derive(Debug)]
pub(crate) struct RunEvents<'a> {
    state: &'a State,
    chat: &'a Chat,
    topic: Topic,
}

/// The endpoint that started a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartedBy {
    Execute,
    Runs,
    Bot,
}

impl StartedBy {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Execute => "execute",
            Self::Runs => "runs",
            Self::Bot => "bot",
        }
    }
}

impl<'a> RunEvents<'a> {
    /// `None` if the id of the chat cannot name a topic.
    pub(crate) fn of(state: &'a State, chat: &'a Chat) -> Option<Self> {
        Some(Self { state, chat, topic: chat_topic(&chat.id).ok()? })
    }

    pub(crate) async fn started(&self, run: &Run, start: Start) {
        let bot = run.started_by == StartedBy::Bot.word();
        let (kind, message) = match start {
            Start::Fresh if bot => ("workflow_started", "🚀 Starting workflow execution..."),
            Start::Fresh => ("workflow_started", "Workflow execution started"),
            Start::Resumed => {
                ("workflow_resumed", "Workflow execution resumes after an interruption")
            }
            Start::Returned => return,
        };
        let frame = json!({ "total_steps": run.total, "message": message });
        self.publish(run, kind, None, frame).await;
    }

    pub(crate) async fn progress(&self, run: &Run, step: &Step, percent: u8, message: &str) {
        let status = if percent == 100 { "completed" } else { "running" };
        self.step_progress(run, step, percent, status, message).await;
    }

    async fn step_progress(
        &self,
        run: &Run,
        step: &Step,
        percent: u8,
        status: &str,
        message: &str,
    ) {
        let frame = json!({
            "step_id": step.id,
            "operation": step.operation,
            "progress": percent,
            "status": status,
            "message": message,
        });
        self.publish(run, "progress", Some(step), frame).await;
    }

    /// `step` and `files` are read after the step has ended.
    pub(crate) async fn step_finished(&self, run: &Run, step: &Step, files: &[ChatFile]) {
        let message = match wire::incomplete(std::slice::from_ref(step)) {
            Some(_) => "Step completed with errors",
            None => "Step completed successfully",
        };
        self.progress(run, step, 100, message).await;
        let result = wire::result(self.chat, step, files, None);
        let frame = json!({ "step_id": step.id, "operation": step.operation, "result": result });
        self.publish(run, "step_result", Some(step), frame).await;
    }

    pub(crate) async fn step_failed(&self, run: &Run, step: &Step, error: &str) {
        self.step_progress(run, step, 0, "failed", &format!("Step failed: {error}")).await;
        self.publish(run, "error", Some(step), json!({ "step_id": step.id, "message": error }))
            .await;
    }

    /// `outputs` is the number of output files of the chat.
    pub(crate) async fn ended(&self, run: &Run, outputs: usize) {
        let incomplete = self.incomplete(run).await;
        if run.started_by == StartedBy::Bot.word() {
            self.add_to_dialogue(run, incomplete.as_deref()).await;
        }
        let (kind, frame) = match run.status {
            RunStatus::Completed => (
                "workflow_completed",
                json!({
                    "total_steps": run.total,
                    "output_files_count": outputs,
                    "message": if let Some(incomplete) = &incomplete {
                        incomplete
                    } else if run.started_by == StartedBy::Bot.word() {
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
        self.publish(run, kind, None, frame).await;
        self.state.run_changed();
    }

    /// Message about a completed run whose steps were done in part.
    async fn incomplete(&self, run: &Run) -> Option<String> {
        if run.status != RunStatus::Completed {
            return None;
        }
        match self.state.memory.store.steps(&run.id).await {
            Ok(steps) => wire::incomplete(&steps),
            Err(err) => {
                tracing::warn!(error = %err, run = run.id, "cannot read the results of a run");
                None
            }
        }
    }

    /// Adds the outcome of a run that the bot started to its conversation.
    async fn add_to_dialogue(&self, run: &Run, incomplete: Option<&str>) {
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
        let message = NewChatMessage { kind, content: &content, metadata: &metadata };
        let store = &self.state.memory.store;
        if let Err(err) = store.add_chat_messages(&self.chat.id, None, &[message]).await {
            tracing::warn!(error = %err, run = run.id, "cannot add the outcome of a run to its conversation");
        }
    }

    /// Publishes a record. It is in the log when this ends, after a bounded wait for slow readers.
    async fn publish(&self, run: &Run, kind: &'static str, step: Option<&Step>, frame: Value) {
        let draft = draft(&self.topic, run, kind, step, frame);
        if let Err(err) = self.state.core.hub.publish(draft).await {
            tracing::warn!(error = %err, chat = %self.chat.id, "cannot publish an event of a run");
        }
    }
}

/// Publishes that the runs of a deleted chat were cancelled, without waiting for readers.
pub(crate) fn publish_deleted(state: &State, topic: &Topic, cancelled: &[Run]) {
    for run in cancelled {
        let message = "Workflow execution cancelled: the chat was deleted";
        let frame = json!({ "error": "cancelled", "message": message });
        // The record is in the log before the future is polled.
        drop(state.core.hub.publish(draft(topic, run, "workflow_cancelled", None, frame)));
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
    // A client that is behind gets only the newest of each kind and step.
    let subject = step.map_or_else(|| run.id.clone(), |step| step.id.to_string());
    let key = EventKey::from(format!("{kind} {subject}").as_str());
    Draft::new(topic.clone(), kind, frame.to_string()).key(Some(key))
}
