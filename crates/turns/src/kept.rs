//! Turns and their ends, as the store has them and as the desk does.
use quadrille_agents::{Code, Ending, KeptTurn};
use quadrille_store::{NewEnd, StoredState, StoredTurn};

/// Stands in place of a reply that failed without any text.
pub fn apology(title: &str) -> String {
    format!("Sorry, I encountered an error: {title}")
}

/// The turn as the desk has it. `None` if its topic is none, which a defect alone can store.
pub fn kept(turn: StoredTurn) -> Option<KeptTurn> {
    let text = turn.text.as_str();
    let ending = match turn.state {
        StoredState::Open => None,
        StoredState::Completed => Some(Ending::Completed(text.into())),
        StoredState::Cancelled => Some(Ending::Cancelled(text.into())),
        StoredState::Failed => {
            // Earlier versions stored no code.
            let code = turn.code.as_deref().and_then(Code::parse).unwrap_or(Code::Upstream);
            Some(Ending::Failed { code, text: text.into() })
        }
    };
    Some(KeptTurn {
        id: turn.id,
        topic: turn.topic.parse().ok()?,
        user: turn.user.into(),
        question: turn.question.into(),
        agent: turn.agent.into(),
        text: turn.text,
        ending,
        message: turn.reply_message,
        report: turn.details.as_deref().and_then(|details| serde_json::from_str(details).ok()),
    })
}

/// The end as the store takes it. `sentence` is for a failed reply without text.
pub(crate) fn new_end<'a>(ending: &'a Ending, sentence: &'a str) -> NewEnd<'a> {
    let end = match ending {
        Ending::Completed(text) => NewEnd::completed(text),
        Ending::Cancelled(text) => NewEnd::cancelled(text),
        Ending::Failed { code, text } => {
            NewEnd::failed(text, code.as_str(), code.title(), sentence)
        }
    };
    NewEnd { frees_key: ending.frees_key(), ..end }
}
