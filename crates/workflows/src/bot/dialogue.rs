//! The dialogue: a state machine from input to reply.
use serde::{Deserialize, Serialize};

use super::{
    intent::{Intent, Kind, classify},
    suggest::{FileSeen, Suggested, Suggestion, suggest},
    texts,
};

#[cfg(test)]
mod tests;

/// Upper bound on a message, in characters.
pub(crate) const MAX_MESSAGE: usize = 10_000;

/// State of a conversation, stored between two messages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Dialogue {
    pub(crate) phase: DialoguePhase,
    /// Request that waits for a file.
    pub(crate) request: Option<PendingRequest>,
    /// Steps that wait for a confirmation.
    pub(crate) steps: Vec<Suggested>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DialoguePhase {
    #[default]
    Idle,
    AwaitingFile,
    AwaitingConfirmation,
    /// A run is in progress.
    Processing,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingRequest {
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

/// Input of the dialogue.
#[derive(Clone, Debug)]
pub(crate) enum Input<'a> {
    Message(&'a str),
    /// A file was uploaded: the one passed to [`answer`].
    Uploaded,
    /// Confirmation outside of a message. `modified` replaces the suggested steps.
    Confirmed {
        confirmed: bool,
        modified: Option<Vec<Suggested>>,
    },
}

/// Reply of the bot, and the action that follows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct BotReply {
    pub(crate) text: String,
    pub(crate) intent: Option<Intent>,
    pub(crate) suggested: Option<Vec<Suggested>>,
    pub(crate) requires_confirmation: bool,
    pub(crate) requires_file: bool,
    /// `execute_workflow`, `modify_workflow`, or `cancel_workflow` to stop the run.
    pub(crate) action: Option<&'static str>,
    pub(crate) understood: Understood,
    /// Steps to run now.
    pub(crate) run: Option<Vec<Suggested>>,
}

/// Whether the bot understood the input. If not, the state is unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Understood {
    #[default]
    Yes,
    /// The message is not understood; an agent may answer it.
    Unknown,
    Refused,
}

/// Answers `input`. `file` is the last uploaded one.
pub(crate) fn answer(
    state: Dialogue,
    input: Input<'_>,
    file: Option<&FileSeen>,
) -> (Dialogue, BotReply) {
    match input {
        Input::Message(message) => state.on_message(message, file),
        Input::Uploaded => state.on_upload(file),
        Input::Confirmed { confirmed: false, .. } => state.decline(),
        Input::Confirmed { confirmed: true, modified } => {
            let modified = modified.filter(|steps| !steps.is_empty());
            let pending =
                state.phase == DialoguePhase::AwaitingConfirmation && !state.steps.is_empty();
            match modified {
                Some(steps) => run(steps),
                None if pending => run(state.steps),
                None => (state, BotReply::refused(texts::NOTHING_PENDING)),
            }
        }
    }
}

/// Reply when a run starts.
pub(crate) fn started() -> BotReply {
    BotReply { action: Some("execute_workflow"), ..BotReply::of(texts::STARTING) }
}

fn run(steps: Vec<Suggested>) -> (Dialogue, BotReply) {
    let reply = BotReply { run: Some(steps), ..started() };
    (Dialogue { phase: DialoguePhase::Processing, ..Dialogue::default() }, reply)
}

// === impl Dialogue ===

impl Dialogue {
    fn on_message(self, message: &str, file: Option<&FileSeen>) -> (Self, BotReply) {
        let message = message.trim();
        if message.is_empty() {
            return (self, BotReply::refused(texts::EMPTY));
        }
        if message.chars().nth(MAX_MESSAGE).is_some() {
            return (self, BotReply::refused(texts::TOO_LONG));
        }
        let processing = self.phase == DialoguePhase::Processing;
        let word = message.trim_end_matches(['.', '!']).to_lowercase();
        match word.as_str() {
            "cancel" | "stop" | "quit" if processing => {
                let action = Some("cancel_workflow");
                return (self, BotReply { action, ..BotReply::of(texts::STOPPING) });
            }
            "cancel" | "stop" | "quit" => return (Self::default(), BotReply::of(texts::CANCELLED)),
            "help" | "?" => return (self, BotReply::of(texts::help())),
            _ => {}
        }
        if self.phase == DialoguePhase::AwaitingConfirmation {
            return self.on_answer(&word, message, file);
        }
        let Some(intent) = classify(message) else {
            let understood = Understood::Unknown;
            return (self, BotReply { understood, ..BotReply::of(texts::UNKNOWN) });
        };
        if processing {
            return (self, BotReply { intent: Some(intent), ..BotReply::of(texts::BUSY) });
        }
        let Some(file) = file else {
            let steps = suggest(intent.kind, message, None).steps;
            let request = PendingRequest { kind: intent.kind, message: message.to_owned() };
            let reply = BotReply {
                intent: Some(intent),
                requires_file: true,
                ..BotReply::of(texts::upload(intent.kind, &steps))
            };
            let phase = DialoguePhase::AwaitingFile;
            return (Self { phase, request: Some(request), steps: Vec::new() }, reply);
        };
        let (state, reply) = propose(intent.kind, message, file);
        (state, BotReply { intent: Some(intent), ..reply })
    }

    /// Answers a message where yes or no is expected. Another request replaces the steps.
    fn on_answer(self, word: &str, message: &str, file: Option<&FileSeen>) -> (Self, BotReply) {
        match word {
            "yes" | "y" | "ok" | "proceed" | "continue" | "go" | "confirm" => run(self.steps),
            "no" | "n" => self.decline(),
            _ => {
                let action = Some("modify_workflow");
                let intent = classify(message);
                let (Some(found), Some(file)) = (intent, file) else {
                    return (self, BotReply { action, ..BotReply::of(texts::MODIFY) });
                };
                let (state, reply) = propose(found.kind, message, file);
                let state = if reply.suggested.is_some() { state } else { self };
                (state, BotReply { intent, action, ..reply })
            }
        }
    }

    fn decline(self) -> (Self, BotReply) {
        let processing = self.phase == DialoguePhase::Processing;
        (if processing { self } else { Self::default() }, BotReply::of(texts::DECLINED))
    }

    fn on_upload(self, file: Option<&FileSeen>) -> (Self, BotReply) {
        if self.phase != DialoguePhase::AwaitingFile {
            return (self, BotReply::of(texts::UPLOADED));
        }
        match (self.request, file) {
            (Some(PendingRequest { kind, message }), Some(file)) => propose(kind, &message, file),
            _ => (Self::default(), BotReply::of(texts::UPLOADED_FIRST)),
        }
    }
}

/// Suggests steps for `message` and asks for a confirmation, or asks for missing details.
fn propose(kind: Kind, message: &str, file: &FileSeen) -> (Dialogue, BotReply) {
    let Suggestion { steps, missing } = suggest(kind, message, Some(file));
    if let Some(missing) = missing {
        return (Dialogue::default(), BotReply::of(texts::missing(kind, &missing)));
    }
    let reply = BotReply {
        suggested: Some(steps.clone()),
        requires_confirmation: true,
        ..BotReply::of(texts::question(kind, &steps))
    };
    (Dialogue { phase: DialoguePhase::AwaitingConfirmation, request: None, steps }, reply)
}

// === impl BotReply ===

impl BotReply {
    fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    fn refused(text: &str) -> Self {
        Self { understood: Understood::Refused, ..Self::of(text) }
    }
}
