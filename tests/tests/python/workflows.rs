//! A program that has spreadsheets worked on, and watches.
use std::path::Path;

use e2e::{
    Gateway,
    chat::{Chat, people},
    program::{Program, prepared},
    scratch::Scratch,
    workflows::{self, Language, frames},
};
use serde_json::json;

#[tokio::test]
async fn a_run_on_a_large_file_is_seen_to_move_before_its_result() {
    workflows::a_large_file(Language::Python).await;
}

#[tokio::test]
async fn a_client_is_answered_whatever_it_says_and_follows_the_chat_it_moved_to() {
    workflows::a_talk(Language::Python).await;
}

#[tokio::test]
async fn the_eleventh_of_ten_is_told_so_and_closed_and_the_others_stay() {
    let gateway = Gateway::start(&[("workflows.max_connections", "10")]).await;
    let lines = Language::Python.start(&gateway, &["crowd", "10"]).lines().await;
    let all = frames(&lines);
    assert!(all[..10].iter().all(|it| it["type"] == "connected"), "{all:#?}");
    assert_eq!(all[10], json!({"type": "error", "message": "Maximum connections reached"}));
    assert!(lines.contains(&"closed 1000 ''".to_owned()), "{lines:#?}");
    assert_eq!(all[11..], vec![json!({"type": "pong"}); 10]);
    assert_eq!(lines.last().map(String::as_str), Some("room again"));
}

#[tokio::test]
async fn the_worker_of_the_documentation_does_a_step() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol/workflows.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let script = docs.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = Scratch::new();
    let file = folder.path().join("worker.py");
    std::fs::write(&file, script).unwrap();
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    chat.upload("people.csv", people(5000)).await;
    let mut watcher = chat.watch(&gateway).await;
    let arguments = json!({"column": "city"});
    let step =
        json!({"operation": "text/count-letters", "kind": "external", "arguments": arguments});
    let begun = chat.post("/runs", &json!({"steps": [step]})).await;
    assert_eq!(begun.status, 202, "{}", begun.body);
    let python = prepared("QUADRILLE_TEST_PYTHON_WORKFLOWS");
    let env = [("QUADRILLE".to_owned(), format!("http://{}", gateway.address()))];
    let _worker = Program::start_with(Path::new(&python), file.to_str().unwrap(), &[], &env);
    let mut percents = Vec::new();
    loop {
        let frame = watcher.next_json().await;
        match frame["type"].as_str() {
            Some("progress") => percents.push(frame["progress"].as_i64().unwrap()),
            Some("step_result") => assert_eq!(frame["result"]["letters"], 5000 * 4),
            Some("workflow_completed") => break,
            _ => {}
        }
    }
    // Offered, claimed, five thousands of rows, done.
    assert_eq!(percents, [0, 0, 0, 20, 40, 60, 80, 100]);
}
