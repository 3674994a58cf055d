//! The database and the folder of files, as an operator meets them.
use e2e::{Gateway, scratch::Scratch};

/// A database below `scratch`.
fn database(scratch: &Scratch) -> String {
    format!("sqlite://{}/made/chat.db", scratch.path().display())
}

#[tokio::test]
async fn a_start_makes_the_database_and_the_folder_of_files() {
    let scratch = Scratch::new();
    let (url, made) = (database(&scratch), scratch.path().join("made"));
    let files = format!("file://{}", made.join("files").display());
    for _ in 0..2 {
        let settings = [("store.url", url.as_str()), ("files.url", &files)];
        let end = Gateway::start(&settings).await.stop().await;
        assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{end:#?}");
        assert!(made.join("chat.db").is_file() && made.join("files").is_dir());
        // All of it is in the file after a clean stop.
        assert!(!made.join("chat.db-wal").exists());
    }
}

#[tokio::test]
async fn what_cannot_be_opened_ends_the_start_with_1_and_one_line() {
    let scratch = Scratch::new();
    let file = scratch.file("file", "not a database, however long it is looked at");
    let [database, below] = [format!("sqlite://{file}"), format!("sqlite://{file}/a.db")];
    let folder = format!("file://{file}/files");
    let cases = [("store.url", &database), ("store.url", &below), ("files.url", &folder)];
    for (key, value) in cases {
        let settings = [("server.listen", "127.0.0.1:0"), ("log.level", "warn"), (key, value)];
        let end = Gateway::run(&["serve"], &settings).await;
        assert_eq!((end.code, end.stderr.len()), (Some(1), 1), "{end:#?}");
        assert!(end.stderr[0].contains(key), "{end:#?}");
    }
}

#[tokio::test]
async fn an_old_schema_is_refused_until_it_is_migrated() {
    let scratch = Scratch::new();
    let url = database(&scratch);
    let settings = [
        ("server.listen", "127.0.0.1:0"),
        ("log.level", "warn"),
        ("store.url", url.as_str()),
        ("store.auto_migrate", "false"),
    ];
    let end = Gateway::run(&["serve"], &settings).await;
    assert_eq!((end.code, end.stderr.len()), (Some(1), 1), "{end:#?}");
    assert!(end.stderr[0].contains("quadrille migrate"), "{end:#?}");
    for steps in ["6", "0"] {
        let end = Gateway::run(&["migrate"], &settings).await;
        let said = format!("the schema is current; steps taken: {steps}");
        assert_eq!((end.code, end.stdout, end.stderr), (Some(0), vec![said], Vec::new()));
    }
    let gateway = Gateway::start_with(&["serve"], &settings).await;
    assert_eq!(gateway.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn a_migration_that_cannot_be_ends_with_1_and_a_bad_address_with_64() {
    let scratch = Scratch::new();
    let file = scratch.file("file", "not a database, however long it is looked at");
    let cases = [(format!("sqlite://{file}"), 1), ("mysql://u:geheim@h/d".to_owned(), 64)];
    for (url, code) in cases {
        let end = Gateway::run(&["migrate"], &[("store.url", &url)]).await;
        assert_eq!((end.code, end.stderr.len()), (Some(code), 1), "{end:#?}");
        let said = &end.stderr[0];
        assert!(said.contains("store.url") && !said.contains("geheim"), "{said}");
    }
}

#[tokio::test]
async fn checking_a_configuration_makes_nothing() {
    let scratch = Scratch::new();
    let url = database(&scratch);
    let end = Gateway::run(&["check-config"], &[("store.url", &url)]).await;
    assert_eq!(end.code, Some(0), "{end:#?}");
    assert!(!scratch.path().join("made").exists());
}
