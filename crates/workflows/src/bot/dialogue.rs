//! What is said next, by what was said before.
use serde::{Deserialize, Serialize};

use super::{
    intent::{Intent, Kind, classify},
    suggest::{FileSeen, Suggested, Suggestion, suggest},
    texts,
};

#[cfg(test)]
mod tests;

/// Characters of a message, at most.
pub(crate) const MAX_MESSAGE: usize = 10_000;

/// Where a conversation is. It is kept between two messages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Dialogue {
    pub(crate) phase: DialoguePhase,
    /// What was asked for before there was a file.
    pub(crate) request: Option<PendingRequest>,
    /// What waits for a yes.
    pub(crate) steps: Vec<Suggested>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DialoguePhase {
    #[default]
    Idle,
    AwaitingFile,
    AwaitingConfirmation,
    /// A run is under way.
    Processing,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingRequest {
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Input<'a> {
    Message(&'a str),
    /// The file is the one that [`answer`] gets.
    Uploaded,
    /// An answer that is not text. Steps that come with it are run instead of those suggested.
    Confirmed {
        confirmed: bool,
        modified: Option<Vec<Suggested>>,
    },
}

/// What the bot answers, and what is to be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct BotReply {
    pub(crate) text: String,
    pub(crate) intent: Option<Intent>,
    pub(crate) suggested: Option<Vec<Suggested>>,
    pub(crate) requires_confirmation: bool,
    pub(crate) requires_file: bool,
    /// `execute_workflow`, `modify_workflow`, or `cancel_workflow`: the run is to be stopped.
    pub(crate) action: Option<&'static str>,
    pub(crate) understood: Understood,
    /// Steps to run now.
    pub(crate) run: Option<Vec<Suggested>>,
}

/// Whether the bot can do something with what it heard. If not, nothing changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Understood {
    #[default]
    Yes,
    /// The message means nothing to it; somebody else may know.
    Unknown,
    Refused,
}

/// What follows from `input`. `file` is the last one that was uploaded.
pub(crate) fn answer(
    state: Dialogue,
    input: Input<'_>,
    file: Option<&FileSeen>,
) -> (Dialogue, BotReply) {
    match input {
        Input::Message(message) => state.hear(message, file),
        Input::Uploaded => state.uploaded(file),
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

/// What is answered when a run begins.
pub(crate) fn started() -> BotReply {
    BotReply { action: Some("execute_workflow"), ..BotReply::of(texts::STARTING) }
}

fn run(steps: Vec<Suggested>) -> (Dialogue, BotReply) {
    let reply = BotReply { run: Some(steps), ..started() };
    (Dialogue { phase: DialoguePhase::Processing, ..Dialogue::default() }, reply)
}

// === impl State ===

impl Dialogue {
    fn hear(self, message: &str, file: Option<&FileSeen>) -> (Self, BotReply) {
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
            return self.hear_answer(&word, message, file);
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

    /// A message where yes or no is expected. Another request replaces the steps.
    fn hear_answer(self, word: &str, message: &str, file: Option<&FileSeen>) -> (Self, BotReply) {
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

    fn uploaded(self, file: Option<&FileSeen>) -> (Self, BotReply) {
        if self.phase != DialoguePhase::AwaitingFile {
            return (self, BotReply::of(texts::UPLOADED));
        }
        match (self.request, file) {
            (Some(PendingRequest { kind, message }), Some(file)) => propose(kind, &message, file),
            _ => (Self::default(), BotReply::of(texts::UPLOADED_FIRST)),
        }
    }
}

/// Ask whether to run what `message` asks for, or for what it lacks.
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

// === impl Reply ===

impl BotReply {
    fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    fn refused(text: &str) -> Self {
        Self { understood: Understood::Refused, ..Self::of(text) }
    }
}
