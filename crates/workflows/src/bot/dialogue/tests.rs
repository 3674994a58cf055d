//! Every transition of the dialogue.
use serde_json::json;

use super::*;

fn people() -> FileSeen {
    FileSeen { name: "people.csv".to_owned(), columns: ["Name", "Age"].map(str::to_owned).into() }
}

fn say(state: Dialogue, message: &str, file: Option<&FileSeen>) -> (Dialogue, BotReply) {
    answer(state, Input::Message(message), file)
}

/// A conversation in which a suggestion waits for a confirmation.
fn asked() -> Dialogue {
    let (state, reply) = say(Dialogue::default(), "extract columns: name", Some(&people()));
    assert_eq!(state.phase, DialoguePhase::AwaitingConfirmation);
    assert!(reply.requires_confirmation);
    state
}

fn confirm(confirmed: bool, modified: Option<Vec<Suggested>>) -> Input<'static> {
    Input::Confirmed { confirmed, modified }
}

fn other() -> Vec<Suggested> {
    vec![Suggested {
        operation: "json/generate".to_owned(),
        arguments: json!({}),
        description: String::new(),
    }]
}

#[test]
fn what_is_not_understood_is_refused_and_changes_nothing() {
    let long = "find ".repeat(2001);
    let (unknown, refused) = (Understood::Unknown, Understood::Refused);
    let messages =
        [("", refused), ("  ", refused), ("hello", unknown), ("yes", unknown), (&long, refused)];
    for (message, expected) in messages {
        let (state, reply) = say(Dialogue::default(), message, Some(&people()));
        assert_eq!((state, reply.understood), (Dialogue::default(), expected));
        assert!(!reply.text.is_empty());
    }
    let (_, reply) = say(Dialogue::default(), "find ".repeat(2000).trim(), None);
    assert_eq!(reply.understood, Understood::Yes);
}

#[test]
fn a_request_without_a_file_is_remembered_until_the_file_comes() {
    let (state, reply) = say(Dialogue::default(), "extract columns: name", None);
    assert_eq!(state.phase, DialoguePhase::AwaitingFile);
    assert!(reply.requires_file && !reply.requires_confirmation && reply.suggested.is_none());
    assert_eq!(reply.intent.unwrap().kind, Kind::ExtractColumns);

    let (state, reply) = answer(state, Input::Uploaded, Some(&people()));
    assert_eq!(state.phase, DialoguePhase::AwaitingConfirmation);
    let steps = reply.suggested.unwrap();
    assert_eq!(steps[0].arguments["columns"], json!(["Name"]));
    assert_eq!(state.steps, steps);
    assert!(reply.requires_confirmation);
}

#[test]
fn what_can_be_suggested_without_a_file_is_said_at_once() {
    let (_, reply) = say(Dialogue::default(), "convert to json", None);
    assert!(reply.text.contains("I suggest: Write every row as a JSON object."), "{}", reply.text);
}

#[test]
fn a_request_that_lacks_something_says_what_when_the_file_comes() {
    let (state, _) = say(Dialogue::default(), "extract columns: salary", None);
    let (state, reply) = answer(state, Input::Uploaded, Some(&people()));
    assert_eq!((state.phase, reply.suggested), (DialoguePhase::Idle, None));
    assert!(reply.text.contains("no column \"salary\""), "{}", reply.text);
    assert!(reply.text.contains("Name, Age"), "{}", reply.text);
}

#[test]
fn a_later_request_replaces_the_one_that_waits_for_a_file() {
    let (state, _) = say(Dialogue::default(), "extract columns: name", None);
    let (state, _) = say(state, "convert to json", None);
    let (state, _) = answer(state, Input::Uploaded, Some(&people()));
    assert_eq!(state.steps[0].operation, "json/generate");
}

#[test]
fn a_file_that_nobody_waits_for_changes_nothing() {
    let waiting = Dialogue { phase: DialoguePhase::AwaitingFile, ..Dialogue::default() };
    let (state, _) = answer(waiting, Input::Uploaded, Some(&people()));
    assert_eq!(state, Dialogue::default());

    let before = asked();
    let (state, reply) = answer(before.clone(), Input::Uploaded, Some(&people()));
    assert_eq!((state, reply.suggested), (before, None));
}

#[test]
fn every_word_of_consent_runs_what_was_suggested() {
    for word in ["yes", "Y", "ok", "proceed", "continue", "go", "confirm", " Yes! "] {
        let state = asked();
        let steps = state.steps.clone();
        let (state, reply) = say(state, word, Some(&people()));
        assert_eq!(state.phase, DialoguePhase::Processing, "{word}");
        assert_eq!((reply.action, reply.run), (Some("execute_workflow"), Some(steps)));
    }
}

#[test]
fn a_no_forgets_what_was_suggested() {
    for input in [Input::Message("no"), Input::Message("n"), confirm(false, Some(other()))] {
        let (state, reply) = answer(asked(), input, Some(&people()));
        assert_eq!(
            (state, reply.run, reply.understood),
            (Dialogue::default(), None, Understood::Yes)
        );
    }
}

#[test]
fn cancel_and_help_are_heard_in_every_phase() {
    for word in ["cancel", "STOP", "quit"] {
        let (state, reply) = say(asked(), word, Some(&people()));
        assert_eq!((state, reply.text.as_str()), (Dialogue::default(), texts::CANCELLED));
    }
    for word in ["help", "?"] {
        let before = asked();
        let (state, reply) = say(before.clone(), word, None);
        assert_eq!((state, reply.text), (before, texts::help()));
    }
}

#[test]
fn anything_else_is_a_wish_for_other_steps() {
    let before = asked();
    let (state, reply) = say(before.clone(), "rather not like that", Some(&people()));
    assert_eq!((state, reply.action), (before.clone(), Some("modify_workflow")));

    let (state, reply) = say(before.clone(), "extract columns: salary", Some(&people()));
    assert_eq!((state, reply.action, reply.suggested), (before, Some("modify_workflow"), None));

    let (state, reply) = say(asked(), "extract columns: age", Some(&people()));
    assert_eq!(reply.action, Some("modify_workflow"));
    assert_eq!(state.steps[0].arguments["columns"], json!(["Age"]));
}

#[test]
fn steps_that_come_with_a_confirmation_win_from_any_phase() {
    for phase in [
        DialoguePhase::Idle,
        DialoguePhase::AwaitingFile,
        DialoguePhase::AwaitingConfirmation,
        DialoguePhase::Processing,
    ] {
        let (state, reply) =
            answer(Dialogue { phase, ..asked() }, confirm(true, Some(other())), None);
        assert_eq!((state.phase, reply.run), (DialoguePhase::Processing, Some(other())));
    }
}

#[test]
fn a_bare_confirmation_runs_what_was_suggested_if_anything_was() {
    let state = asked();
    let steps = state.steps.clone();
    let (_, reply) = answer(state, confirm(true, None), None);
    assert_eq!(reply.run, Some(steps.clone()));
    let (_, reply) = answer(asked(), confirm(true, Some(Vec::new())), None);
    assert_eq!(reply.run, Some(steps));

    let (state, reply) = answer(Dialogue::default(), confirm(true, None), None);
    assert_eq!(
        (state, reply.understood, reply.run),
        (Dialogue::default(), Understood::Refused, None)
    );
}

#[test]
fn a_run_is_waited_for_or_stopped() {
    let (processing, _) = say(asked(), "yes", Some(&people()));
    let (state, reply) = say(processing.clone(), "convert to json", Some(&people()));
    assert_eq!((&state, reply.text.as_str()), (&processing, texts::BUSY));
    let (state, reply) = say(state, "stop", None);
    assert_eq!((&state, reply.action), (&processing, Some("cancel_workflow")));
}

#[test]
fn a_state_survives_being_stored() {
    for state in [Dialogue::default(), asked(), say(Dialogue::default(), "find me", None).0] {
        let stored = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<Dialogue>(&stored).unwrap(), state);
    }
    let phase = serde_json::to_value(DialoguePhase::AwaitingConfirmation).unwrap();
    assert_eq!(phase, "awaiting_confirmation");
}
