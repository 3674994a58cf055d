//! Data on disk: used by one process at a time, in a usable place, and readable by its owner alone.
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use e2e::{
    Gateway, Sio,
    chat::{Chat, people},
    eventually, http,
    relay::post,
    scratch::Scratch,
};
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

const SERVE: [(&str, &str); 2] = [("server.listen", "127.0.0.1:0"), ("log.level", "warn")];

fn database(home: &Scratch, name: &str) -> String {
    format!("sqlite://{}", home.path().join(name).display())
}

fn files(home: &Scratch, name: &str) -> String {
    format!("file://{}", home.path().join(name).display())
}

async fn readiness(gateway: &Gateway) -> (u16, String) {
    let answer = gateway.get("/readyz").await;
    (answer.status, answer.body)
}

async fn ready(gateway: &Gateway, begin: &str) {
    eventually(&format!("readiness: {begin}"), async || {
        let (_, said) = readiness(gateway).await;
        said.starts_with(begin).then_some(())
    })
    .await;
}

/// Uploads a file into a conversation, and gives the answer.
async fn upload(gateway: &Gateway, conversation: i64, key: &str, bytes: &str) -> http::Response {
    let field = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = [
        field("user_id", "7"),
        field("conversation_id", &conversation.to_string()),
        field("temp_id", key),
        "--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.txt\"\r\n\r\n"
            .to_owned(),
        format!("{bytes}\r\n--b--\r\n"),
    ];
    let (at, body) = (gateway.address(), body.concat());
    let sent = http::send(at, "POST", "/messages", &[e2e::chat::FORM], body.as_bytes()).await;
    sent.expect("an answer")
}

async fn conversation(gateway: &Gateway) -> i64 {
    let made = post(gateway, "/conversations?user_id=7", &[], &json!({})).await.json();
    made["conversation_id"].as_i64().expect("an id")
}

#[tokio::test]
async fn a_second_process_on_the_same_database_or_folder_ends_with_1_and_one_line() {
    let home = Scratch::new();
    let (url, folder) = (database(&home, "a.db"), files(&home, "files"));
    let gateway = Gateway::start(&[("store.url", &url), ("files.url", &folder)]).await;
    let other = (database(&home, "other.db"), files(&home, "other"));
    for (key, settings) in [
        ("store.url", [("store.url", &url), ("files.url", &other.1)]),
        ("files.url", [("store.url", &other.0), ("files.url", &folder)]),
    ] {
        let settings = settings.map(|(key, value)| (key, value.as_str()));
        let end = Gateway::run(&["serve"], &[&SERVE[..], &settings].concat()).await;
        assert_eq!((end.code, end.stderr.len()), (Some(1), 1), "{end:#?}");
        assert!(
            end.stderr[0].contains(key) && end.stderr[0].contains("another process"),
            "{end:?}"
        );
    }
    let in_use = [("store.url", &*url), ("files.url", &*folder)];
    let end = Gateway::run(&["migrate"], &in_use).await;
    assert_eq!((end.code, end.stderr.len()), (Some(1), 1), "{end:#?}");
    // Before a SIGHUP, the configuration of what runs is checked.
    let end = Gateway::run(&["check-config"], &in_use).await;
    assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{end:#?}");
    conversation(&gateway).await;
    assert_eq!(gateway.stop().await.code, Some(0));
    let again = Gateway::start(&in_use).await;
    assert_eq!(readiness(&again).await, (200, "ready".to_owned()));
}

#[tokio::test]
async fn nothing_is_taken_while_the_database_is_gone() {
    let home = Scratch::new();
    let (url, path) = (database(&home, "a.db"), home.path().join("a.db"));
    let gateway = Gateway::start(&[("store.url", &url)]).await;
    let id = conversation(&gateway).await;
    let mut page = Sio::user(&gateway, "7").await;
    let chat = Chat::create(&gateway).await;
    let moved = home.path().join("moved");
    fs::rename(&path, &moved).expect("it is there");
    let message = json!({"conversation_id": id, "content": "x"});
    let answer = post(&gateway, "/messages?user_id=7", &[], &message).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")), "{answer:?}");
    let answer = chat.upload("a.csv", people(3)).await;
    assert_eq!((answer.status, answer.json()["status_code"].clone()), (503, json!(503)));
    let sent = page.ask("send_message", &json!({"conversation_id": id, "message": "x"})).await;
    assert!(sent[0]["error"].as_str().is_some_and(|it| it.contains("cannot be reached")), "{sent}");
    let asked = json!({"user_id": "7", "message": "x", "topic": format!("room:{id}")});
    let turn = post(&gateway, "/send", &[], &asked).await;
    assert!(turn.status >= 500, "no reply is told that is kept nowhere: {turn:?}");
    let (status, said) = readiness(&gateway).await;
    assert!(status == 503 && said.starts_with("store: it is gone"), "{said}");
    assert_eq!(gateway.get("/healthz").await.status, 200);
    fs::rename(&moved, &path).expect("it is there");
    ready(&gateway, "ready").await;
    assert_eq!(post(&gateway, "/messages?user_id=7", &[], &message).await.status, 201);
    let stored = gateway.get(&format!("/conversations/{id}/messages?user_id=7")).await.json();
    let stored = stored["messages"].as_array().expect("a list").len();
    assert_eq!(stored, 1, "what was refused is not there");
}

#[tokio::test]
async fn nothing_is_taken_while_the_folder_of_files_is_gone() {
    let home = Scratch::new();
    let (url, folder) = (files(&home, "files"), home.path().join("files"));
    let gateway = Gateway::start(&[("files.url", &url)]).await;
    let id = conversation(&gateway).await;
    assert_eq!(upload(&gateway, id, "1", "one").await.status, 201);
    fs::remove_dir_all(&folder).expect("it is there");
    let answer = upload(&gateway, id, "2", "two").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")), "{answer:?}");
    ready(&gateway, "files: it is gone").await;
    assert_eq!(Chat::create(&gateway).await.upload("a.csv", people(3)).await.status, 503);
    fs::create_dir(&folder).expect("its folder is there");
    ready(&gateway, "ready").await;
    assert_eq!(upload(&gateway, id, "2", "two").await.status, 201);
}

#[tokio::test]
async fn a_configuration_whose_folders_cannot_be_written_to_is_not_good() {
    let home = Scratch::new();
    let file = home.file("file", "x");
    let below =
        [format!("sqlite://{file}/a.db"), format!("file://{file}/files"), format!("{file}/s")];
    let keys = ["store.url", "files.url", "workflows.scratch"];
    for (key, value) in keys.into_iter().zip(&below) {
        let end = Gateway::run(&["check-config"], &[(key, value)]).await;
        assert_ne!(end.code, Some(0), "{end:#?}");
        assert!(end.stderr.concat().contains(key), "{end:#?}");
    }
}

fn walk(folder: &Path, found: &mut Vec<(String, u32)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let mode = entry.metadata().expect("it is there").permissions().mode() & 0o777;
        found.push((entry.path().display().to_string(), mode));
        if entry.path().is_dir() {
            walk(&entry.path(), found);
        }
    }
}

#[tokio::test]
async fn what_is_kept_is_for_its_owner_alone_in_whatever_folder() {
    let home = Scratch::new();
    let there = home.path().join("there");
    fs::create_dir_all(there.join("files")).expect("a folder");
    for folder in [&there, &there.join("files")] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    let scratch = there.join("scratch").display().to_string();
    let settings = [
        ("store.url", &*database(&home, "there/a.db")),
        ("files.url", &*files(&home, "there/files")),
        ("workflows.scratch", &*scratch),
    ];
    let gateway = Gateway::start(&settings).await;
    let id = conversation(&gateway).await;
    assert_eq!(upload(&gateway, id, "1", "one").await.status, 201);
    let chat = Chat::create(&gateway).await;
    chat.upload("a.csv", people(3)).await;
    assert_eq!(chat.post("/dump", &json!(null)).await.status, 200);
    let backup = post(&gateway, "/api/v1/chat/sqlite/backup", &[], &json!({})).await;
    assert_eq!(backup.status, 200, "{backup:?}");
    let mut found = Vec::new();
    walk(&there, &mut found);
    found.retain(|(path, _)| !path.ends_with("/files"));
    assert!(found.len() > 10, "{found:?}");
    let open: Vec<_> = found.iter().filter(|(_, mode)| mode & 0o077 != 0).collect();
    assert!(open.is_empty(), "{open:?}");
}

#[tokio::test]
async fn a_kill_leaves_nothing_of_an_upload_after_the_next_start() {
    let home = Scratch::new();
    let (url, folder) = (database(&home, "a.db"), home.path().join("files"));
    let files = files(&home, "files");
    let settings = [("store.url", &*url), ("files.url", &*files)];
    let mut gateway = Gateway::start(&settings).await;
    let id = conversation(&gateway).await;
    assert_eq!(upload(&gateway, id, "1", "one").await.status, 201);
    let count = || {
        let mut found = Vec::new();
        walk(&folder, &mut found);
        let is_probe = |path: &Path| path.extension().is_some_and(|it| it == "probe");
        let is_kept = |path: &str| Path::new(path).is_file() && !is_probe(Path::new(path));
        found.iter().filter(|(path, _)| is_kept(path)).count()
    };
    let before = count();
    let head = format!(
        "POST /messages?user_id=7 HTTP/1.1\r\nHost: {}\r\nContent-Length: 2000000\r\n\
         Content-Type: {}\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"files\"; \
         filename=\"b.txt\"\r\n\r\n{}",
        gateway.address(),
        e2e::chat::FORM.1,
        "x".repeat(1_000_000)
    );
    let mut stream = TcpStream::connect(gateway.address()).await.expect("it listens");
    stream.write_all(head.as_bytes()).await.expect("it is open");
    eventually("half a file", async || (count() > before).then_some(())).await;
    gateway.signal("KILL").await;
    gateway.wait().await;
    assert!(count() > before);
    let gateway = Gateway::start(&settings).await;
    eventually("nothing of it", async || (count() == before).then_some(())).await;
    let there = gateway.get(&format!("/conversations/{id}/messages?user_id=7")).await.json();
    let file = there["messages"][0]["uploaded_files"][0]["key"].as_str().map(str::to_owned);
    assert!(file.is_some(), "{there}");
}

#[tokio::test]
async fn a_key_that_comes_again_with_other_bytes_is_another_messages() {
    let gateway = Gateway::start(&[]).await;
    let id = conversation(&gateway).await;
    assert_eq!(upload(&gateway, id, "k", "one").await.status, 201);
    assert_eq!(upload(&gateway, id, "k", "one").await.status, 200);
    // As long, and of the same name.
    assert_eq!(upload(&gateway, id, "k", "two").await.status, 409);
    let text =
        |more: &str| format!(r#"{{"conversation_id":{id},"content":"x","temp_id":"t"{more}}}"#);
    let add = async |more: &str| {
        let body = serde_json::from_str(&text(more)).expect("JSON");
        post(&gateway, "/messages?user_id=7", &[], &body).await.status
    };
    assert_eq!(add(r#","metadata":{"a":1}"#).await, 201);
    assert_eq!(add(r#","metadata":{"a":1}"#).await, 200);
    for other in ["", r#","metadata":{"a":2}"#, r#","metadata":{"a":1},"sender":"assistant""#] {
        assert_eq!(add(other).await, 409, "{other}");
    }
    // A question has another key book.
    let mut page = Sio::user(&gateway, "7").await;
    let question = json!({"conversation_id": id, "message": "x", "temp_id": "t"});
    let answer = page.ask("send_message", &question).await;
    assert!(answer[0]["turn"].is_string(), "{answer}");
}
