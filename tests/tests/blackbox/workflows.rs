//! Workflows from outside: a chat, its files, its runs and who watches them.
use e2e::{
    Client, Gateway,
    chat::{Chat, people},
};
use serde_json::{Value, json};

fn search(city: &str) -> Value {
    let conditions = json!([{"column": "city", "operator": "equals", "value": city}]);
    json!({"operation": "csv/search", "arguments": {"conditions": conditions}})
}

/// Reads the watcher's frames up to one of this type.
async fn until(watcher: &mut Client, last: &str) -> Vec<Value> {
    let mut frames = Vec::new();
    loop {
        let frame = watcher.next_json().await;
        frames.push(frame);
        if frames.last().is_some_and(|it| it["type"] == last) {
            return frames;
        }
    }
}

fn types(frames: &[Value]) -> Vec<&str> {
    frames.iter().map(|it| it["type"].as_str().expect("a frame has a type")).collect()
}

#[tokio::test]
async fn a_run_is_watched_from_its_start_to_its_result() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    let uploaded = chat.upload("people of 2026.csv", &people(20_000)).await.json();
    assert_eq!(uploaded["data"]["filename"], "people_of_2026.csv");
    let mut watcher = chat.watch(&gateway).await;
    let steps = json!([search("Oslo"), {"operation": "excel/extract-columns",
        "arguments": {"columns": ["id"], "include_statistics": false}}]);
    let done = chat.post("/execute", &json!({"steps": steps})).await;
    assert_eq!(done.status, 200, "{}", done.json());
    let results = done.json()["data"]["results"].clone();
    assert_eq!(results[0]["statistics"]["filtered_rows"], 10_000);
    assert!(results[1]["data"].to_string().contains(r#""0000001","0000003""#));
    assert_eq!(results[1]["output_file_path"], Value::Null);

    let frames = until(&mut watcher, "workflow_completed").await;
    let kinds = types(&frames);
    assert_eq!(kinds[..2], ["workflow_started", "progress"]);
    let of = |kind: &str| frames.iter().filter(|it| it["type"] == kind).collect::<Vec<_>>();
    assert_eq!(of("step_result").len(), 2);
    let progress = of("progress");
    let steps: Vec<_> = progress.iter().map(|it| &it["step_id"]).collect();
    let first: Vec<_> = progress.iter().filter(|it| it["step_id"] == *steps[0]).collect();
    let percents: Vec<_> = first.iter().map(|it| it["progress"].as_i64().unwrap()).collect();
    assert!(percents.is_sorted() && percents[0] == 0 && percents.last() == Some(&100));
    assert!(first.iter().all(|it| it["operation"] == "csv/search"));

    // What was made can be fetched, whole and in part.
    let url = results[0]["download_url"].as_str().unwrap();
    let path = url.strip_prefix(&format!("http://{}", gateway.address())).unwrap();
    let file = gateway.get(path).await;
    assert!(file.body.starts_with("id,name,city\n0000001,Jürgen 1,Oslo\n"));
    let shown = chat.get("").await.json()["data"].clone();
    assert_eq!(
        (&shown["status"], shown["workflow_steps"].as_array().unwrap().len()),
        (&json!("completed"), 2)
    );
    assert_eq!(shown["uploaded_files"], json!([uploaded["data"]["file_path"]]));
    let messages = shown["messages"].as_array().unwrap();
    let sent = messages.iter().find(|it| it["message_type"] == "file_upload").unwrap();
    let path = &uploaded["data"]["file_path"];
    assert_eq!(sent["metadata"], json!({"file_path": path}));
    let told = sent["content"].as_str().unwrap();
    assert!(told.starts_with("File uploaded: "), "{told}");
}

#[tokio::test]
async fn who_does_not_wait_asks_for_the_job() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    chat.upload("a.csv", &people(10)).await;
    let mut watcher = chat.watch(&gateway).await;
    let submitted = chat.post("/execute?wait=false", &json!({"steps": [search("Oslo")]})).await;
    assert_eq!(submitted.status, 202);
    let job = submitted.json()["data"]["job_id"].as_str().unwrap().to_owned();
    until(&mut watcher, "workflow_completed").await;
    let run = chat.get(&format!("/runs/{job}")).await.json()["data"].clone();
    assert_eq!((&run["status"], &run["completed_steps"]), (&json!("completed"), &json!(1)));
    let again = chat.post(&format!("/runs/{job}/cancel"), &json!({})).await;
    assert_eq!(again.status, 409, "{}", again.json());
    assert_eq!(chat.get("/runs/nobody").await.status, 404);
}

#[tokio::test]
async fn what_is_wrong_is_named_and_a_failed_run_can_be_tried_again() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    let told = async |steps: Value| {
        let answer = chat.post("/execute", &json!({"steps": steps})).await;
        (answer.status, answer.json()["status_code"].clone(), answer.json()["message"].to_string())
    };
    let none = chat.post("/execute", &json!({})).await;
    assert_eq!((none.status, &none.json()["message"]), (422, &json!("No steps provided")));
    let (_, _, none) = told(json!([search("Oslo")])).await;
    assert_eq!(none, "\"No uploaded file found for processing\"");
    chat.upload("a.csv", &people(10)).await;
    let mut watcher = chat.watch(&gateway).await;
    let wrong = json!([{"operation": "csv/search", "arguments":
        {"conditions": [{"column": "nope", "operator": "equals", "value": "x"}]}}]);
    let (status, body, message) = told(wrong).await;
    assert_eq!((status, body), (500, json!(422)));
    assert!(message.contains("Workflow failed at step 1/1: CSV operation failed: "), "{message}");
    assert!(message.contains("nope") && message.contains("id, name, city"), "{message}");
    let frames = until(&mut watcher, "workflow_failed").await;
    let error = frames.iter().find(|it| it["type"] == "error").unwrap();
    assert!(error["step_id"].is_string() && error["message"].as_str().unwrap().contains("nope"));
    let outside = json!([{"operation": "excel/bind-single-key", "arguments":
        {"bind_file": "../../etc/passwd", "comparison_column": "id", "bind_columns": ["x"]}}]);
    let (_, _, message) = told(outside).await;
    assert!(message.contains("bind_file"), "{message}");
    let (_, _, message) = told(json!([{"operation": "foo/bar"}])).await;
    assert!(message.contains("No handler found for operation: foo/bar"), "{message}");
    let runs = chat.get("/runs").await.json()["data"]["runs"].clone();
    let job = runs[0]["job_id"].as_str().unwrap().to_owned();
    let second = chat.get("/runs?limit=1&offset=1").await.json()["data"]["runs"].clone();
    assert_eq!(second, json!([runs[1]]));
    assert_eq!(chat.get("/runs?limit=x").await.status, 422);
    assert_eq!(chat.post(&format!("/runs/{job}/retry"), &json!({})).await.status, 202);
}

#[tokio::test]
async fn a_connection_is_answered_as_its_clients_know_it() {
    let gateway = Gateway::start(&[("workflows.max_connections", "1")]).await;
    let mut client = Client::at(&gateway, "/chat/abc").await;
    let connected = client.next_json().await;
    assert_eq!((&connected["type"], &connected["chat_id"]), (&json!("connected"), &json!("abc")));
    client.send_json(&json!({"type": "ping"})).await;
    assert_eq!(client.next_json().await, json!({"type": "pong"}));
    client.send_json(&json!({"type": "other", "n": 1})).await;
    assert_eq!(
        client.next_json().await,
        json!({"type": "ack", "original": {"type": "other", "n": 1}})
    );
    client.send_json(&json!({"type": "subscribe", "chat_id": 7})).await;
    assert_eq!(client.next_json().await["chat_id"], 7);
    let mut second = Client::at(&gateway, "/chat/abc").await;
    let full = json!({"type": "error", "message": "Maximum connections reached"});
    assert_eq!(second.next_json().await, full);
    assert_eq!(second.closed().await.0, 1000);
}

#[tokio::test]
async fn who_comes_to_the_name_of_a_deleted_chat_finds_nothing_of_it() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    chat.upload("a.csv", people(10)).await;
    let mut watcher = Client::at(&gateway, &format!("/chat/{}", chat.id)).await;
    let position = watcher.next_json().await["position"].as_str().unwrap().to_owned();
    chat.post("/execute", &json!({"steps": [search("Oslo")]})).await;
    until(&mut watcher, "workflow_completed").await;
    let deleted = e2e::http::send(gateway.address(), "DELETE", &chat.path(""), &[], b"").await;
    assert_eq!(deleted.unwrap().status, 200);
    let path = format!("/chat/{}?since={position}", chat.id);
    let mut late = Client::at(&gateway, &path).await;
    assert_eq!(late.next_json().await["type"], "connected");
    late.send_json(&json!({"type": "ping"})).await;
    let told = [late.next_json().await["type"].clone(), late.next_json().await["type"].clone()];
    assert!(told == ["gap", "pong"] || told == ["pong", "gap"], "{told:?}");
}

#[tokio::test]
async fn a_step_gets_the_values_and_a_download_gets_apostrophes() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    chat.upload("names.csv", "id,handle\n1,@anna\n2,=1+1\n3,'=own\n4,-dash\n").await;
    let search = |operator: &str, value: &str| {
        json!({"operation": "csv/search", "arguments": {"output_format": "csv", "conditions":
            [{"column": "handle", "operator": operator, "value": value}]}})
    };
    let steps = json!([
        search("is_not_empty", ""),
        search("not_equals", "-dash"),
        search("starts_with", "@")
    ]);
    let done = chat.execute(&steps).await.json();
    let results = &done["data"]["results"];
    let found = [0, 1, 2].map(|at| results[at]["statistics"]["filtered_rows"].clone());
    assert_eq!(found, [4, 3, 1].map(serde_json::Value::from));
    let path = |at: usize| {
        let url = results[at]["download_url"].as_str().unwrap();
        format!("/api{}", url.split_once("/api").unwrap().1)
    };
    // What somebody wrote stays, and what was put in is only in the download.
    let whole = "id,handle\n1,'@anna\n2,'=1+1\n3,'=own\n4,'-dash\n";
    let file = gateway.get(&path(0)).await;
    assert_eq!(file.body, whole);
    let part =
        e2e::http::get(gateway.address(), &path(0), &[("range", "bytes=12-20")]).await.unwrap();
    assert_eq!((part.status, part.body.as_str()), (206, whole.get(12..=20).unwrap()));
    assert_eq!(gateway.get(&path(2)).await.body, "id,handle\n1,'@anna\n");
}

#[tokio::test]
async fn work_that_could_not_do_all_says_so() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    chat.upload("n.csv", "n\n1\nx\n").await;
    let items = |kind: &str| {
        json!([{"operation": "normalization/apply", "arguments":
            {"normalizations": [{"column": "n", "type": kind}], "colour": 1}}])
    };
    let done = chat.execute(&items("bad")).await;
    assert_eq!(done.status, 200);
    let message = "Workflow executed with errors: step 1 could not do all, see the warnings";
    assert_eq!(done.json()["message"], message);
    assert_eq!(done.json()["data"]["results"][0]["report"]["success"], false);
    let done = chat.execute(&items("integer_convert")).await.json();
    assert_eq!(done["message"], "Workflow executed successfully");
    let warnings = done["data"]["results"][0]["warnings"].to_string();
    assert!(warnings.contains("`colour`") && warnings.contains("the rows 3,"), "{warnings}");
}
