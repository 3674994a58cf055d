//! Files as they are sent.
use e2e::http::Response;
use serde_json::{Value, json};

use crate::{
    bed::Bed,
    client::{Client, file, refusal, text},
};

async fn upload(bed: &Bed, name: &str, media: &str, content: &str) -> (Client, String) {
    let ann = Client::claiming(bed, "ann");
    let id = bed.conversation("ann").await;
    let parts = [text("conversation_id", &id.to_string()), file(name, media, content)];
    let answer = ann.form("/api/upload_file", &parts).await.json();
    (ann, Client::path_of(answer["files"][0].as_str().expect("an address")))
}

/// The path and the query of an address of this gateway.
fn local<'a>(bed: &Bed, address: &'a Value) -> &'a str {
    let base = format!("http://{}", bed.at);
    let address = address.as_str().expect("an address");
    address.strip_prefix(&base).unwrap_or_else(|| panic!("{address} is not at {base}"))
}

#[tokio::test]
async fn an_address_in_an_answer_opens_its_file_alone_and_without_a_header() {
    let bed = Bed::jwt().await;
    let ann = Client::signed_in(&bed, "ann");
    let id = bed.conversation("ann").await;
    let mut room = bed.watch(id);
    let parts = [
        text("conversation_id", &id.to_string()),
        file("a.png", "image/png", "0123456789"),
        file("b.png", "image/png", "another"),
    ];
    let answer = ann.form("/api/upload_file", &parts).await.json();
    let shown = room.next().await.1;
    assert_eq!(shown["files"], answer["files"]);
    let page = Client::nobody(&bed);
    // As it is shown, as it is read again, and as it is listed.
    let read = ann.get(&format!("/conversations/{id}/messages")).await.json();
    let listed = ann.get("/api/files").await.json();
    let addresses = [
        &shown["files"][0],
        &read["messages"][0]["uploaded_files"][0]["url"],
        &listed["files"][1]["url"],
    ];
    for address in addresses {
        let picture = page.get(local(&bed, address)).await;
        assert_eq!((picture.status, &*picture.body), (200, "0123456789"), "{address}");
        assert_eq!(picture.header("content-type"), Some("image/png"));
        let part = range(&page, local(&bed, address), "bytes=2-4").await;
        assert_eq!((part.status, &*part.body), (206, "234"));
    }
    let good = local(&bed, &shown["files"][0]);
    let (path, link) = good.split_once('?').unwrap();
    let (other, _) = local(&bed, &shown["files"][1]).split_once('?').unwrap();
    let later = link.replace("expires=1", "expires=2");
    let forged = link.replace("signature=", "signature=A");
    let bad = [format!("{other}?{link}"), format!("{path}?{later}"), format!("{path}?{forged}")];
    for bad in bad {
        let refused = page.get(&bad).await;
        assert_eq!(refusal(&refused).0, 403, "{bad}: {refused:?}");
        // Who shows a token needs no link.
        assert_eq!(ann.get(&bad).await.status, 200, "{bad}");
        assert_eq!(Client::signed_in(&bed, "bob").get(&bad).await.status, 404, "{bad}");
    }
    // A link is for a file, and opens no more.
    assert_eq!(page.get(path).await.status, 401);
    assert_eq!(page.get(&format!("/api/files?{link}")).await.status, 401);
    // What is deleted has no link.
    assert_eq!(ann.delete(&format!("/conversations/{id}")).await.status, 200);
    assert_eq!(page.get(good).await.status, 404);
}

async fn range(client: &Client, url: &str, range: &str) -> Response {
    client.send("GET", url, &[("Range", range)], &[]).await
}

#[tokio::test]
async fn a_part_of_a_file_can_be_had() {
    let bed = Bed::open().await;
    let (ann, url) = upload(&bed, "a.txt", "text/plain", "0123456789").await;
    let parts = [
        ("bytes=0-3", "0123", "bytes 0-3/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=8-100", "89", "bytes 8-9/10"),
    ];
    for (asked, content, told) in parts {
        let part = range(&ann, &url, asked).await;
        assert_eq!((part.status, part.body.as_str()), (206, content), "{asked}");
        assert_eq!(part.header("content-range"), Some(told));
    }
    let beyond = range(&ann, &url, "bytes=10-").await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */10")));
    for asked in ["bytes=0-1,4-5", "bytes=3-2", "lines=1-2", "nonsense"] {
        let whole = range(&ann, &url, asked).await;
        assert_eq!((whole.status, whole.body.as_str()), (200, "0123456789"), "{asked}");
        assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    }
    let head = ann.send("HEAD", &url, &[], &[]).await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("10")));
    let tag = head.header("etag").unwrap();
    let known = ann.send("GET", &url, &[("If-None-Match", tag)], &[]).await;
    assert_eq!((known.status, known.body.as_str()), (304, ""));
    let same = ann.send("GET", &url, &[("If-Range", tag), ("Range", "bytes=1-1")], &[]).await;
    let other = ann.send("GET", &url, &[("If-Range", "\"x\""), ("Range", "bytes=1-1")], &[]).await;
    assert_eq!((same.status, other.status), (206, 200));
    assert_eq!(refusal(&ann.send("POST", &url, &[], &[]).await).0, 405);
}

#[tokio::test]
async fn nothing_in_a_file_runs() {
    let bed = Bed::open().await;
    let cases = [
        ("a.html", "text/html", "attachment"),
        ("a.svg", "image/svg+xml", "attachment"),
        ("a.xml", "application/xml", "attachment"),
        ("a.png", "image/png", "inline"),
        ("a.txt", "text/plain", "inline"),
        ("a.mp4", "video/mp4", "inline"),
        ("a", "nonsense", "attachment"),
    ];
    for (name, media, place) in cases {
        let (ann, url) = upload(&bed, name, media, "<script>").await;
        let sent = ann.get(&url).await;
        assert_eq!((sent.status, sent.body.as_str()), (200, "<script>"));
        let disposition = sent.header("content-disposition").unwrap();
        assert!(disposition.starts_with(&format!("{place}; filename=\"{name}\"")), "{disposition}");
        let kept = ["x-content-type-options", "content-security-policy", "cache-control"];
        let kept = kept.map(|name| sent.header(name).unwrap_or_default());
        assert_eq!(kept, ["nosniff", "sandbox", "private"], "{name}");
    }
    let (ann, url) = upload(&bed, "ä.txt", "text/plain", "x").await;
    let disposition = ann.get(&url).await.header("content-disposition").unwrap().to_owned();
    assert_eq!(disposition, "inline; filename=\"_.txt\"; filename*=UTF-8''%C3%A4.txt");
    let (ann, url) = upload(&bed, "empty", "text/plain", "").await;
    let empty = ann.get(&url).await;
    assert_eq!((empty.status, empty.header("content-length")), (200, Some("0")));
    assert_eq!(range(&ann, &url, "bytes=0-").await.status, 416);
    let listed = ann.get("/api/files?limit=1").await.json();
    assert_eq!(listed["files"][0]["size"], json!(0));
}
