//! A turn that was opened is ended once, with its reply.
use quadrille_store::{
    Access, Message, NewEnd, NewMessage, Segment, Sender, StoredState, TurnOpening,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::bed::{Bed, each, message, turn as new_turn};

/// Asks in a conversation.
async fn ask(bed: &Bed, conversation: i64) -> Uuid {
    let (turn, topic) = (Uuid::now_v7(), format!("room:{conversation}"));
    let new =
        NewMessage { turn: Some(new_turn(turn, &topic)), ..message(conversation, "ann", "why?") };
    assert_eq!(bed.store.add_message(new).await.unwrap().turn, Some(turn));
    turn
}

/// Asks outside of conversations.
async fn ask_in(bed: &Bed, topic: &str, question: &str) -> Uuid {
    let id = Uuid::now_v7();
    let opened = bed.store.open_turn(new_turn(id, topic), "ann", question, None).await.unwrap();
    assert_eq!(opened, TurnOpening::New);
    id
}

fn segment(turn: Uuid, start: i64, text: &str) -> Segment {
    Segment { turn, start, text: text.to_owned() }
}

fn metadata(message: &Message) -> Value {
    serde_json::from_str(message.metadata.as_deref().unwrap()).unwrap()
}

#[tokio::test]
async fn the_end_of_a_turn_is_stored_with_its_reply_and_only_once() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        let ends = [
            (NewEnd::completed("because"), json!({"status": "completed"})),
            (
                NewEnd::failed("because", "upstream", "it failed", "sorry"),
                json!({"status": "failed", "code": "upstream"}),
            ),
            (NewEnd::cancelled("because"), json!({"status": "cancelled"})),
        ];
        for (end, mut expected) in ends {
            let turn = ask(bed, id).await;
            let ended = bed.store.end_turn(turn, end).await.unwrap().unwrap();
            let reply = ended.message.unwrap();
            expected["turn"] = json!(turn);
            assert_eq!(metadata(&reply), expected);
            assert_eq!((reply.user_id.as_ref(), reply.sender), (None, Sender::Assistant));
            assert_eq!(bed.store.message(reply.id).await.unwrap().as_ref(), Some(&reply));
            assert_eq!(bed.store.end_turn(turn, end).await.unwrap(), None);
            let changed = bed.store.conversation(id, Access::Granted).await.unwrap().unwrap();
            assert_eq!(changed.updated_at, reply.created_at);
        }
        assert_eq!(bed.contents(id).await, ["why?", "because"].repeat(3));
        let unknown = bed.store.end_turn(Uuid::now_v7(), NewEnd::completed("")).await;
        assert_eq!(unknown.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn of_many_ends_at_once_one_is_stored() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        let turn = ask(bed, id).await;
        let mut racing = JoinSet::new();
        for n in 0..16 {
            let store = bed.store.clone();
            let content = n.to_string();
            racing.spawn(async move {
                store.end_turn(turn, NewEnd::completed(&content)).await.unwrap()
            });
        }
        let ended: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
        assert_eq!(ended.len(), 1, "{ended:?}");
        let said = ended[0].message.as_ref().unwrap();
        assert_eq!(bed.contents(id).await, ["why?", &said.content]);
    })
    .await;
}

#[tokio::test]
async fn a_turn_of_any_topic_grows_and_is_found_with_its_text() {
    each(async |bed| {
        let store = &bed.store;
        let conversation = bed.conversation("ann").await.id;
        let turns = [ask_in(bed, "user:ann", "hello").await, ask(bed, conversation).await];
        for (start, text) in [(0, "Mi"), (2, "a\u{f9} "), (6, "!")] {
            let segments = turns.map(|turn| segment(turn, start, text));
            store.grow_turns(&segments).await.unwrap();
        }
        for turn in turns {
            let found = store.turn(turn).await.unwrap().unwrap();
            assert_eq!((found.state, &*found.text), (StoredState::Open, "Mia\u{f9} !"));
        }
        let running = store.running_replies(conversation).await.unwrap();
        let running: Vec<_> = running.iter().map(|reply| (reply.turn, &*reply.text)).collect();
        assert_eq!(running, [(turns[1], "Mia\u{f9} !")]);
        let end = NewEnd { details: Some(r#"{"usage":1}"#), ..NewEnd::cancelled("Mia\u{f9} !") };
        for turn in turns {
            store.end_turn(turn, end).await.unwrap().unwrap();
            // Of a turn that has ended, nothing more is stored.
            store.grow_turns(&[segment(turn, 9, "late")]).await.unwrap();
            let found = store.turn(turn).await.unwrap().unwrap();
            assert_eq!((found.state, &*found.text), (StoredState::Cancelled, "Mia\u{f9} !"));
            assert_eq!((&*found.user, &*found.agent), ("ann", "gpt"));
            assert_eq!(found.details.as_deref(), end.details);
        }
        let [own, shared] =
            [store.turn(turns[0]).await.unwrap(), store.turn(turns[1]).await.unwrap()];
        let [own, shared] = [own.unwrap(), shared.unwrap()];
        assert_eq!((&*own.topic, &*own.question, own.conversation), ("user:ann", "hello", None));
        assert_eq!((&*shared.question, shared.conversation), ("why?", Some(conversation)));
        assert_eq!(store.running_replies(conversation).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn more_replies_grow_at_once_than_one_statement_takes() {
    each(async |bed| {
        let mut segments = Vec::new();
        for n in 0..250 {
            let turn = ask_in(bed, "user:ann", "hello").await;
            segments.push(segment(turn, 0, &n.to_string()));
        }
        bed.store.grow_turns(&segments).await.unwrap();
        for grown in segments {
            let found = bed.store.turn(grown.turn).await.unwrap().unwrap();
            assert_eq!(found.text, grown.text);
        }
    })
    .await;
}

#[tokio::test]
async fn a_failed_reply_keeps_its_text_and_only_an_empty_one_has_the_sentence() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        for text in ["Mia", ""] {
            let turn = ask(bed, id).await;
            let end = NewEnd::failed(text, "broken_off", "it broke off", "sorry");
            bed.store.end_turn(turn, end).await.unwrap().unwrap();
            let found = bed.store.turn(turn).await.unwrap().unwrap();
            assert_eq!((&*found.text, found.state), (text, StoredState::Failed));
            assert_eq!(found.code.as_deref(), Some("broken_off"));
            assert_eq!(found.title.as_deref(), Some("it broke off"));
        }
        assert_eq!(bed.contents(id).await, ["why?", "Mia", "why?", "sorry"]);
        let told = bed.store.exchanges(&format!("room:{id}"), 9, 1 << 20).await.unwrap();
        let both = |question: &str, reply: &str| (question.to_owned(), reply.to_owned());
        assert_eq!(told, [both("why?", "Mia"), both("why?", "")]);
    })
    .await;
}

#[tokio::test]
async fn the_window_counts_turns_of_the_topic_however_they_ended() {
    each(async |bed| {
        let ends = [
            NewEnd::completed("one"),
            NewEnd::cancelled("two"),
            NewEnd::failed("three", "upstream", "it failed", ""),
            NewEnd::completed(""),
        ];
        for (n, end) in ends.into_iter().enumerate() {
            let turn = ask_in(bed, "user:ann", &n.to_string()).await;
            bed.store.end_turn(turn, end).await.unwrap().unwrap();
        }
        ask_in(bed, "user:ann", "open").await;
        let other = ask_in(bed, "user:bob", "other").await;
        bed.store.end_turn(other, NewEnd::completed("other")).await.unwrap();
        let told = async |window| {
            let told = bed.store.exchanges("user:ann", window, 1 << 20).await.unwrap();
            let texts = told.into_iter().map(|(question, reply)| [question, reply].concat());
            texts.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told(9).await, "0one 1two 2three 3");
        assert_eq!(told(2).await, "2three 3");
        assert_eq!(told(0).await, "");
    })
    .await;
}

#[tokio::test]
async fn what_was_said_before_has_a_bound_in_bytes() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        for n in 0..5 {
            let turn = ask(bed, id).await;
            let reply = format!("{n}{}", "x".repeat(1000));
            bed.store.end_turn(turn, NewEnd::completed(&reply)).await.unwrap();
        }
        let firsts = async |bytes| {
            let all = bed.store.exchanges(&format!("room:{id}"), 9, bytes).await.unwrap();
            all.iter()
                .map(|exchange| exchange.1.trim_end_matches('x').to_owned())
                .collect::<String>()
        };
        assert_eq!(firsts(1 << 20).await, "01234");
        assert_eq!(firsts(3500).await, "34");
        assert_eq!(firsts(10).await, "4");
    })
    .await;
}

#[tokio::test]
async fn turns_that_were_cut_off_are_listed_with_their_text() {
    each(async |bed| {
        let (store, id) = (&bed.store, bed.conversation("ann").await.id);
        let done = ask(bed, id).await;
        store.end_turn(done, NewEnd::completed("because")).await.unwrap();
        let (first, second) = (ask(bed, id).await, ask_in(bed, "user:ann", "hello").await);
        store.grow_turns(&[segment(second, 0, "Mi")]).await.unwrap();
        assert_eq!(store.open_turns(1).await.unwrap(), []);
        let open = store.open_turns(i64::MAX).await.unwrap();
        let mut open: Vec<_> = open.iter().map(|turn| (turn.id, &*turn.text)).collect();
        open.sort();
        assert_eq!(open, [(first, ""), (second, "Mi")]);
        let end = NewEnd::failed("Mi", "interrupted", "the gateway stopped", "sorry");
        store.end_turn(second, NewEnd { untold: true, ..end }).await.unwrap().unwrap();
        let untold = store.untold_turns().await.unwrap();
        assert_eq!(
            untold.iter().map(|turn| (turn.id, &*turn.text)).collect::<Vec<_>>(),
            [(second, "Mi")]
        );
        store.told(&[second]).await.unwrap();
        assert_eq!(store.untold_turns().await.unwrap(), []);
        assert_eq!(store.end_turn(second, NewEnd::completed("late")).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn old_turns_outside_of_conversations_are_deleted() {
    each(async |bed| {
        let (store, id) = (&bed.store, bed.conversation("ann").await.id);
        let [said, old] = [ask(bed, id).await, ask_in(bed, "user:ann", "hello").await];
        for turn in [said, old] {
            store.end_turn(turn, NewEnd::completed("because")).await.unwrap();
        }
        let open = ask_in(bed, "user:ann", "hello").await;
        let ended = store.turn(old).await.unwrap().unwrap().ended_at.unwrap();
        assert_eq!(store.forget_turns(ended).await.unwrap(), 0);
        assert_eq!(store.forget_turns(ended + 1000).await.unwrap(), 1);
        let left = [store.turn(said).await, store.turn(old).await, store.turn(open).await];
        let left = left.map(|turn| turn.unwrap().is_some());
        assert_eq!(left, [true, false, true]);
    })
    .await;
}
