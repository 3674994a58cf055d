//! Rows of files, and their messages.
use quadrille_store::{Error, FileInfo, NewFile, NewMessage, Page};

use crate::bed::{ALL, Bed, each, message};

async fn upload(bed: &Bed, key: &str, user: &str, conversation: Option<i64>) -> FileInfo {
    let file =
        NewFile { key, user, conversation, name: "a b.png", media_type: "image/png", size: 3 };
    bed.store.add_file(file).await.unwrap()
}

#[tokio::test]
async fn a_file_is_known_by_its_key_and_listed_for_its_user() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        let added = upload(bed, "k/1", "ann", Some(id)).await;
        let expected = FileInfo {
            key: "k/1".into(),
            user_id: "ann".into(),
            conversation_id: Some(id),
            message_id: None,
            name: "a b.png".into(),
            media_type: "image/png".into(),
            size: 3,
            created_at: added.created_at,
        };
        assert_eq!(added, expected);
        assert_eq!(bed.store.file("k/1").await.unwrap(), Some(expected));
        assert_eq!(bed.store.file("k/2").await.unwrap(), None);
        upload(bed, "k/2", "ann", None).await;
        upload(bed, "k/3", "bob", None).await;
        let keys = async |user, page| {
            let files = bed.store.files(user, page).await.unwrap();
            files.into_iter().map(|file| file.key).collect::<Vec<_>>()
        };
        assert_eq!(keys("ann", ALL).await, ["k/2", "k/1"]);
        assert_eq!(keys("ann", Page { limit: 1, offset: 1 }).await, ["k/1"]);
        assert_eq!(keys("cid", ALL).await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_key_has_one_file() {
    each(async |bed| {
        upload(bed, "k/1", "ann", None).await;
        let again = NewFile {
            key: "k/1",
            user: "bob",
            conversation: None,
            name: "b",
            media_type: "text/plain",
            size: 4,
        };
        let again = bed.store.add_file(again).await;
        assert!(matches!(again, Err(Error::Internal(_))), "{again:?}");
        assert_eq!(bed.store.file("k/1").await.unwrap().unwrap().user_id, "ann");
    })
    .await;
}

#[tokio::test]
async fn a_file_for_a_conversation_that_is_gone_is_the_users_alone() {
    each(async |bed| {
        assert_eq!(upload(bed, "k/1", "ann", Some(4711)).await.conversation_id, None);
    })
    .await;
}

#[tokio::test]
async fn files_are_attached_once_and_only_those_of_the_user() {
    each(async |bed| {
        let (id, other) = (bed.conversation("ann").await.id, bed.conversation("ann").await.id);
        upload(bed, "k/1", "ann", None).await;
        upload(bed, "k/2", "ann", Some(id)).await;
        upload(bed, "k/3", "bob", Some(id)).await;
        upload(bed, "k/4", "ann", Some(other)).await;
        let files = ["k/2", "k/1", "k/3", "k/4", "k/5"].map(str::to_owned);
        let new = NewMessage { files: &files, ..message(id, "ann", "look") };
        let added = bed.store.add_message(new).await.unwrap().message;
        let attached: Vec<_> = added.files.iter().map(|file| &*file.key).collect();
        assert_eq!(attached, ["k/2", "k/1"]);
        for file in &added.files {
            assert_eq!((file.message_id, file.conversation_id), (Some(added.id), Some(id)));
            assert_eq!(bed.store.file(&file.key).await.unwrap().as_ref(), Some(file));
        }
        let again = bed.store.add_message(new).await.unwrap().message;
        assert_eq!(again.files, []);
        // Each message is read with its own files.
        bed.say(id, "ann", "nothing").await;
        let read = bed.store.messages(id, None, 9).await.unwrap();
        let read: Vec<_> = read.iter().map(|message| message.files.len()).collect();
        assert_eq!(read, [2, 0, 0]);
    })
    .await;
}

#[tokio::test]
async fn files_come_with_their_message_or_not_at_all() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        let file = |key| NewFile {
            key,
            user: "bob",
            conversation: None,
            name: "a b.png",
            media_type: "image/png",
            size: 3,
        };
        let new = NewMessage { key: Some("once"), ..message(id, "ann", "look") };
        let added = bed.store.add_message_with(new, &[file("k/1"), file("k/2")]).await.unwrap();
        let owners = |files: &[FileInfo]| -> Vec<_> {
            files
                .iter()
                .map(|file| (file.key.clone(), file.user_id.clone(), file.message_id))
                .collect()
        };
        let theirs = |key: &str| (key.to_owned(), "ann".to_owned(), Some(added.message.id));
        assert_eq!(owners(&added.message.files), [theirs("k/1"), theirs("k/2")]);
        assert_eq!(owners(&bed.store.files("ann", ALL).await.unwrap()).len(), 2);
        // Neither a repeat, nor a refusal, nor a key that is taken leaves a trace.
        let again = bed.store.add_message_with(new, &[file("k/3"), file("k/4")]).await.unwrap();
        assert_eq!((again.is_new, again.message.files.len()), (false, 2));
        let nowhere = NewMessage { conversation: 4711, key: None, ..new };
        assert!(bed.store.add_message_with(nowhere, &[file("k/3")]).await.is_err());
        let taken = NewMessage { key: None, ..new };
        assert!(bed.store.add_message_with(taken, &[file("k/3"), file("k/1")]).await.is_err());
        assert_eq!(bed.store.file("k/3").await.unwrap(), None);
        assert_eq!(bed.contents(id).await, ["look"]);
    })
    .await;
}
