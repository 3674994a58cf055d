//! Chats as archives: dumped, downloaded, restored, and what is refused; copies of the database.
use std::io::Read as _;

use e2e::{
    Gateway,
    chat::{Chat, people},
    eventually,
    http::{self, Response},
    token::{JWT, token},
};
use flate2::{Compression, write::GzEncoder};
use quadrille_store::{Config, Page, Store};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};
use tokio::{io::AsyncWriteExt, net::TcpStream};

const RESTORE: &str = "/api/v1/chat/workflows/restore";
const BACKUP: &str = "/api/v1/chat/sqlite/backup";

const FILE: EntryType = EntryType::Regular;

/// The path of an address that the gateway told.
fn path(gateway: &Gateway, url: &Value) -> String {
    let base = format!("http://{}", gateway.address());
    url.as_str().and_then(|it| it.strip_prefix(&base)).expect("an address here").to_owned()
}

async fn ask(gateway: &Gateway, method: &str, path: &str, token: Option<&str>) -> Response {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer.as_deref().map(|it| ("Authorization", it)).into_iter().collect();
    http::send(gateway.address(), method, path, &headers, b"").await.expect("an answer")
}

async fn restore(gateway: &Gateway, part: &str, archive: &[u8], token: Option<&str>) -> Response {
    let head = format!(
        "--b\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"a.tar.gz\"\r\n\r\n"
    );
    let body = [head.as_bytes(), archive, b"\r\n--b--\r\n"].concat();
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("Content-Type", "multipart/form-data; boundary=b")];
    headers.extend(bearer.as_deref().map(|it| ("Authorization", it)));
    http::send(gateway.address(), "POST", RESTORE, &headers, &body).await.expect("an answer")
}

/// An archive of these entries, with names as no library would write them.
fn archive(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, kind, bytes) in entries {
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        tar.append(&header, *bytes).expect("it is in memory");
    }
    tar.into_inner().and_then(GzEncoder::finish).expect("it is in memory")
}

/// Files below a folder.
fn files(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    // What the gateway has for itself is hidden.
    let entries = entries.filter(|it| !it.file_name().to_string_lossy().starts_with('.'));
    entries.map(|it| if it.path().is_dir() { files(&it.path()) } else { 1 }).sum()
}

#[tokio::test]
async fn a_chat_is_dumped_deleted_and_restored_as_it_was() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    let table = people(3000);
    chat.upload("people.csv", &table).await;
    let conditions = json!([{"column": "city", "operator": "equals", "value": "Oslo"}]);
    let search = json!({"operation": "csv/search", "arguments": {"conditions": conditions}});
    let done = chat.post("/execute", &json!({"steps": [search, search]})).await;
    assert_eq!(done.status, 200, "{}", done.json());
    let made = path(&gateway, &done.json()["data"]["results"][1]["download_url"]);
    let made_before = gateway.get(&made).await.body;
    let job = done.json()["data"]["job_id"].as_str().unwrap().to_owned();
    let run = chat.get(&format!("/runs/{job}")).await.json()["data"].clone();
    let before = chat.get("").await.json()["data"].clone();

    let dumped = ask(&gateway, "POST", &chat.path("/dump"), None).await;
    assert_eq!(dumped.status, 200, "{}", dumped.body);
    let data = dumped.json()["data"].clone();
    let name = data["dump_file"].as_str().unwrap();
    let stamp = name.strip_prefix(&format!("{}_", chat.id)).unwrap();
    let stamp = stamp.strip_suffix(".tar.gz").unwrap();
    assert!(stamp.len() == 15 && stamp.as_bytes()[8] == b'_', "{stamp}");
    let url = path(&gateway, &data["download_url"]);
    assert_eq!(url, format!("/api/v1/chat/downloads/{name}"));
    let whole = http::get_bytes(gateway.address(), &url, &[]).await.unwrap();
    assert_eq!(whole.0.header("content-type"), Some("application/x-tar"));
    assert!(whole.0.header("content-disposition").unwrap().starts_with("attachment"));
    let range = [("Range", "bytes=10-19")];
    let part = http::get_bytes(gateway.address(), &url, &range).await.unwrap();
    assert_eq!((part.0.status, &part.1[..]), (206, &whole.1[10..20]));
    let etag = [("If-None-Match", whole.0.header("etag").unwrap())];
    let known = http::get(gateway.address(), &url, &etag).await.unwrap();
    assert_eq!(known.status, 304);

    let there = restore(&gateway, "dump_file", &whole.1, None).await;
    assert_eq!(there.status, 409, "{}", there.body);
    assert_eq!(ask(&gateway, "DELETE", &chat.path(""), None).await.status, 200);
    assert_eq!(chat.get("").await.status, 404);
    let restored = restore(&gateway, "dump_file", &whole.1, None).await;
    assert_eq!(restored.status, 200, "{}", restored.body);
    assert_eq!(restored.json()["data"], before);
    assert_eq!(chat.get("").await.json()["data"], before);
    assert_eq!(chat.get("/files/people.csv").await.body, table);
    assert_eq!(gateway.get(&made).await.body, made_before);
    assert_eq!(chat.get(&format!("/runs/{job}")).await.json()["data"], run);
    // It goes on as any other.
    assert_eq!(chat.post("/execute", &json!({"steps": [search]})).await.status, 200);
}

#[tokio::test]
async fn what_is_no_archive_of_a_chat_is_refused_and_leaves_nothing() {
    let gateway = Gateway::start(&[("files.max_upload_size", "65536")]).await;
    let metadata = ("metadata.json", FILE, &br#"{"chat_id":"evil"}"#[..]);
    let good = ("uploads/good.csv", FILE, &b"id\n1\n"[..]);
    let large = vec![0; 2 << 20];
    let bad: [(&str, EntryType, &[u8]); 6] = [
        ("../evil", FILE, b"x"),
        ("/tmp/evil", FILE, b"x"),
        ("uploads/../../evil", FILE, b"x"),
        ("uploads/link", EntryType::Symlink, b""),
        ("uploads/link", EntryType::Link, b""),
        ("uploads/good.csv", FILE, b"x"),
    ];
    for entry in bad {
        let answer = restore(&gateway, "dump_file", &archive(&[metadata, good, entry]), None).await;
        let message = answer.json()["message"].to_string();
        assert_eq!(answer.status, 422, "{message}");
        assert!(message.contains(entry.0), "{message}");
    }
    let bomb = archive(&[metadata, ("uploads/bomb", FILE, &large)]);
    assert!(bomb.len() < 60_000);
    let answer = restore(&gateway, "dump_file", &bomb, None).await;
    assert_eq!(answer.status, 413, "{}", answer.body);
    let whole = archive(&[metadata, good]);
    for broken in [&b"id,name\n1,Ann\n"[..], &whole[..whole.len() / 2], b""] {
        let answer = restore(&gateway, "dump_file", broken, None).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        assert!(answer.json()["message"].as_str().unwrap().contains("is broken"));
    }
    let answer = restore(&gateway, "file", &whole, None).await;
    assert_eq!((answer.status, &answer.json()["message"]), (422, &json!("No dump file provided")));
    let answer = ask(&gateway, "POST", RESTORE, None).await;
    assert_eq!(answer.status, 422, "{}", answer.body);

    assert_eq!(gateway.get("/api/v1/chat/workflows").await.json()["total"], 0);
    assert_eq!(files(&gateway.home().join("data/files")), 0);
    // The lock of the process alone.
    assert_eq!(files(&gateway.home().join("data/scratch")), 1);
    assert_eq!(restore(&gateway, "dump_file", &whole, None).await.status, 200);
    assert_eq!(files(&gateway.home().join("data/files")), 1);

    let answer = ask(&gateway, "POST", "/api/v1/chat/workflows/nobody/dump", None).await;
    let message = answer.json()["message"].clone();
    assert_eq!((answer.status, message), (404, json!("Conversation not found")));
    let answer = gateway.get("/api/v1/chat/downloads/nothing.tar.gz").await;
    assert_eq!((answer.status, &answer.json()["message"]), (404, &json!("File not found")));
}

#[tokio::test]
async fn a_chat_too_large_for_an_archive_is_not_dumped() {
    let settings = [("files.max_upload_size", "65536")];
    let gateway = Gateway::start(&settings).await;
    let chat = Chat::create(&gateway).await;
    for n in 0..17 {
        chat.upload(&format!("{n}.csv"), "a".repeat(65_000)).await;
    }
    let refused = ask(&gateway, "POST", &chat.path("/dump"), None).await;
    assert_eq!(refused.status, 413, "{}", refused.body);
    assert!(refused.body.contains("at most 1048576 bytes together"), "{}", refused.body);
    assert_eq!(files(&gateway.home().join("data/scratch")), 1);

    let many = format!(r#"{{"chat_id":"many","messages":[{}]}}"#, vec!["{}"; 10_001].join(","));
    let many = archive(&[("metadata.json", FILE, many.as_bytes())]);
    let refused = restore(&gateway, "dump_file", &many, None).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert!(refused.body.contains("this one has 10001 messages"), "{}", refused.body);
}

#[tokio::test]
async fn what_was_given_to_a_step_keeps_its_order() {
    let gateway = Gateway::start(&[]).await;
    let given = r#"{"z":1e999,"a":{"y":1.0,"b":2}}"#;
    let step = format!(r#"{{"operation":"o","status":"completed","arguments":{given}}}"#);
    let described = format!(r#"{{"chat_id":"given","runs":[{{"run_id":"r","steps":[{step}]}}]}}"#);
    let bytes = archive(&[("metadata.json", FILE, described.as_bytes())]);
    assert_eq!(restore(&gateway, "dump_file", &bytes, None).await.status, 200);
    let dumped = ask(&gateway, "POST", "/api/v1/chat/workflows/given/dump", None).await;
    let url = path(&gateway, &dumped.json()["data"]["download_url"]);
    let (_, bytes) = http::get_bytes(gateway.address(), &url, &[]).await.unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
    let mut text = String::new();
    archive.entries().unwrap().next().unwrap().unwrap().read_to_string(&mut text).unwrap();
    // In the steps of the chat, and in those of the run.
    assert_eq!(text.matches(given).count(), 2, "{text}");
}

/// An archive of `token` begins to come, and comes no further. One at a time finds a place, or none.
async fn begin(gateway: &Gateway, token: &str) -> TcpStream {
    let bearer = format!("Bearer {token}");
    let head = http::head(
        gateway.address(),
        "POST",
        RESTORE,
        &[
            ("Content-Type", "multipart/form-data; boundary=b"),
            ("Content-Length", "100000"),
            ("Authorization", &bearer),
        ],
    );
    let mut stream = TcpStream::connect(gateway.address()).await.expect("the gateway listens");
    stream.write_all(head.as_bytes()).await.expect("the gateway reads");
    stream
}

#[tokio::test]
async fn who_would_wait_too_long_is_refused_and_slow_clients_leave_half_to_the_others() {
    let places = [("workflows.workers", "1"), ("workflows.max_waiting", "1")];
    let gateway = Gateway::start(&[&JWT[..], &places].concat()).await;
    let mut dumps = Vec::new();
    for user in ["ann", "bob", "eve"] {
        let token = token(json!({"sub": user, "scope": "backup"}));
        let made = ask(&gateway, "POST", "/api/v1/chat/workflows", Some(&token)).await;
        let id = made.json()["data"]["chat_id"].as_str().unwrap().to_owned();
        dumps.push((token, format!("/api/v1/chat/workflows/{id}/dump")));
    }
    let [(ann, dump_of_ann), (bob, dump_of_bob), (eve, dump_of_eve)] = &dumps[..] else { panic!() };
    // One that comes while a dump is made may be refused itself.
    let mut slow = Vec::new();
    let refused = loop {
        slow.push(begin(&gateway, ann).await);
        let answer = ask(&gateway, "POST", dump_of_ann, Some(ann)).await;
        if answer.status != 200 {
            break answer;
        }
        assert!(slow.len() < 100, "there is a place for everybody");
    };
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("5")));
    assert_eq!(ask(&gateway, "POST", dump_of_bob, Some(bob)).await.status, 200);
    let refused = loop {
        slow.push(begin(&gateway, bob).await);
        let answer = ask(&gateway, "POST", dump_of_eve, Some(eve)).await;
        if answer.status != 200 {
            break answer;
        }
        assert!(slow.len() < 200, "there is a place for everybody");
    };
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    let message = &refused.json()["message"];
    assert_eq!(message, "Too many requests of this kind are in progress; try again later");
    assert_eq!(ask(&gateway, "POST", BACKUP, Some(eve)).await.status, 503);
    let other = restore(&gateway, "dump_file", b"", Some(eve)).await;
    assert_eq!(other.status, 503, "{}", other.body);
    drop(slow);
    let taken = eventually("a place again", async || {
        let answer = ask(&gateway, "POST", dump_of_eve, Some(eve)).await;
        (answer.status != 503).then_some(answer.status)
    });
    assert_eq!(taken.await, 200);
}

#[tokio::test]
async fn an_archive_is_for_whom_it_was_made_and_its_chat_for_who_brings_it() {
    let gateway = Gateway::start(&JWT).await;
    let [ann, bob] = ["ann", "bob"].map(|it| token(json!({"sub": it})));
    let made = ask(&gateway, "POST", "/api/v1/chat/workflows", Some(&ann)).await;
    let id = made.json()["data"]["chat_id"].as_str().unwrap().to_owned();
    let chat = format!("/api/v1/chat/workflows/{id}");
    let dump = format!("{chat}/dump");
    assert_eq!(ask(&gateway, "POST", &dump, None).await.status, 401);
    assert_eq!(ask(&gateway, "POST", &dump, Some(&bob)).await.status, 404);
    let dumped = ask(&gateway, "POST", &dump, Some(&ann)).await;
    let url = path(&gateway, &dumped.json()["data"]["download_url"]);
    assert_eq!(ask(&gateway, "GET", &url, Some(&bob)).await.status, 404);
    let bearer = format!("Bearer {ann}");
    let headers = [("Authorization", &*bearer)];
    let (answer, bytes) = http::get_bytes(gateway.address(), &url, &headers).await.unwrap();
    assert_eq!(answer.status, 200);
    ask(&gateway, "DELETE", &chat, Some(&ann)).await;
    assert_eq!(restore(&gateway, "dump_file", &bytes, Some(&bob)).await.status, 200);
    assert_eq!(ask(&gateway, "GET", &chat, Some(&ann)).await.status, 404);
    assert_eq!(ask(&gateway, "GET", &chat, Some(&bob)).await.status, 200);
    // It would belong to nobody.
    let nobody = token(json!({}));
    let dumped = ask(&gateway, "POST", &dump, Some(&nobody)).await;
    for refused in [dumped, restore(&gateway, "dump_file", &bytes, Some(&nobody)).await] {
        let message = refused.json()["message"].clone();
        assert_eq!(refused.status, 403, "{}", refused.body);
        assert_eq!(message, "The token has no user; use one with `sub`");
    }

    assert_eq!(ask(&gateway, "POST", BACKUP, None).await.status, 401);
    let refused = ask(&gateway, "POST", BACKUP, Some(&ann)).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    let operator = token(json!({"sub": "ops", "scope": "backup"}));
    assert_eq!(ask(&gateway, "POST", BACKUP, Some(&operator)).await.status, 200);
}

#[tokio::test]
async fn a_backup_is_a_database_with_the_chats_in_it() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    let made = ask(&gateway, "POST", BACKUP, None).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let data = made.json()["data"].clone();
    let name = data["backup_file"].as_str().unwrap();
    assert_eq!(data["path"], format!("backups/{name}"));
    let copy = gateway.home().join("data/backups").join(name);
    let url = format!("sqlite://{}", copy.display());
    let store = Store::open(&Config { url, ..Config::default() }).await.unwrap();
    let chats = store.chats(None, None, Page { limit: 9, offset: 0 }).await.unwrap();
    assert_eq!(chats.iter().map(|it| &it.id).collect::<Vec<_>>(), [&chat.id]);
}
