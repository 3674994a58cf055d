//! The words of the schema, as types.

/// Makes an enum whose values are words in the database and on the wire.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $value:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$about])* $value,)*
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$value),*];

            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)*
                }
            }

            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$value),)*
                    _ => None,
                }
            }
        }
    };
}

words! {
    /// What a chat is at.
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
    /// What a message in a chat is.
    Said {
        User = "user",
        System = "system",
        FileUpload = "file_upload",
        StepResult = "step_result",
        Error = "error",
        Progress = "progress",
    }
}

words! {
    /// Where a file of a chat belongs.
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
        /// It cannot go on after the process that did it was gone.
        Interrupted = "interrupted",
    }
}

words! {
    /// Who does a step.
    StepKind {
        /// A worker of the server.
        Internal = "internal",
        /// Whoever claims it.
        External = "external",
    }
}

words! {
    StepStatus {
        Pending = "pending",
        Running = "running",
        Completed = "completed",
        Failed = "failed",
        /// The run ended before its turn.
        Skipped = "skipped",
    }
}

impl RunStatus {
    /// Nothing more happens in it, unless somebody tries again.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}
