//! Removes files that a kill left, and no others.
use e2e::scratch::Scratch;
use futures_util::stream;
use quadrille_store::{
    NewFile, Place,
    files::{self, Files},
};

use crate::bed::{each, message};

#[tokio::test]
async fn files_that_nobody_knows_are_removed_and_those_that_somebody_does_are_not() {
    each(async |bed| {
        let home = Scratch::new();
        let url = format!("file://{}", home.path().display());
        let files = Files::open(&files::Config { url, ..files::Config::default() }).unwrap();
        let before_the_ledger = Files::key("ann", "old.txt");
        put(&files, &before_the_ledger).await;
        files.set_ledger(&bed.store);
        let [upload, own, chat, download, lost] =
            ["u", "o", "c", "d", "l"].map(|name| Files::key("ann", name));
        for key in [&upload, &own, &chat, &download, &lost] {
            put(&files, key).await;
        }
        let new = |key| NewFile {
            key,
            user: "ann",
            conversation: None,
            name: "a",
            media_type: "text/plain",
            size: 5,
        };
        let id = bed.conversation("ann").await.id;
        bed.store.add_message_with(message(id, "ann", "m"), &[new(&upload)]).await.unwrap();
        bed.store.add_file(new(&own)).await.unwrap();
        bed.chat("a", None).await;
        bed.file("a", Place::Uploads, "a.csv", &chat).await;
        bed.store.add_download("a", None, &download, 5).await.unwrap();
        // What a kill leaves of one that is half written.
        let half = Files::key("ann", "h");
        let broken = put_half(&files, &half);
        assert!(futures_util::FutureExt::now_or_never(Box::pin(broken)).is_none());
        let there = async |key: &str| files.get(key, None).await.unwrap().is_some();
        // Nothing is so old.
        assert_eq!(bed.store.remove_lost(&files, 0).await.unwrap(), 0);
        assert!(there(&lost).await);
        assert!(bed.store.remove_lost(&files, i64::MAX).await.unwrap() >= 1);
        assert!(!there(&lost).await);
        for key in [&before_the_ledger, &upload, &own, &chat, &download] {
            assert!(there(key).await, "{key}");
        }
        let [lost, half] = [&lost, &half].map(|key| home.path().join(key));
        assert!(![lost, half].iter().any(|file| file.parent().unwrap().exists()));
        // Known ones need not be looked after again.
        assert_eq!(bed.store.remove_lost(&files, i64::MAX).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn bytes_of_what_was_deleted_are_removed_after_a_kill_or_a_failure() {
    each(async |bed| {
        let home = Scratch::new();
        let url = format!("file://{}", home.path().display());
        let files = Files::open(&files::Config { url, ..files::Config::default() }).unwrap();
        files.set_ledger(&bed.store);
        let left = async || bed.store.remove_lost(&files, i64::MAX).await.unwrap();
        // Twice: what a kill leaves that comes before anything is deleted, and a deletion that fails.
        for is_killed in [true, false] {
            let keys = ["u", "c", "d"].map(|name| Files::key("ann", name));
            for key in &keys {
                put(&files, key).await;
            }
            let [upload, chat, download] = &keys;
            let id = bed.conversation("ann").await.id;
            let file = NewFile {
                key: upload,
                user: "ann",
                conversation: Some(id),
                name: "a",
                media_type: "text/plain",
                size: 5,
            };
            bed.store.add_file(file).await.unwrap();
            bed.chat("a", None).await;
            bed.file("a", Place::Uploads, "a.csv", chat).await;
            bed.store.add_download("a", None, download, 5).await.unwrap();
            // They were known for long, so the ledger does not have them any more.
            assert_eq!(left().await, 0);
            let mut deleted = bed.store.delete_conversation(id, "ann").await.unwrap().unwrap();
            deleted.extend(bed.store.delete_chat("a").await.unwrap().unwrap().keys);
            deleted.extend(bed.store.forget_downloads(i64::MAX).await.unwrap());
            assert_eq!(deleted, keys);
            if is_killed {
                assert_eq!(left().await, 3);
            } else {
                // A folder in place of a file cannot be deleted, and keeps no other.
                let path = home.path().join(&keys[0]);
                std::fs::remove_file(&path).unwrap();
                std::fs::create_dir_all(path.join("in the way")).unwrap();
                files.discard(&keys).await;
                assert_eq!(left().await, 0);
                std::fs::remove_dir_all(&path).unwrap();
                std::fs::write(&path, "bytes").unwrap();
                assert_eq!(left().await, 1);
            }
            for key in &keys {
                assert!(files.get(key, None).await.unwrap().is_none(), "{key}");
            }
            assert_eq!(left().await, 0);
        }
    })
    .await;
}

#[tokio::test]
async fn bytes_that_are_discarded_leave_nothing_in_the_ledger() {
    each(async |bed| {
        let home = Scratch::new();
        let url = format!("file://{}", home.path().display());
        let files = Files::open(&files::Config { url, ..files::Config::default() }).unwrap();
        files.set_ledger(&bed.store);
        let key = Files::key("ann", "d");
        put(&files, &key).await;
        bed.store.add_download("a", None, &key, 5).await.unwrap();
        let keys = bed.store.forget_downloads(i64::MAX).await.unwrap();
        files.discard(&keys).await;
        assert!(files.get(&key, None).await.unwrap().is_none());
        // Whatever is in the ledger counts, also if there are no bytes.
        assert_eq!(bed.store.remove_lost(&files, i64::MAX).await.unwrap(), 0);
    })
    .await;
}

async fn put(files: &Files, key: &str) {
    let once = stream::once(async { Ok::<_, std::io::Error>("bytes".into()) });
    files.put(key, once, 9).await.unwrap();
}

async fn put_half(files: &Files, key: &str) {
    let never = stream::pending::<Result<_, std::io::Error>>();
    files.put(key, never, 9).await.unwrap();
}
