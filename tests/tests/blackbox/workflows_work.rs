//! Steps that are done elsewhere, and those who come late to a run.
use e2e::{
    Client, Gateway,
    chat::{Chat, people},
    http,
};
use serde_json::{Value, json};

/// A worker elsewhere, as a program is one.
struct Worker<'a>(&'a Gateway);

const WORK: &str = "/api/v1/chat/work";

impl Worker<'_> {
    async fn post(&self, rest: &str, claim: &str, body: &Value) -> http::Response {
        let headers = [("Content-Type", "application/json"), ("X-Claim", claim)];
        let body = body.to_string();
        let path = format!("{WORK}{rest}");
        let sent = http::send(self.0.address(), "POST", &path, &headers, body.as_bytes()).await;
        sent.expect("the gateway answers")
    }

    async fn claim(&self, wanted: Value) -> Value {
        let claimed = self.post("/claim", "", &wanted).await;
        assert_eq!(claimed.status, 200, "{}", claimed.body);
        claimed.json()["data"].clone()
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("it is a text").to_owned()
}

async fn until(watcher: &mut Client, last: &str) -> Vec<Value> {
    let mut frames = Vec::new();
    loop {
        frames.push(watcher.next_json().await);
        if frames.last().is_some_and(|it| it["type"] == last) {
            return frames;
        }
    }
}

fn outside(operation: &str) -> Value {
    json!({"operation": operation, "kind": "external", "arguments": arguments()})
}

/// Their order may mean something, as that of columns does.
fn arguments() -> Value {
    json!({"words": ["Oslo"], "to": "nb", "from": "de"})
}

#[tokio::test]
async fn a_step_is_done_elsewhere_and_everybody_sees_how_far_it_is() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    chat.upload("people.csv", &people(10)).await;
    let mut watcher = chat.watch(&gateway).await;
    let columns = json!({"columns": ["id"], "include_statistics": false});
    let steps = json!([
        outside("shop/translate"),
        {"operation": "excel/extract-columns", "arguments": columns},
    ]);
    let begun = chat.post("/runs", &json!({"steps": steps})).await;
    assert_eq!(begun.status, 202, "{}", begun.body);
    let worker = Worker(&gateway);
    // It waits until there is something of its own.
    let nothing = worker.post("/claim", "", &json!({"operation": "shop/other"})).await;
    assert_eq!(nothing.status, 204);
    let wanted = json!({"operation": "shop/translate", "worker": "ann", "wait": 30});
    let job = worker.claim(wanted).await;
    let (claim, step) = (text(&job["claim"]), text(&job["step_id"]));
    assert_eq!(job["arguments"].to_string(), arguments().to_string());
    let shown = chat.get(&format!("/runs/{}", text(&begun.json()["data"]["job_id"]))).await.json();
    let shown = &shown["data"]["steps"][0]["arguments"];
    assert_eq!(shown.to_string(), arguments().to_string());
    let path = format!("{WORK}/{step}/input");
    let input = http::get(gateway.address(), &path, &[("X-Claim", &claim)]).await.unwrap();
    assert_eq!(input.body, people(10));
    // Nobody else may say anything of it.
    let other = "00000000-0000-7000-8000-000000000000";
    let refused = worker.post(&format!("/{step}/progress"), other, &json!({"progress": 1})).await;
    assert_eq!(refused.status, 409, "{}", refused.body);
    for percent in [25, 75] {
        let body = json!({"progress": percent, "message": "translating"});
        let told = worker.post(&format!("/{step}/progress"), &claim, &body).await;
        assert_eq!(told.status, 200, "{}", told.body);
    }
    let wrong = worker.post(&format!("/{step}/progress"), &claim, &json!({"progress": 101})).await;
    assert_eq!(wrong.status, 422);

    let media = [("Content-Type", "multipart/form-data; boundary=b"), ("X-Claim", &claim)];
    let part = "--b\r\nContent-Disposition: form-data; name=";
    let form = format!(
        "{part}\"result\"\r\n\r\n{{\"words\":1}}\r\n\
         {part}\"file\"; filename=\"words of it.csv\"\r\n\r\nid,word\n07,Oslo\n\r\n--b--\r\n"
    );
    let path = format!("{WORK}/{step}/result");
    let brought = http::send(gateway.address(), "POST", &path, &media, form.as_bytes()).await;
    let brought = brought.unwrap();
    assert_eq!(brought.status, 200, "{}", brought.body);
    let again = worker.post(&format!("/{step}/result"), &claim, &json!({"result": {}})).await;
    assert_eq!(again.status, 409, "{}", again.body);

    let frames = until(&mut watcher, "workflow_completed").await;
    let of_step: Vec<_> = frames.iter().filter(|it| it["step_id"] == *step).collect();
    let told: Vec<_> =
        of_step.iter().map(|it| (it["type"].clone(), it["progress"].clone())).collect();
    let progress = |percent: i64| (json!("progress"), json!(percent));
    let result = (json!("step_result"), Value::Null);
    // Offered, claimed, 25, 75, done.
    let all = [progress(0), progress(0), progress(25), progress(75), progress(100), result];
    assert_eq!(told, all);
    assert_eq!(of_step[3]["message"], "translating");
    assert_eq!(of_step[5]["result"]["words"], 1);
    assert!(frames.iter().all(|it| it["type"] != "workflow_resumed"), "{frames:?}");
    let job = text(&begun.json()["data"]["job_id"]);
    let run = chat.get(&format!("/runs/{job}")).await.json()["data"].clone();
    assert_eq!(run["steps"][0]["worker"], "ann");
    assert!(run["steps"][0]["output_file"].as_str().unwrap().ends_with("words_of_it.csv"));
    // The step after it was done to what the worker brought.
    assert_eq!(run["steps"][1]["result"]["data"]["columns"]["id"]["values"], json!(["07"]));
}

#[tokio::test]
async fn a_worker_that_falls_silent_loses_its_step_and_one_that_fails_ends_the_run() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    let mut watcher = chat.watch(&gateway).await;
    // Without a file there is nothing to do for the server itself, but for others.
    let begun = chat.post("/runs", &json!({"steps": [outside("a")]})).await;
    assert_eq!(begun.status, 202, "{}", begun.body);
    let worker = Worker(&gateway);
    let lost = worker.claim(json!({"wait": 30, "lease_seconds": 1})).await;
    assert_eq!(lost["input"], Value::Null);
    let job = worker.claim(json!({"wait": 30})).await;
    assert_eq!(job["step_id"], lost["step_id"]);
    let step = text(&job["step_id"]);
    let (claim, nothing) = (text(&lost["claim"]), json!({"result": {}}));
    let late = worker.post(&format!("/{step}/result"), &claim, &nothing).await;
    assert_eq!(late.status, 409, "{}", late.body);
    let why = json!({"message": "the dictionary is missing"});
    let failed = worker.post(&format!("/{step}/error"), &text(&job["claim"]), &why).await;
    assert_eq!(failed.status, 200, "{}", failed.body);
    let frames = until(&mut watcher, "workflow_failed").await;
    let error = frames.iter().find(|it| it["type"] == "error").unwrap();
    assert_eq!(error["message"], "the dictionary is missing");

    // A lease that was asked for is not cut by what the worker does meanwhile.
    chat.upload("people.csv", &people(10)).await;
    chat.post("/runs", &json!({"steps": [outside("a")]})).await;
    let job = worker.claim(json!({"wait": 30, "lease_seconds": 3600})).await;
    let (step, claim) = (text(&job["step_id"]), text(&job["claim"]));
    let path = format!("{WORK}/{step}/input");
    let input = http::get(gateway.address(), &path, &[("X-Claim", &claim)]).await.unwrap();
    assert_eq!(input.status, 200);
    let short = json!({"lease_seconds": 1});
    assert_eq!(worker.post(&format!("/{step}/progress"), &claim, &short).await.status, 200);
    let nothing = worker.post("/claim", "", &json!({"wait": 2})).await;
    assert_eq!(nothing.status, 204, "{}", nothing.body);
    let done = worker.post(&format!("/{step}/result"), &claim, &json!({"result": {}})).await;
    assert_eq!(done.status, 200, "{}", done.body);
    until(&mut watcher, "workflow_completed").await;

    // A cancelled run is nobody's work any more.
    chat.post("/runs", &json!({"steps": [outside("a")]})).await;
    let job = worker.claim(json!({"wait": 30})).await;
    let (run, step) = (text(&job["run_id"]), text(&job["step_id"]));
    chat.post(&format!("/runs/{run}/cancel"), &json!({})).await;
    until(&mut watcher, "workflow_cancelled").await;
    let told = worker.post(&format!("/{step}/progress"), &text(&job["claim"]), &json!({})).await;
    assert_eq!(told.status, 409, "{}", told.body);
    let unnamed = http::get(gateway.address(), &format!("{WORK}/{step}/input"), &[]).await.unwrap();
    assert_eq!(unnamed.status, 422);
    assert!(unnamed.body.contains("X-Claim"), "{}", unnamed.body);
}

#[tokio::test]
async fn who_comes_late_is_shown_the_run_so_far_and_then_what_is_new() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    chat.upload("people.csv", &people(10)).await;
    let convert = json!({"operation": "csv/convert-to-excel"});
    let begun = chat.post("/runs", &json!({"steps": [convert, outside("a"), convert]})).await;
    assert_eq!(begun.status, 202, "{}", begun.body);
    let worker = Worker(&gateway);
    let job = worker.claim(json!({"wait": 30})).await;
    let (claim, step) = (text(&job["claim"]), text(&job["step_id"]));
    worker.post(&format!("/{step}/progress"), &claim, &json!({"progress": 40})).await;

    let mut late = Client::at(&gateway, &format!("/chat/{}?snapshot=true", chat.id)).await;
    assert_eq!(late.next_json().await["type"], "connected");
    let snapshot = late.next_json().await;
    let run = &snapshot["run"];
    assert_eq!((&snapshot["type"], &run["status"]), (&json!("snapshot"), &json!("running")));
    assert_eq!((&run["completed_steps"], &run["steps"][1]["progress"]), (&json!(1), &json!(40)));
    assert!(run["steps"][0]["result"]["output_file_path"].is_string(), "{run}");
    worker.post(&format!("/{step}/progress"), &claim, &json!({"progress": 60})).await;
    let frame = late.next_json().await;
    assert_eq!((&frame["type"], &frame["progress"]), (&json!("progress"), &json!(60)), "{frame}");
    worker.post(&format!("/{step}/result"), &claim, &json!({"result": {}})).await;
    let frames = until(&mut late, "workflow_completed").await;
    assert!(frames.iter().all(|it| it["step_id"] != run["steps"][0]["step_id"]), "{frames:?}");

    // Who was there needs what they missed, and no more.
    let since = text(&snapshot["position"]);
    let path = format!("/chat/{}?snapshot=true&since={since}", chat.id);
    let mut back = Client::at(&gateway, &path).await;
    assert_eq!(back.next_json().await["type"], "connected");
    assert_eq!(back.next_json().await["progress"], 60);
    // Where the log does not reach back, the snapshot takes its place.
    let mut lost =
        Client::at(&gateway, &format!("/chat/{}?snapshot=true&since=1-1", chat.id)).await;
    assert_eq!(lost.next_json().await["type"], "connected");
    let snapshot = lost.next_json().await;
    assert_eq!(
        (&snapshot["type"], &snapshot["run"]["status"]),
        (&json!("snapshot"), &json!("completed"))
    );
    lost.send_json(&json!({"type": "subscribe", "chat_id": "other", "snapshot": true})).await;
    assert_eq!(lost.next_json().await["chat_id"], "other");
    assert_eq!(lost.next_json().await["run"], Value::Null);
}
