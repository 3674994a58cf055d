//! Uploads: what is kept of them, and that nothing is kept of those that should not have been sent.
use e2e::{eventually, http};
use serde_json::json;

use crate::{
    bed::{Bed, LARGEST},
    client::{Client, PARTS, file, refusal, text, whole},
};

const PATH: &str = "/api/upload_file";

#[tokio::test]
async fn files_come_with_a_message_and_are_shown_to_the_room() {
    let bed = Bed::open().await;
    let ann = Client::claiming(&bed, "7");
    let id = bed.conversation("7").await;
    let mut room = bed.watch(id);
    let parts = [
        file("a b.png", "image/png", "one"),
        text("message", "look"),
        file("ü.txt", "text/plain; charset=utf-8", "two"),
        text("conversation_id", &id.to_string()),
    ];
    let answer = ann.form(PATH, &parts).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let answer = answer.json();
    let urls = answer["files"].as_array().unwrap().clone();
    assert_eq!((&answer["success"], &answer["conversation_id"]), (&json!(true), &json!(id)));
    let mut bodies = Vec::new();
    for url in &urls {
        bodies.push(ann.get(&Client::path_of(url.as_str().unwrap())).await.body);
    }
    assert_eq!(bodies, ["one", "two"]);
    let (kind, shown) = room.next().await;
    assert_eq!((kind.as_str(), &shown["files"]), ("file_uploaded", &json!(urls)));
    assert_eq!((&shown["role"], &shown["content"]), (&json!("user"), &json!("look")));
    assert_eq!(
        (&shown["message_id"], &shown["timestamp"]),
        (&answer["message_id"], &shown["created_at"])
    );
    assert!(room.is_quiet(), "nobody was asked");
    let listed = ann.get("/api/files?limit=1").await.json();
    let (listed, count) = (&listed["files"][0], listed["files"].as_array().unwrap().len());
    assert_eq!(
        (count, &listed["filename"], &listed["content_type"]),
        (1, &json!("ü.txt"), &json!("text/plain"))
    );
    let parts = [text("conversation_id", &id.to_string()), file("a", "", "x")];
    let answer = ann.form(PATH, &parts).await;
    assert_eq!(
        (answer.status, bed.contents(id).await),
        (201, vec!["look".into(), "[File attachment]".into()])
    );
    let listed = ann.get("/api/files").await.json();
    assert_eq!(listed["files"][0]["content_type"], "application/octet-stream");
}

#[tokio::test]
async fn what_is_missing_is_named_and_nothing_is_kept() {
    let bed = Bed::open().await;
    let ann = Client::claiming(&bed, "ann");
    let id = bed.conversation("ann").await.to_string();
    let none = text("files", "").replace("name=\"files\"", "name=\"files\"; filename=\"\"");
    let cases = [
        (vec![], 400, "conversation_id is required"),
        (vec![file("a", "a/b", "x")], 400, "conversation_id is required"),
        (vec![text("conversation_id", &id)], 400, "No files provided"),
        (vec![text("conversation_id", &id), none], 400, "No files provided"),
        (vec![text("conversation_id", &id), text("message", "hi")], 400, "No files provided"),
        (
            vec![file("a", "a/b", "x"), text("conversation_id", "4711")],
            404,
            "Conversation not found",
        ),
        (
            vec![file("a", "a/b", "x"), text("conversation_id", "x")],
            400,
            "conversation_id must be a whole number",
        ),
    ];
    for (parts, status, why) in cases {
        assert_eq!(refusal(&ann.form(PATH, &parts).await), (status, why.to_owned()), "{parts:?}");
        assert_eq!(bed.kept(), Vec::<String>::new(), "{parts:?}");
    }
    // An empty form of parts has an end all the same; a body of another kind has no files.
    let answer = ann.post(PATH, json!({"conversation_id": id})).await;
    assert_eq!(refusal(&answer), (400, "No files provided".to_owned()));
}

#[tokio::test]
async fn a_name_leads_nowhere() {
    let bed = Bed::open().await;
    let ann = Client::claiming(&bed, "ann");
    let id = bed.conversation("ann").await.to_string();
    let long = format!("{}.png", "n".repeat(4096));
    let names = [
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/etc/shadow", "shadow"),
        ("..", "file"),
        (".htaccess", "htaccess"),
        ("a;b=c.txt", "a;b=c.txt"),
        ("x\u{202e}gnp.exe", "xgnp.exe"),
        ("e\u{301}\u{1f600}.png", "\u{e9}\u{1f600}.png"),
    ];
    for (sent, kept) in names {
        let parts = [text("conversation_id", &id), file(sent, "image/png", "x")];
        let answer = ann.form(PATH, &parts).await;
        assert_eq!(answer.status, 201, "{sent:?}: {answer:?}");
        let url = Client::path_of(answer.json()["files"][0].as_str().unwrap());
        let path = url.strip_prefix("/files/").unwrap();
        assert!(bed.kept().iter().any(|it| it == path), "{url} is not in {:?}", bed.kept());
        let shown = ann.get(&url).await;
        assert_eq!((shown.status, shown.body.as_str()), (200, "x"));
        let listed = ann.get("/api/files?limit=1").await.json()["files"][0]["filename"].clone();
        assert_eq!(listed, kept, "{sent:?}");
    }
    let answer =
        ann.form(PATH, &[text("conversation_id", &id), file(&long, "image/png", "x")]).await;
    let url = Client::path_of(answer.json()["files"][0].as_str().unwrap());
    assert!(answer.status == 201 && url.len() < 300 && url.ends_with("nn.png"), "{answer:?}");
    let kept = bed.kept().len();
    // A header with NUL is no header.
    let answer =
        ann.form(PATH, &[text("conversation_id", &id), file("a\0b", "image/png", "x")]).await;
    assert_eq!((refusal(&answer).0, bed.kept().len()), (400, kept));
}

#[tokio::test]
async fn what_is_too_large_or_too_much_leaves_nothing() {
    let bed = Bed::open().await;
    let ann = Client::claiming(&bed, "ann");
    let id = bed.conversation("ann").await;
    let limit = usize::try_from(LARGEST).unwrap();
    let conversation = || text("conversation_id", &id.to_string());
    let (fits, large) = ("x".repeat(limit), "x".repeat(limit + 1));
    let parts = [file("a", "a/b", "x"), conversation(), file("b", "a/b", &large)];
    let refused = refusal(&ann.form(PATH, &parts).await);
    assert_eq!(refused, (413, format!("A file has at most {limit} bytes")));
    let head = |n: usize| {
        let line = format!("X: {}\r\n", "x".repeat(n));
        file("a", "a/b", "x").replace("\r\n\r\n", &format!("\r\n{line}\r\n"))
    };
    let many = vec![file("a", "a/b", "x"); 10_000];
    let cases = [
        (400, "A form has at most 64 parts", many),
        (400, "A form has at most 64 parts", vec![text("t", ""); 10_000]),
        (
            413,
            "The texts of a form have at most 1000000 bytes together",
            vec![text("message", &"x".repeat(1_000_001))],
        ),
        (400, "The head of a part has at most 65536 bytes", vec![head(500_000)]),
    ];
    for (status, why, parts) in cases {
        let parts: Vec<_> = [conversation()].into_iter().chain(parts).collect();
        assert_eq!(refusal(&ann.form(PATH, &parts).await), (status, why.to_owned()));
        assert_eq!(bed.kept(), Vec::<String>::new(), "{why}");
    }
    assert_eq!(bed.contents(id).await, Vec::<String>::new());
    let answer = ann.form(PATH, &[conversation(), file("a", "a/b", &fits)]).await;
    assert_eq!((answer.status, bed.kept().len()), (201, 1));
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing() {
    let bed = Bed::open().await;
    let id = bed.conversation("ann").await;
    let path = format!("{PATH}?user_id=ann");
    let parts = [
        text("conversation_id", &id.to_string()),
        file("a", "a/b", "whole"),
        file("b", "a/b", &"x".repeat(600_000)),
    ];
    let whole = whole(&parts);
    let length = (whole.len() + 1000).to_string();
    let headers = [PARTS, ("Content-Length", length.as_str())];
    for end in [300, whole.len() / 2, whole.len() - 10] {
        http::broken_off(bed.at, &path, &headers, &whole.as_bytes()[..end]).await.unwrap();
        eventually("an empty folder", async || bed.kept().is_empty().then_some(())).await;
    }
    assert_eq!(bed.contents(id).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_length_that_is_a_lie_is_answered_or_waited_for_no_longer_than_the_form() {
    let bed = Bed::open().await;
    let id = bed.conversation("ann").await;
    let path = format!("{PATH}?user_id=ann");
    let whole = whole(&[text("conversation_id", &id.to_string()), file("a", "a/b", "content")]);
    let send = async |length: usize| {
        let length = length.to_string();
        let headers = [PARTS, ("Content-Length", length.as_str())];
        http::request_with(bed.at, "POST", &path, &headers, whole.as_bytes()).await.unwrap()
    };
    // Too short: the form has no end.
    let short = send(whole.len() - 20).await;
    assert_eq!((refusal(&short).0, bed.kept().len()), (400, 0), "{short:?}");
    // Too long: the form has its end, and more is not waited for.
    let long = send(whole.len() + 1_000_000).await;
    assert_eq!((long.status, bed.kept().len()), (201, 1), "{long:?}");
}
