//! Rows of chats, their messages and files, runs and downloads, as the statements select them.
use uuid::Uuid;

use super::{
    model::{Chat, ChatFile, ChatMessage, Run, Step, StoredDownload},
    words::{ChatStatus, MessageType, Place, RunStatus, StepKind, StepStatus},
};
use crate::columns::from_row;

from_row!(Chat {
    id: String = "id",
    user_id: Option<String> = "user_id",
    participant: String = "participant_name",
    status: ChatStatus = "status",
    partition: String = "partition_key",
    metadata: String = "metadata",
    dialogue: Option<String> = "dialogue",
    created_at: i64 = "created_at",
    updated_at: i64 = "updated_at",
});

from_row!(ChatMessage {
    id: Uuid = "message_id",
    kind: MessageType = "message_type",
    content: String = "content",
    metadata: String = "metadata",
    created_at: i64 = "created_at",
});

from_row!(ChatFile {
    id: i64 = "id",
    place: Place = "place",
    name: String = "name",
    key: String = "file_path",
    size: i64 = "size",
    created_at: i64 = "created_at",
});

from_row!(Run {
    id: String = "id",
    chat_id: String = "chat_id",
    started_by: String = "origin",
    status: RunStatus = "status",
    seq: i64 = "seq",
    total: i64 = "total_steps",
    next: i64 = "next_step",
    next_kind: StepKind = "next_kind",
    error: Option<String> = "error",
    attempts: i64 = "attempts",
    created_at: i64 = "created_at",
    started_at: Option<i64> = "started_at",
    ended_at: Option<i64> = "ended_at",
});

from_row!(Step {
    id: Uuid = "id",
    position: i64 = "position",
    operation: String = "operation",
    kind: StepKind = "kind",
    arguments: String = "arguments",
    status: StepStatus = "status",
    progress: i64 = "progress",
    input: Option<i64> = "input_file",
    output: Option<i64> = "output_file",
    result: Option<String> = "result",
    error: Option<String> = "error",
    worker: Option<String> = "worker",
    started_at: Option<i64> = "started_at",
    completed_at: Option<i64> = "completed_at",
});

from_row!(StoredDownload {
    name: String = "name",
    user_id: Option<String> = "user_id",
    key: String = "file_path",
    size: i64 = "size",
    created_at: i64 = "created_at",
});
