//! A name is the same however its letters are written, and what there is not is named.
use e2e::{
    Gateway,
    chat::{Chat, people},
    direct, http,
};
use serde_json::json;

/// `ž` and `ý` in one character each, and in two.
const COMPOSED: &str = "\u{17e}lut\u{fd}.csv";
const DECOMPOSED: &str = "z\u{30c}luty\u{301}.csv";

fn escaped(name: &str) -> String {
    let bytes = name.bytes().map(|it| format!("%{it:02X}"));
    bytes.collect()
}

#[tokio::test]
async fn a_name_in_decomposed_letters_is_the_same_name() {
    let gateway = Gateway::start(&[]).await;
    for (uploaded, asked) in [(DECOMPOSED, COMPOSED), (COMPOSED, DECOMPOSED)] {
        let chat = Chat::create(&gateway).await;
        let told = chat.upload(uploaded, people(2)).await.json()["data"].clone();
        assert_eq!(told["filename"], COMPOSED);
        let path = told["file_path"].as_str().unwrap().to_owned();
        let found = chat.get(&format!("/files/{}", escaped(asked))).await;
        assert_eq!((found.status, found.body), (200, people(2)));
        // A second one gets a number.
        let second = chat.upload(asked, people(2)).await.json()["data"]["filename"].clone();
        assert_eq!(second, "\u{17e}lut\u{fd}_2.csv");
        // A step names it by either.
        for bind in [asked.to_owned(), path.replace(COMPOSED, asked)] {
            let arguments = json!({"bind_file": bind, "comparison_column": "id",
                "bind_columns": ["city"]});
            let steps = json!([{"operation": "excel/bind-single-key", "arguments": arguments}]);
            let done = chat.execute(&steps).await;
            assert_eq!(done.status, 200, "{bind}: {}", done.body);
        }
    }
    // What a direct request made.
    let parts = [
        ("file", Some("a.csv"), "a\n1\n"),
        direct::text("output_filename", "z\u{30c}.csv"),
        direct::text("conditions", r#"[{"column":"a","operator":"is_not_empty"}]"#),
    ];
    let (_, made) = direct::ask(&gateway, "/csv/search", &parts).await;
    let (_, name) = direct::download(&gateway, &made);
    assert_eq!(name, "%C5%BE.csv");
    for name in ["\u{17e}.csv", "z\u{30c}.csv"] {
        let path = format!("/api/v1/files/downloads/{}", escaped(name));
        assert_eq!(gateway.get(&path).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn an_operation_that_there_is_not_is_refused_before_anything_runs() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    chat.upload("a.csv", people(2)).await;
    let wrong = json!([{"operation": "json/generate"}, {"operation": "csv/burn"}]);
    let json = [("Content-Type", "application/json")];
    let confirm = format!("/api/v1/chat/bot/conversations/{}/confirm", chat.id);
    for (path, body) in [
        (chat.path("/execute"), json!({"steps": wrong})),
        (chat.path("/execute?wait=false"), json!({"steps": wrong})),
        (chat.path("/runs"), json!({"steps": wrong})),
        (confirm, json!({"confirmed": true, "modified_workflow": wrong})),
    ] {
        let body = body.to_string();
        let sent = http::send(gateway.address(), "POST", &path, &json, body.as_bytes());
        let refused = sent.await.unwrap();
        assert_eq!((refused.status, &refused.json()["status_code"]), (422, &json!(422)), "{path}");
        let told = refused.json()["message"].as_str().unwrap().to_owned();
        assert!(told.starts_with("No handler found for operation: csv/burn; there are "), "{told}");
        assert!(told.contains("csv/search") && told.contains("sql/generate-to-text"), "{told}");
    }
    let shown = chat.get("").await.json()["data"].clone();
    assert_eq!((&shown["output_files"], &shown["workflow_steps"]), (&json!([]), &json!([])));
    // Somebody else's may be called as they like.
    let outside = json!({"steps": [{"operation": "csv/burn", "kind": "external"}]});
    assert_eq!(chat.post("/runs", &outside).await.status, 202);
}

#[tokio::test]
async fn a_run_of_no_steps_is_over_as_it_begins() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    let mut watcher = chat.watch(&gateway).await;
    let done = chat.execute(&json!([])).await;
    assert_eq!((done.status, &done.json()["status_code"]), (200, &json!(200)), "{}", done.body);
    let data = done.json()["data"].clone();
    assert_eq!((&data["results"], &data["output_files"]), (&json!([]), &json!([])));
    assert_eq!(watcher.next_json().await["type"], "workflow_started");
    let last = watcher.next_json().await;
    assert_eq!((&last["type"], &last["total_steps"]), (&json!("workflow_completed"), &json!(0)));
    let none = chat.post("/execute", &json!({})).await;
    assert_eq!((none.status, &none.json()["message"]), (422, &json!("No steps provided")));
    assert_eq!(chat.post("/runs", &json!({"steps": []})).await.status, 422);
}
