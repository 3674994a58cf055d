//! A database or a folder that is gone, damaged or locked: nothing is acknowledged that is kept nowhere.
use std::{fs, path::PathBuf};

use e2e::{eventually, scratch::Scratch};
use futures_util::{FutureExt, future::Either, stream};
use quadrille_store::{
    Error, Fault, Store,
    files::{self, Files, PutError},
};

use crate::bed::{Bed, each};

/// Does `work` while the store looks after itself.
async fn watched<T>(store: &Store, work: impl Future<Output = T>) -> T {
    let watch = store.watch().map(|()| unreachable!("it goes on for ever"));
    match futures_util::future::select(Box::pin(work), Box::pin(watch)).await {
        Either::Left((done, _)) | Either::Right((done, _)) => done,
    }
}

async fn becomes(store: &Store, fault: Option<Fault>) {
    let look = async || (store.fault() == fault).then_some(());
    eventually(&format!("the store to be {fault:?}"), look).await;
}

fn path(bed: &Bed) -> PathBuf {
    bed.path().expect("a file").into()
}

#[tokio::test]
async fn a_database_that_is_well_stays_so() {
    each(async |bed| {
        watched(&bed.store, async {
            for _ in 0..3 {
                bed.conversation("ann").await;
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                assert_eq!(bed.store.fault(), None);
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn nothing_is_acknowledged_into_a_file_that_was_removed_until_it_is_back() {
    let bed = Bed::sqlite(|_| {}).await;
    let elsewhere = path(&bed).with_extension("moved");
    bed.conversation("ann").await;
    fs::rename(path(&bed), &elsewhere).unwrap();
    // Without anybody having looked.
    let made = bed.store.create_conversation("ann", None).await;
    assert!(matches!(made, Err(Error::Unavailable)), "{made:?}");
    assert_eq!(bed.store.fault(), Some(Fault::Gone));
    // Another file in its place is not the one.
    fs::copy(&elsewhere, path(&bed)).unwrap();
    watched(&bed.store, async {
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        assert_eq!(bed.store.fault(), Some(Fault::Gone));
        fs::rename(&elsewhere, path(&bed)).unwrap();
        becomes(&bed.store, None).await;
        bed.conversation("ann").await;
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_damaged_is_seen_wherever_the_damage_is() {
    // The head; what comes after it; the end.
    let damages: [fn(&mut Vec<u8>); 3] = [
        |bytes| bytes[..100].fill(0),
        |bytes| bytes[4096..].fill(0xa5),
        |bytes| bytes.truncate(8192),
    ];
    for damage in damages {
        let bed = Bed::sqlite(|_| {}).await;
        let id = bed.conversation("ann").await.id;
        for n in 0..200 {
            bed.say(id, "ann", &format!("word {n} {}", "x".repeat(2000))).await;
        }
        bed.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
        let mut bytes = fs::read(path(&bed)).unwrap();
        damage(&mut bytes);
        // In place: it is the same file.
        fs::write(path(&bed), &bytes).unwrap();
        watched(&bed.store, becomes(&bed.store, Some(Fault::Damaged))).await;
        let made = bed.store.create_conversation("ann", None).await;
        assert!(matches!(made, Err(Error::Unavailable)), "{made:?}");
    }
}

#[tokio::test]
async fn a_database_that_somebody_keeps_locked_is_refused_until_it_is_free() {
    use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
    let short = std::time::Duration::from_millis(100);
    let bed = Bed::sqlite(|config| config.busy_timeout = short).await;
    let options = SqliteConnectOptions::new().filename(path(&bed));
    let mut other = options.connect().await.unwrap();
    let locked = other.begin_with("BEGIN EXCLUSIVE").await.unwrap();
    watched(&bed.store, async {
        becomes(&bed.store, Some(Fault::Locked)).await;
        let made = bed.store.create_conversation("ann", None).await;
        assert!(matches!(made, Err(Error::Unavailable)), "{made:?}");
        locked.rollback().await.unwrap();
        becomes(&bed.store, None).await;
        bed.conversation("ann").await;
    })
    .await;
}

async fn put(files: &Files, key: &str) -> Result<u64, PutError> {
    let once = stream::once(async { Ok::<_, std::io::Error>("bytes".into()) });
    files.put(key, once, 9).await
}

#[tokio::test]
async fn a_folder_that_is_removed_takes_nothing_until_it_is_made_again() {
    let home = Scratch::new();
    let folder = home.path().join("files");
    let url = format!("file://{}", folder.display());
    let config = files::Config { url, ..files::Config::default() };
    let files = Files::open(&config).unwrap();
    files.lock().unwrap();
    assert!(Files::open(&config).unwrap().lock().is_err(), "it is locked");
    put(&files, &Files::key("ann", "a.txt")).await.unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let gone = put(&files, &Files::key("ann", "b.txt")).await;
    assert!(matches!(gone, Err(PutError::Unavailable)), "{gone:?}");
    assert_eq!((files.fault(), folder.exists()), (Some(Fault::Gone), false));
    fs::create_dir(&folder).unwrap();
    let good = eventually("it to be good again", async || files.fault().is_none().then_some(()));
    tokio::select! {
        () = files.watch() => unreachable!("it goes on for ever"),
        () = good => {}
    }
    put(&files, &Files::key("ann", "c.txt")).await.unwrap();
    assert!(Files::open(&config).unwrap().lock().is_err(), "it is locked again");
}
