//! A message with a key is added once, whoever sends it again, and however many at a time.
use std::time::Duration;

use quadrille_store::{AddError, NewEnd, NewFile, NewMessage, Sender, TurnOpening};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::bed::{each, message, turn as new_turn, with};

#[tokio::test]
async fn the_same_key_gives_the_same_message_and_its_turn() {
    each(async |bed| {
        let (store, id) = (&bed.store, bed.conversation("ann").await.id);
        let new = |content, turn| NewMessage {
            key: Some("once"),
            turn: Some(new_turn(turn, "room:1")),
            metadata: Some(r#"{"a":1}"#),
            ..message(id, "ann", content)
        };
        let turn = Uuid::now_v7();
        let first = store.add_message(new("hello", turn)).await.unwrap();
        assert!(first.is_new);
        let again = store.add_message(new("hello", Uuid::now_v7())).await.unwrap();
        assert_eq!((again.is_new, again.turn, &again.title), (false, Some(turn), &None));
        assert_eq!(again.message, first.message);
        let other = store.add_message(new("good-bye", Uuid::now_v7())).await;
        assert!(matches!(other, Err(AddError::KeyReused)), "{other:?}");
        assert_eq!(bed.contents(id).await, ["hello"]);
    })
    .await;
}

#[tokio::test]
async fn a_key_with_another_sender_metadata_or_file_is_another_messages() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        let file = |key, name, size| NewFile {
            key,
            user: "ann",
            conversation: None,
            name,
            media_type: "text/plain",
            size,
        };
        let new = NewMessage {
            key: Some("once"),
            metadata: Some(r#"{"a":1,"b":2}"#),
            ..message(id, "ann", "hello")
        };
        let first = bed.store.add_message_with(new, &[file("k/1", "a", 3)]).await.unwrap();
        let same = NewMessage { metadata: Some(r#"{ "b": 2, "a": 1 }"#), ..new };
        let again = bed.store.add_message_with(same, &[file("k/2", "a", 3)]).await.unwrap();
        assert_eq!((again.is_new, again.message), (false, first.message));
        let other_sender = NewMessage { sender: Sender::Assistant, ..new };
        let [other, none] =
            [Some(r#"{"a":2}"#), None].map(|metadata| NewMessage { metadata, ..new });
        let refused = [
            (other_sender, vec![file("k/2", "a", 3)]),
            (other, vec![file("k/2", "a", 3)]),
            (none, vec![file("k/2", "a", 3)]),
            (new, vec![file("k/2", "b", 3)]),
            (new, vec![file("k/2", "a", 4)]),
            (new, vec![]),
            (new, vec![file("k/2", "a", 3), file("k/3", "a", 3)]),
        ];
        for (new, files) in refused {
            let err = bed.store.add_message_with(new, &files).await;
            assert!(matches!(err, Err(AddError::KeyReused)), "{new:?} {files:?} {err:?}");
        }
        assert_eq!(bed.contents(id).await, ["hello"]);
    })
    .await;
}

#[tokio::test]
async fn a_key_is_one_users_in_one_conversation() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        let other = bed.conversation("ann").await.id;
        for (conversation, user) in [(id, "ann"), (id, "bob"), (other, "ann")] {
            let new = NewMessage { key: Some("once"), ..message(conversation, user, user) };
            assert!(bed.store.add_message(new).await.unwrap().is_new, "{conversation} {user}");
        }
        assert_eq!(bed.contents(id).await, ["ann", "bob"]);
    })
    .await;
}

#[tokio::test]
async fn of_many_at_once_with_one_key_one_is_added() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        let mut racing = JoinSet::new();
        for n in 0..32 {
            let store = bed.store.clone();
            racing.spawn(async move {
                let turn = Uuid::now_v7();
                // Every other one asks something else.
                let content = if n % 2 == 0 { "even" } else { "odd" };
                let new = NewMessage {
                    key: Some("once"),
                    turn: Some(new_turn(turn, "room:1")),
                    ..message(id, "ann", content)
                };
                (turn, content, store.add_message(new).await)
            });
        }
        let ended = racing.join_all().await;
        let new: Vec<_> =
            ended.iter().filter(|end| matches!(&end.2, Ok(added) if added.is_new)).collect();
        let [(turn, content, Ok(winner))] = new[..] else { panic!("{new:?}") };
        for (_, asked, got) in &ended {
            match got {
                Ok(got) => {
                    assert_eq!((asked, got.turn), (content, Some(*turn)));
                    assert_eq!(got.message, winner.message);
                }
                Err(AddError::KeyReused) => assert_ne!(asked, content),
                Err(err) => panic!("{err:?}"),
            }
        }
        assert_eq!(bed.contents(id).await, [*content]);
    })
    .await;
}

#[tokio::test]
async fn many_at_once_without_keys_are_all_added() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        let mut racing = JoinSet::new();
        for n in 0..50 {
            let store = bed.store.clone();
            let user = format!("user {}", n % 5);
            racing.spawn(async move {
                store.add_message(message(id, &user, "hello")).await.unwrap().message.id
            });
        }
        let mut ids = racing.join_all().await;
        ids.sort_unstable();
        let stored = bed.store.messages(id, None, 100).await.unwrap();
        assert_eq!(stored.iter().map(|message| message.id).collect::<Vec<_>>(), ids);
        ids.dedup();
        assert_eq!(ids.len(), 50);
    })
    .await;
}

#[tokio::test]
async fn a_key_can_be_used_again_when_it_is_forgotten() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        let new = |content| NewMessage { key: Some("once"), ..message(id, "ann", content) };
        let first = bed.store.add_message(new("hello")).await.unwrap().message;
        assert_eq!(bed.store.forget_keys(first.created_at).await.unwrap(), 0);
        assert_eq!(bed.store.forget_keys(first.created_at + 1).await.unwrap(), 1);
        assert!(bed.store.add_message(new("good-bye")).await.unwrap().is_new);
        assert_eq!(bed.contents(id).await, ["hello", "good-bye"]);
    })
    .await;
}

#[tokio::test]
async fn an_old_key_means_nothing_even_if_nobody_swept_it() {
    with(
        |config| config.keep_keys = Duration::from_mins(1),
        async |bed| {
            let id = bed.conversation("ann").await.id;
            let new = |content| NewMessage { key: Some("once"), ..message(id, "ann", content) };
            bed.store.add_message(new("hello")).await.unwrap();
            assert!(!bed.store.add_message(new("hello")).await.unwrap().is_new);
            bed.execute("UPDATE idempotency_keys SET created_at = created_at - 61000").await;
            assert!(bed.store.add_message(new("good-bye")).await.unwrap().is_new);
            // It is known again from now on.
            assert!(!bed.store.add_message(new("good-bye")).await.unwrap().is_new);
        },
    )
    .await;
}

#[tokio::test]
async fn a_key_of_a_turn_is_one_in_all_topics_of_a_user() {
    each(async |bed| {
        let (store, id) = (&bed.store, bed.conversation("ann").await.id);
        let open = async |turn, topic, user| {
            store.open_turn(new_turn(turn, topic), user, "hello", Some("once")).await.unwrap()
        };
        let first = Uuid::now_v7();
        assert_eq!(open(first, "user:ann", "ann").await, TurnOpening::New);
        for topic in ["user:ann", "chan:other"] {
            let known = open(Uuid::now_v7(), topic, "ann").await;
            let TurnOpening::Known(turn) = known else { panic!("{known:?}") };
            assert_eq!((turn.id, &*turn.topic, &*turn.question), (first, "user:ann", "hello"));
        }
        assert_eq!(open(Uuid::now_v7(), "user:bob", "bob").await, TurnOpening::New);
        // In a conversation, too.
        let new = |topic| NewMessage {
            key: Some("once"),
            turn: Some(new_turn(Uuid::now_v7(), topic)),
            ..message(id, "ann", "hello")
        };
        let refused = store.add_message(new("room:1")).await;
        assert!(matches!(refused, Err(AddError::KeyReused)), "{refused:?}");
        assert_eq!(bed.contents(id).await, [""; 0]);
        // A message without a turn has keys of its own.
        let plain = NewMessage { key: Some("once"), ..message(id, "ann", "hello") };
        assert!(store.add_message(plain).await.unwrap().is_new);
    })
    .await;
}

#[tokio::test]
async fn a_key_of_a_turn_may_be_freed_or_expire() {
    with(
        |config| config.keep_keys = Duration::from_mins(1),
        async |bed| {
            let open = async || {
                let id = Uuid::now_v7();
                let turn = new_turn(id, "user:ann");
                let opened = bed.store.open_turn(turn, "ann", "hello", Some("once")).await;
                (id, opened.unwrap() == TurnOpening::New)
            };
            let (late, is_new) = open().await;
            assert!(is_new && !open().await.1);
            let end = NewEnd::failed("", "queue_timeout", "it waited too long", "");
            let end = NewEnd { frees_key: true, ..end };
            bed.store.end_turn(late, end).await.unwrap().unwrap();
            assert!(open().await.1 && !open().await.1);
            bed.execute("UPDATE turn_keys SET created_at = created_at - 61000").await;
            assert!(open().await.1 && !open().await.1);
            assert_eq!(bed.store.forget_keys(i64::MAX).await.unwrap(), 1);
            assert!(open().await.1);
        },
    )
    .await;
}
