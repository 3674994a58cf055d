//! Opening: what is made, what is migrated, what is refused, and what a kill leaves.
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use e2e::scratch::Scratch;
use quadrille_store::{Config, LockError, Migrated, OpenError, Store};
use tokio::task::JoinSet;

use crate::bed::{Bed, each};

fn at(path: &Path) -> Config {
    Config { url: format!("sqlite://{}", path.display()), ..Config::default() }
}

#[tokio::test]
async fn a_schema_is_made_once() {
    each(async |bed| {
        let id = bed.conversation("ann").await.id;
        bed.say(id, "ann", "hello").await;
        assert_eq!(Store::migrate(&bed.config).await.unwrap(), Migrated { applied: 0 });
        let config = Config { auto_migrate: false, ..bed.config.clone() };
        let again = Store::open(&config).await.unwrap();
        assert_eq!(again.messages(id, None, 9).await.unwrap().len(), 1);
        again.close().await;
    })
    .await;
}

#[tokio::test]
async fn an_old_schema_is_refused_unless_it_may_be_migrated() {
    each(async |bed| {
        bed.store.close().await;
        let config = Config { auto_migrate: false, ..bed.config.clone() };
        for sql in ["DELETE FROM _sqlx_migrations", "DROP TABLE _sqlx_migrations"] {
            bed.execute(sql).await;
            let err = Store::open(&config).await.unwrap_err();
            assert!(matches!(err, OpenError::Old(6)), "{err:?}");
            assert!(err.to_string().contains("quadrille migrate"), "{err}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_schema_of_a_newer_version_is_refused() {
    each(async |bed| {
        bed.execute(
            "INSERT INTO _sqlx_migrations
                (version, description, success, checksum, execution_time)
             VALUES (9999, 'later', TRUE, '', 0)",
        )
        .await;
        for auto_migrate in [false, true] {
            let config = Config { auto_migrate, ..bed.config.clone() };
            let err = Store::open(&config).await.unwrap_err();
            assert!(matches!(err, OpenError::New), "{err:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_folder_is_made_for_its_owner_alone() {
    let home = Scratch::new();
    let path = home.path().join("a/b/c.db");
    Store::open(&at(&path)).await.unwrap().close().await;
    let mode = fs::metadata(path.parent().unwrap()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn what_is_refused_for_its_schema_is_not_made() {
    let home = Scratch::new();
    let path = home.path().join("a/b.db");
    let config = Config { auto_migrate: false, ..at(&path) };
    assert!(matches!(Store::open(&config).await, Err(OpenError::Old(6))));
    assert!(!path.parent().unwrap().exists());
    assert_eq!(Store::migrate(&config).await.unwrap(), Migrated { applied: 6 });
    Store::open(&config).await.unwrap();
}

#[tokio::test]
async fn what_is_no_database_is_said_in_one_line() {
    let home = Scratch::new();
    let file = home.path().join("text");
    fs::write(&file, "not a database at all, but long enough to have been one ".repeat(99))
        .unwrap();
    for path in [file.clone(), home.path().to_owned(), file.join("below/a.db")] {
        let err = Store::open(&at(&path)).await.unwrap_err().to_string();
        assert_eq!(err.lines().count(), 1, "{err}");
    }
    assert!(fs::read_to_string(&file).unwrap().starts_with("not a database"));
}

#[tokio::test]
async fn many_that_start_at_once_migrate_once() {
    let home = Scratch::new();
    let config = at(&home.path().join("a.db"));
    let mut starting = JoinSet::new();
    for _ in 0..8 {
        let config = config.clone();
        starting.spawn(async move { Store::open(&config).await.unwrap().close().await });
    }
    starting.join_all().await;
    assert_eq!(Store::migrate(&config).await.unwrap(), Migrated { applied: 0 });
}

#[tokio::test]
async fn a_database_is_locked_by_whichever_way_leads_there() {
    let home = Scratch::new();
    let (path, link) = (home.path().join("made/a.db"), home.path().join("link.db"));
    let lock = Store::lock(&at(&path)).unwrap().unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let err = Store::migrate(&at(&path)).await.unwrap_err();
    assert!(matches!(err, OpenError::Lock(LockError::Taken(_))), "{err:?}");
    assert_eq!(err.to_string().lines().count(), 1);
    // Opening asks for no lock: that is up to who opens it for long.
    let store = Store::open(&at(&path)).await.unwrap();
    assert!(matches!(Store::lock(&at(&link)), Err(OpenError::Lock(LockError::Taken(_)))));
    drop(lock);
    assert!(Store::lock(&at(&link)).unwrap().is_some());
    store.close().await;
    let none = Config { auto_migrate: false, ..at(&home.path().join("no/b.db")) };
    assert!(Store::lock(&none).unwrap().is_none() && !home.path().join("no").exists());
}

/// The files of a database in use are what a kill leaves behind.
#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let bed = Bed::sqlite(|_| {}).await;
    let id = bed.conversation("ann").await.id;
    for n in 0..100 {
        bed.say(id, "ann", &format!("word {n}")).await;
    }
    let left = Scratch::new();
    let path = Path::new(bed.path().unwrap());
    for entry in fs::read_dir(path.parent().unwrap()).unwrap().map(Result::unwrap) {
        // The index of the write-ahead log is made again.
        if !entry.path().to_string_lossy().ends_with("-shm") {
            fs::copy(entry.path(), left.path().join(entry.file_name())).unwrap();
        }
    }
    let log = left.path().join("quadrille.db-wal");
    assert!(fs::metadata(log).unwrap().len() > 0, "some of it is in the log alone");
    let store = Store::open(&at(&left.path().join("quadrille.db"))).await.unwrap();
    let there = store.messages(id, None, 1000).await.unwrap();
    assert_eq!(there.len(), 100);
    assert_eq!(there, bed.store.messages(id, None, 1000).await.unwrap());
    let found = store.search("ann", "word", quadrille_store::Page { limit: 1000, offset: 0 });
    assert_eq!(found.await.unwrap().messages.len(), 100);
}
