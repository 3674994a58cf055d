//! Files are stored whole or not at all, and nowhere but below their folder.
use std::{convert::Infallible, fs, io, path::Path};

use bytes::Bytes;
use e2e::scratch::Scratch;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use proptest::prelude::*;
use quadrille_store::files::{Config, Files, PutError};

fn open(home: &Scratch) -> Files {
    let url = format!("file://{}/made/files", home.path().display());
    Files::open(&Config { url, ..Config::default() }).unwrap()
}

/// Every file below a folder.
fn below(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries
        .map(|path| if path.is_dir() { below(&path) } else { vec![path.display().to_string()] });
    files.flatten().collect()
}

fn parts(count: usize, size: usize) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let part = move |n| Ok(Bytes::from(vec![u8::try_from(n % 251).unwrap(); size]));
    stream::iter((0..count).map(part))
}

async fn read(files: &Files, key: &str, range: Option<std::ops::Range<u64>>) -> (u64, Vec<u8>) {
    let object = files.get(key, range).await.unwrap().unwrap();
    let parts: Vec<_> = object.stream.try_collect().await.unwrap();
    (object.size, parts.concat())
}

#[tokio::test]
async fn a_file_is_read_as_it_was_sent_whole_and_in_part() {
    let home = Scratch::new();
    let files = open(&home);
    let key = Files::key("ann", "a.bin");
    let size = files.put(&key, parts(1000, 1001), 1_001_000).await.unwrap();
    assert_eq!(size, 1_001_000);
    let sent: Vec<_> = parts(1000, 1001).map(Result::unwrap).collect().await;
    let sent = sent.concat();
    assert_eq!(read(&files, &key, None).await, (size, sent.clone()));
    for range in [0..1, 0..size, 1000..1003, size - 1..size, 999_999..u64::MAX] {
        let end = range.end.min(size);
        let (start, end) = (usize::try_from(range.start).unwrap(), usize::try_from(end).unwrap());
        assert_eq!(read(&files, &key, Some(range)).await, (size, sent[start..end].to_vec()));
    }
    for range in [0..0, size..size + 1, u64::MAX - 1..u64::MAX] {
        assert_eq!(read(&files, &key, Some(range)).await, (size, Vec::new()));
    }
    files.delete(&key).await.unwrap();
    assert!(files.get(&key, None).await.unwrap().is_none());
    assert!(files.get(&key, Some(0..1)).await.unwrap().is_none());
    files.delete(&key).await.unwrap();
    assert_eq!(below(home.path()), Vec::<String>::new());
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let home = Scratch::new();
    let files = open(&home);
    let key = Files::key("ann", "empty");
    assert_eq!(files.put(&key, parts(0, 0), 0).await.unwrap(), 0);
    assert_eq!(read(&files, &key, None).await, (0, Vec::new()));
    assert_eq!(read(&files, &key, Some(0..10)).await, (0, Vec::new()));
}

#[tokio::test]
async fn too_much_is_refused_and_nothing_is_left() {
    let home = Scratch::new();
    let files = open(&home);
    for count in [3, 3000] {
        let key = Files::key("ann", "large");
        // The rest of it is not even asked for.
        let endless = parts(count, 1000).chain(stream::pending());
        let refused = files.put(&key, endless, u64::try_from(count).unwrap() * 1000 - 1).await;
        assert!(matches!(refused, Err(PutError::TooLarge(_))), "{refused:?}");
        assert!(files.get(&key, None).await.unwrap().is_none());
    }
    assert_eq!(below(home.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_broken_off_upload_leaves_nothing() {
    let home = Scratch::new();
    let files = open(&home);
    for count in [0, 1, 3000] {
        let broken = stream::iter([Err(io::Error::from(io::ErrorKind::ConnectionReset))]);
        let sent = parts(count, 1000).map(|part| Ok(part.unwrap())).chain(broken);
        let refused = files.put(&Files::key("ann", "a"), sent, u64::MAX).await;
        let Err(PutError::BrokenOff(err)) = refused else { panic!("{refused:?}") };
        let kind = err.downcast_ref::<io::Error>().unwrap().kind();
        assert_eq!(kind, io::ErrorKind::ConnectionReset);
    }
    assert_eq!(below(home.path()), Vec::<String>::new());
}

#[tokio::test]
async fn an_upload_that_nobody_waits_for_any_more_leaves_nothing() {
    let home = Scratch::new();
    let files = open(&home);
    let key = Files::key("ann", "a");
    let mut put = Box::pin(files.put(&key, parts(3000, 1000).chain(stream::pending()), u64::MAX));
    let staged = tokio::select! {
        _ = &mut put => panic!("it has no end"),
        staged = e2e::eventually("some of it on the disk", async || {
            Some(below(home.path())).filter(|found| !found.is_empty())
        }) => staged,
    };
    assert_eq!(staged.len(), 1);
    assert!(files.get(&key, None).await.unwrap().is_none(), "it is not there before its end");
    drop(put);
    e2e::eventually("nothing of it", async || below(home.path()).is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_store_that_fails_says_so_and_keeps_nothing() {
    let home = Scratch::new();
    let files = open(&home);
    // A file is in the place of the folder.
    fs::write(home.path().join("made/files/ann"), "x").unwrap();
    let refused = files.put(&Files::key("ann", "a"), parts(3, 1000), u64::MAX).await;
    assert!(matches!(refused, Err(PutError::Storage(_))), "{refused:?}");
    assert_eq!(below(home.path()).len(), 1);
}

#[tokio::test]
async fn a_key_from_elsewhere_leads_nowhere() {
    let home = Scratch::new();
    let files = open(&home);
    fs::write(home.path().join("made/secret"), "secret").unwrap();
    let folder = home.path().join("made/files/a/b");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("there"), "there").unwrap();
    assert_eq!(read(&files, "a/b/there", None).await.0, 5);
    let long = format!("a/b/{}", "x".repeat(4096));
    let outside = home.path().join("made/secret").display().to_string();
    let hostile = [
        "../secret",
        "a/../../secret",
        "a/b/../../../secret",
        "../../secret",
        "./../secret",
        "..%2f..%2fsecret",
        "a/%2e%2e/secret",
        "/../secret",
        "..\\..\\secret",
        "a/b/there/",
        "a/b",
        "/a/b/there",
        "a//b/there",
        "a/./there",
        "a/b/there\0",
        "a/b/the\0re",
        "a/b/there#1",
        "",
        ".",
        "..",
        "/",
        "//",
        "///",
        &long,
        &outside,
    ];
    for key in hostile {
        assert!(files.get(key, None).await.unwrap().is_none(), "{key:?}");
        assert!(files.get(key, Some(0..3)).await.unwrap().is_none(), "{key:?}");
        files.delete(key).await.unwrap();
    }
    for key in ["../a/written", "a/../written", "", "a/b/written\0"] {
        let refused = files.put(key, parts(1, 1), 9).await;
        assert!(matches!(refused, Err(PutError::Storage(_))), "{key:?}: {refused:?}");
    }
    assert_eq!(below(home.path()).len(), 2);
}

#[tokio::test]
async fn whatever_a_file_is_called_it_can_be_stored() {
    let home = Scratch::new();
    let files = open(&home);
    let long = "x".repeat(4096) + ".png";
    let names =
        ["../../etc/passwd", "日本語の名前.png", "a#1", "con", "", "\0", &long, "a b%20c?.txt"];
    for user in ["ann", "../ann", "auth0|7", "a@b.example"] {
        for name in names {
            let key = Files::key(user, name);
            assert_eq!(files.put(&key, parts(1, 7), 9).await.unwrap(), 7, "{key}");
            assert_eq!(read(&files, &key, None).await.0, 7);
        }
    }
    assert_eq!(below(&home.path().join("made/files")).len(), 4 * names.len());
}

#[test]
fn names_keep_what_is_harmless() {
    let cases = [
        ("report.pdf", "report.pdf"),
        ("Grüße aus Köln.png", "Grüße aus Köln.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ann\\a.txt", "a.txt"),
        ("a/b/", "b"),
        (".htaccess", "htaccess"),
        ("...", "file"),
        ("", "file"),
        ("/", "file"),
        ("a\0b\nc\u{202e}gpj.exe", "abcgpj.exe"),
        ("a: b.txt ", "a_ b.txt"),
    ];
    for (name, expected) in cases {
        assert_eq!(Files::sanitise(name), expected, "{name:?}");
    }
    let cut_at_a_blank = format!("{}\u{a0}xy", "x".repeat(98));
    assert_eq!(Files::sanitise(&cut_at_a_blank), "x".repeat(98));
    let long = Files::sanitise(&format!("{}.tar.gz", "ü".repeat(2048)));
    assert!(long.len() <= 100 && long.len() > 97 && long.ends_with("ü.gz"), "{long}");
}

proptest! {
    #[test]
    fn no_name_is_a_path_or_too_long(name in any::<String>(), end in "(\\PC|[./\\\\\0 ]){0,200}") {
        for name in [name.clone(), end.clone(), format!("{name}{end}").repeat(20)] {
            let clean = Files::sanitise(&name);
            prop_assert!(!clean.is_empty() && clean.len() <= 100, "{clean:?}");
            prop_assert!(!clean.contains(['/', '\\']) && !clean.starts_with('.'), "{clean:?}");
            prop_assert!(!clean.chars().any(char::is_control), "{clean:?}");
            prop_assert_eq!(Files::sanitise(&clean), clean);
            let key = Files::key(&name, &name);
            prop_assert!(key.len() <= 240 && key.split('/').count() == 3, "{key:?}");
            let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            prop_assert!(key.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && part.chars().all(good)), "{key:?}");
        }
    }
}
