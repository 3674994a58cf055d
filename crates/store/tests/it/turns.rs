//! A turn that was opened is closed once, with its reply.
use quadrille_store::{Access, Interrupted, Message, NewMessage, Sender, TurnEnd};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::bed::{Bed, each, message};

async fn ask(bed: &Bed, conversation: i64) -> Uuid {
    let turn = Uuid::now_v7();
    let new = NewMessage { turn: Some(turn), ..message(conversation, "ann", "why?") };
    assert_eq!(bed.store.add_message(new).await.unwrap().turn, Some(turn));
    turn
}

fn metadata(message: &Message) -> Value {
    serde_json::from_str(message.metadata.as_deref().unwrap()).unwrap()
}

#[tokio::test]
async fn the_end_of_a_turn_is_stored_with_its_reply_and_only_once() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        let ends = [
            (TurnEnd::Completed, "completed"),
            (TurnEnd::Failed, "failed"),
            (TurnEnd::Cancelled, "cancelled"),
        ];
        for (end, status) in ends {
            let turn = ask(bed, id).await;
            let reply = bed.store.end_turn(turn, end, "because").await.unwrap().unwrap();
            assert_eq!(metadata(&reply), json!({ "turn": turn, "status": status }));
            assert_eq!((reply.user_id.as_ref(), reply.sender), (None, Sender::Assistant));
            assert_eq!(bed.store.message(reply.id).await.unwrap().as_ref(), Some(&reply));
            assert_eq!(bed.store.end_turn(turn, end, "again").await.unwrap(), None);
            let changed = bed.store.conversation(id, Access::Granted).await.unwrap().unwrap();
            assert_eq!(changed.updated_at, reply.created_at);
        }
        assert_eq!(bed.contents(id).await, ["why?", "because"].repeat(3));
        let unknown = bed.store.end_turn(Uuid::now_v7(), TurnEnd::Failed, "").await;
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
                store.end_turn(turn, TurnEnd::Completed, &content).await.unwrap()
            });
        }
        let ended: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
        assert_eq!(ended.len(), 1, "{ended:?}");
        assert_eq!(bed.contents(id).await, ["why?", &ended[0].content]);
    })
    .await;
}

#[tokio::test]
async fn a_reply_stays_with_its_question_whatever_was_said_in_between() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        let [first, second, third] = [ask(bed, id).await, ask(bed, id).await, ask(bed, id).await];
        bed.store.end_turn(first, TurnEnd::Completed, "one").await.unwrap();
        bed.store.end_turn(second, TurnEnd::Failed, "sorry").await.unwrap();
        bed.store.end_turn(third, TurnEnd::Completed, "three").await.unwrap();
        for nothing in ["", " \r\n\t"] {
            let silent = ask(bed, id).await;
            bed.store.end_turn(silent, TurnEnd::Completed, nothing).await.unwrap();
        }
        ask(bed, id).await;
        let all = bed.store.exchanges(id, 9, 1 << 20).await.unwrap();
        let replies = |all: &[(String, String)]| -> Vec<_> {
            all.iter().map(|(question, reply)| format!("{question} {reply}")).collect()
        };
        assert_eq!(replies(&all), ["why? one", "why? three"]);
        assert_eq!(replies(&bed.store.exchanges(id, 1, 1 << 20).await.unwrap()), ["why? three"]);
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
            bed.store.end_turn(turn, TurnEnd::Completed, &reply).await.unwrap();
        }
        let firsts = async |bytes| {
            let all = bed.store.exchanges(id, 9, bytes).await.unwrap();
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
async fn turns_that_were_cut_off_are_told_at_the_next_start() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        let other = bed.conversation("bob").await.id;
        let done = ask(bed, id).await;
        bed.store.end_turn(done, TurnEnd::Completed, "because").await.unwrap();
        let (first, second) = (ask(bed, id).await, ask(bed, other).await);
        assert_eq!(bed.store.interrupt_turn("cut off", 1).await.unwrap(), None);
        let mut found = Vec::new();
        while let Some(told) = bed.store.interrupt_turn("cut off", i64::MAX).await.unwrap() {
            let Interrupted { turn, conversation_id, message } = told;
            assert_eq!(metadata(&message), json!({ "turn": turn, "status": "interrupted" }));
            assert_eq!((message.conversation_id, &*message.content), (conversation_id, "cut off"));
            found.push((turn, conversation_id));
        }
        found.sort();
        assert_eq!(found, [(first, id), (second, other)]);
        assert_eq!(bed.contents(other).await, ["why?", "cut off"]);
        assert_eq!(bed.store.end_turn(first, TurnEnd::Completed, "late").await.unwrap(), None);
    })
    .await;
}
