//! Workflows where there is too much of something: of bytes, of runs at once, of files for a disk.
use std::collections::BTreeSet;

use e2e::{
    Client, Gateway,
    chat::{Chat, FORM, part, people},
    eventually, http,
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

const MIB: usize = 1 << 20;

fn search(city: &str) -> Value {
    let conditions = json!([{"column": "city", "operator": "equals", "value": city}]);
    json!({"operation": "csv/search", "arguments": {"conditions": conditions}})
}

fn plain(operation: &str) -> Value {
    json!([{"operation": operation}])
}

/// Reads the watcher's frames up to the end of a run.
async fn over(watcher: &mut Client) -> Vec<Value> {
    let mut frames = Vec::new();
    loop {
        let frame = watcher.next_json().await;
        let kind = frame["type"].as_str().unwrap_or_default().to_owned();
        frames.push(frame);
        if kind == "workflow_completed" || kind == "workflow_failed" {
            return frames;
        }
    }
}

#[tokio::test]
async fn a_file_over_the_limit_is_refused_long_before_its_end() {
    let limit = MIB.to_string();
    let gateway = Gateway::start(&[("files.max_upload_size", &limit)]).await;
    let chat = Chat::create(&gateway).await;
    let before = gateway.rss_kib();
    let path = chat.path("/upload");
    let begin = part("a.csv");
    let data = "0123456,Köln\n".repeat(5000);
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let declared = ("Content-Length", "5000000000");
    let chunked = ("Transfer-Encoding", "chunked");
    let ways = [(declared, begin.clone(), data.clone()), (chunked, chunk(&begin), chunk(&data))];
    for (length, begin, piece) in ways {
        let headers = [FORM, length];
        let (begin, piece) = (begin.as_bytes(), piece.as_bytes());
        let flood = http::flood(gateway.address(), &path, &headers, begin, piece).await;
        let (answer, sent) = flood.unwrap();
        assert_eq!(answer.status, 413, "{length:?}: {}", answer.body);
        let why = format!("A file has at most {MIB} bytes");
        assert_eq!(answer.json()["message"], why, "{length:?}");
        // What the kernels held on the way counts, too.
        assert!(sent < 64 * MIB, "{length:?}: {sent} bytes");
    }
    assert_eq!(chat.get("").await.json()["data"]["uploaded_files"], json!([]));
    let grown = gateway.peak_kib().saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB");
    chat.upload("a.csv", people(10)).await;
    assert_eq!(chat.execute(&json!([search("Oslo")])).await.status, 200);
}

#[tokio::test]
async fn two_runs_of_one_chat_are_done_one_after_the_other() {
    let gateway = Gateway::start(&[("workflows.workers", "2")]).await;
    let chat = Chat::create(&gateway).await;
    chat.upload("a.csv", people(5001)).await;
    let mut watcher = chat.watch(&gateway).await;
    let (one, other) = (json!([search("Köln"), search("Köln")]), json!([search("Oslo")]));
    let (one, other) = tokio::join!(chat.execute(&one), chat.execute(&other));
    let mut jobs = BTreeSet::new();
    for (done, rows) in [(one, 2501), (other, 2500)] {
        assert_eq!(done.status, 200, "{}", done.body);
        let data = done.json()["data"].clone();
        for result in data["results"].as_array().unwrap() {
            assert_eq!(result["statistics"]["filtered_rows"], rows);
        }
        jobs.insert(data["job_id"].to_string());
    }
    let mut seen = BTreeSet::new();
    for _ in 0..2 {
        let frames = over(&mut watcher).await;
        assert_eq!(frames[0]["type"], "workflow_started");
        let run = &frames[0]["run_id"];
        assert!(frames.iter().all(|it| it["run_id"] == *run), "{frames:#?}");
        assert_eq!(frames.last().unwrap()["type"], "workflow_completed");
        seen.insert(run.to_string());
    }
    assert_eq!(seen, jobs);
}

#[tokio::test]
async fn a_run_goes_on_when_who_asked_for_it_is_gone() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    chat.upload("a.csv", people(20_000)).await;
    let mut watcher = chat.watch(&gateway).await;
    let body = json!({"steps": plain("csv/convert-to-excel")}).to_string();
    let length = body.len().to_string();
    let headers = [("Content-Type", "application/json"), ("Content-Length", &length)];
    let head = http::head(gateway.address(), "POST", &chat.path("/execute"), &headers);
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    while watcher.next_json().await["progress"].as_u64().is_none_or(|it| it == 0) {}
    drop(stream);
    let frames = over(&mut watcher).await;
    assert_eq!(frames.last().unwrap()["type"], "workflow_completed");
    let shown = chat.get("").await.json()["data"].clone();
    assert_eq!(
        (&shown["status"], &shown["workflow_steps"][0]["status"]),
        (&json!("completed"), &json!("completed"))
    );
    let file = shown["output_files"][0].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert_eq!(chat.get(&format!("/files/{file}")).await.status, 200);
}

#[tokio::test]
async fn a_run_too_many_is_refused_and_taken_later() {
    let settings = [("workflows.workers", "1"), ("workflows.max_waiting", "1")];
    let gateway = Gateway::start(&settings).await;
    let (chat, other) = (Chat::create(&gateway).await, Chat::create(&gateway).await);
    chat.upload("large.csv", people(50_000)).await;
    other.upload("small.csv", people(10)).await;
    let mut watcher = chat.watch(&gateway).await;
    let large = json!({"steps": plain("csv/convert-to-excel")});
    let small = json!({"steps": [search("Oslo")]});
    assert_eq!(chat.post("/execute?wait=false", &large).await.status, 202);
    while watcher.next_json().await["type"] != "workflow_started" {}
    // One behind it in its chat, and one for the worker.
    for chat in [&chat, &other] {
        assert_eq!(chat.post("/execute?wait=false", &small).await.status, 202);
    }
    for chat in [&chat, &other] {
        let refused = chat.post("/execute", &small).await;
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
        assert_eq!(refused.json()["message"], "Too many runs are waiting; try again later");
    }
    let taken = eventually("room in the queue", async || {
        let answer = other.post("/execute", &small).await;
        (answer.status != 503).then_some(answer.status)
    });
    assert_eq!(taken.await, 200);
    for _ in 0..2 {
        assert_eq!(over(&mut watcher).await.last().unwrap()["type"], "workflow_completed");
    }
}

const FULL: &str = "the disk is full";

/// All that a run can fill the disk with: a workbook, a text file, a script.
const LARGE: [&str; 4] =
    ["csv/convert-to-excel", "excel/convert-to-csv", "json/generate", "sql/generate"];

#[tokio::test]
async fn a_disk_that_is_full_in_the_middle_of_a_step_is_told_and_survived() {
    // The input has room where it is worked on, and what is made of it has none.
    let gateway = Gateway::start_on_small_disk(1 << 20, &[("workflows.scratch", "small")]).await;
    let chat = Chat::create(&gateway).await;
    let mut watcher = chat.watch(&gateway).await;
    for operation in LARGE {
        chat.upload("large.csv", people(25_000)).await;
        let failed = chat.execute(&plain(operation)).await;
        assert_eq!(failed.status, 500, "{operation}: {}", failed.body);
        assert!(failed.body.contains(FULL), "{operation}: {}", failed.body);
        let frames = over(&mut watcher).await;
        let error = frames.iter().find(|it| it["type"] == "error").unwrap();
        assert!(error.to_string().contains(FULL) && error["step_id"].is_string(), "{error}");
        // What was begun is gone, and there is room again.
        chat.upload("small.csv", people(100)).await;
        let done = chat.execute(&plain(operation)).await;
        assert_eq!(done.status, 200, "{operation}: {}", done.body);
        over(&mut watcher).await;
    }
    // A large file, to which another is bound.
    chat.upload("ages.csv", "id,age\n0000001,7\n").await;
    chat.upload("large.csv", people(25_000)).await;
    let bind = json!({"bind_file": "ages.csv", "comparison_column": "id", "bind_columns": ["age"]});
    let bind = json!([{"operation": "excel/bind-single-key", "arguments": bind}]);
    let failed = chat.execute(&bind).await;
    assert!(failed.status == 500 && failed.body.contains(FULL), "{}", failed.body);
    // Not even the input.
    chat.upload("huge.csv", people(50_000)).await;
    let failed = chat.execute(&json!([search("Oslo")])).await;
    assert!(failed.status == 500 && failed.body.contains(FULL), "{}", failed.body);
}

#[tokio::test]
async fn a_disk_that_has_no_room_for_files_is_told_and_survived() {
    let files = [("files.url", "file://small")];
    let gateway = Gateway::start_on_small_disk(1 << 20, &files).await;
    let chat = Chat::create(&gateway).await;
    // It is taken, and what is made of it has no room beside it.
    assert_eq!(chat.upload("large.csv", people(25_000)).await.status, 200);
    let failed = chat.execute(&plain("json/generate")).await;
    assert!(failed.status == 500 && failed.body.contains(FULL), "{}", failed.body);
    let refused = chat.upload("more.csv", people(25_000)).await;
    assert_eq!(refused.status, 507, "{}", refused.body);
    assert!(refused.body.contains("The disk is full"), "{}", refused.body);
    chat.upload("small.csv", people(100)).await;
    assert_eq!(chat.execute(&json!([search("Oslo")])).await.status, 200);
}
