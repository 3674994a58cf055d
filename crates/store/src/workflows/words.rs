//! The words of the schema, as types.
use crate::columns::words;

words! {
    /// State of a chat.
    ChatStatus {
        Created = "created",
        Active = "active",
        Processing = "processing",
        Completed = "completed",
        Failed = "failed",
        Archived = "archived",
    }
}

words! {
    /// Kind of a message in a chat.
    MessageType {
        User = "user",
        System = "system",
        FileUpload = "file_upload",
        StepResult = "step_result",
        Error = "error",
        Progress = "progress",
    }
}

words! {
    /// Folder of a file in a chat.
    Place {
        Uploads = "uploads",
        Intermediate = "intermediate",
        Outputs = "outputs",
    }
}

words! {
    RunStatus {
        Pending = "pending",
        Running = "running",
        Completed = "completed",
        Failed = "failed",
        Cancelled = "cancelled",
        /// Cannot continue after its process stopped.
        Interrupted = "interrupted",
    }
}

words! {
    /// Kind of worker that executes a step.
    StepKind {
        /// A worker of the server.
        Internal = "internal",
        /// Any client that claims it.
        External = "external",
    }
}

words! {
    StepStatus {
        Pending = "pending",
        Running = "running",
        Completed = "completed",
        Failed = "failed",
        /// The run ended before this step.
        Skipped = "skipped",
    }
}

impl RunStatus {
    /// Returns whether the run has ended. A retry may continue it.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}
