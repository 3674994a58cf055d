//! Access to conversations, their order, and the effects of deleting one.
use quadrille_store::{Access, Conversation, NewEnd, NewFile, NewMessage, Page};
use uuid::Uuid;

use crate::bed::{ALL, Bed, each, message, turn as new_turn};

async fn ids(bed: &Bed, user: &str, page: Page) -> Vec<i64> {
    let all = bed.store.conversations(user, page).await.unwrap();
    all.into_iter().map(|conversation| conversation.id).collect()
}

#[tokio::test]
async fn a_user_keeps_the_name_they_were_given_last() {
    each(async |bed| {
        let store = &bed.store;
        assert_eq!(store.user_name("ann").await.unwrap(), None);
        store.put_user("ann", None).await.unwrap();
        assert_eq!(store.user_name("ann").await.unwrap(), None);
        store.put_user("ann", Some("Ann")).await.unwrap();
        store.put_user("ann", None).await.unwrap();
        assert_eq!(store.user_name("ann").await.unwrap().as_deref(), Some("Ann"));
        store.put_user("ann", Some("Anna")).await.unwrap();
        assert_eq!(store.user_name("ann").await.unwrap().as_deref(), Some("Anna"));
    })
    .await;
}

#[tokio::test]
async fn a_new_conversation_is_its_makers_and_has_the_default_title() {
    each(async |bed| {
        let made = bed.conversation("ann").await;
        let expected = Conversation {
            id: made.id,
            user_id: "ann".into(),
            title: "New Conversation".into(),
            is_pinned: false,
            created_at: made.created_at,
            updated_at: made.created_at,
        };
        assert_eq!(made, expected);
        assert_eq!(bed.store.conversations("ann", ALL).await.unwrap(), [expected]);
        let named = bed.store.create_conversation("ann", Some("Plans")).await.unwrap();
        assert_eq!(named.title, "Plans");
    })
    .await;
}

#[tokio::test]
async fn a_conversation_is_not_there_for_those_who_are_no_members() {
    each(async |bed| {
        let (store, made) = (&bed.store, bed.conversation("ann").await);
        bed.say(made.id, "ann", "a secret").await;
        bed.conversation("bob").await;
        let bob = Access::Member("bob");
        assert_eq!(store.conversation(made.id, bob).await.unwrap(), None);
        let changed = store.update_conversation(made.id, bob, Some("Mine"), Some(true)).await;
        assert_eq!(changed.unwrap(), None);
        assert_eq!(store.delete_conversation(made.id, "bob").await.unwrap(), None);
        assert_eq!(store.search("bob", "secret", ALL).await.unwrap().messages, []);
        assert!(!ids(bed, "bob", ALL).await.contains(&made.id));
        let ann = store.conversation(made.id, Access::Member("ann")).await.unwrap();
        assert_eq!(
            ann.as_ref().map(|conversation| (&*conversation.title, conversation.is_pinned)),
            Some(("a secret", false))
        );
        assert_eq!(store.conversation(made.id, Access::Granted).await.unwrap(), ann);
        assert_eq!(store.conversation(made.id + 1000, Access::Granted).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_nothing_else() {
    each(async |bed| {
        let (store, made) = (&bed.store, bed.conversation("ann").await);
        let ann = Access::Member("ann");
        let pinned = store.update_conversation(made.id, ann, None, Some(true)).await.unwrap();
        let pinned = pinned.unwrap();
        assert_eq!((&*pinned.title, pinned.is_pinned), ("New Conversation", true));
        let named = store.update_conversation(made.id, Access::Granted, Some("Plans"), None).await;
        let named = named.unwrap().unwrap();
        assert_eq!((&*named.title, named.is_pinned), ("Plans", true));
        assert_eq!(store.conversation(made.id, ann).await.unwrap(), Some(named));
    })
    .await;
}

#[tokio::test]
async fn pinned_ones_come_first_and_then_the_last_changed() {
    each(async |bed| {
        let store = &bed.store;
        let mut made = Vec::new();
        for _ in 0..4 {
            made.push(bed.conversation("ann").await.id);
        }
        // Nothing else tells apart what was changed in the same millisecond.
        bed.execute("UPDATE conversations SET updated_at = id").await;
        let [a, b, c, d] = made[..] else { unreachable!("four were made") };
        assert_eq!(ids(bed, "ann", ALL).await, [d, c, b, a]);
        bed.say(b, "ann", "hello").await;
        store.update_conversation(a, Access::Granted, None, Some(true)).await.unwrap();
        assert_eq!(ids(bed, "ann", ALL).await, [a, b, d, c]);
        assert_eq!(ids(bed, "ann", Page { limit: 2, offset: 1 }).await, [b, d]);
        assert_eq!(ids(bed, "ann", Page { limit: 2, offset: 4 }).await, Vec::<i64>::new());
        assert_eq!(ids(bed, "ann", Page { limit: u32::MAX, offset: 3 }).await, [c]);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_conversation_takes_everything_with_it_and_nothing_else() {
    each(async |bed| {
        let store = &bed.store;
        let (gone, stays) = (bed.conversation("ann").await.id, bed.conversation("ann").await.id);
        let turn = Uuid::now_v7();
        let file = |key, conversation| NewFile {
            key,
            user: "ann",
            conversation: Some(conversation),
            name: "a.txt",
            media_type: "text/plain",
            size: 1,
        };
        for (key, conversation) in [("k/1", gone), ("k/2", gone), ("k/3", stays)] {
            store.add_file(file(key, conversation)).await.unwrap();
        }
        let files = ["k/1".to_owned()];
        let new = NewMessage {
            key: Some("once"),
            turn: Some(new_turn(turn, "room:1")),
            files: &files,
            ..message(gone, "ann", "doomed words")
        };
        let doomed = store.add_message(new).await.unwrap().message.id;
        let other = bed.say(stays, "ann", "lasting words").await.message.id;

        let mut keys = store.delete_conversation(gone, "ann").await.unwrap().unwrap();
        keys.sort();
        assert_eq!(keys, ["k/1", "k/2"]);
        assert_eq!(store.delete_conversation(gone, "ann").await.unwrap(), None);
        assert_eq!(store.message(doomed).await.unwrap(), None);
        assert_eq!(store.end_turn(turn, NewEnd::completed("late")).await.unwrap(), None);
        assert_eq!(store.open_turns(i64::MAX).await.unwrap(), []);
        assert_eq!(store.file("k/2").await.unwrap(), None);
        assert!(store.file("k/3").await.unwrap().is_some());
        let found = store.search("ann", "words", ALL).await.unwrap().messages;
        assert_eq!(found.iter().map(|message| message.id).collect::<Vec<_>>(), [other]);
        assert_eq!(store.forget_keys(i64::MAX).await.unwrap(), 0);
    })
    .await;
}
