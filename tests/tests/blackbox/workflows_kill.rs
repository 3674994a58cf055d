//! A run goes on where a killed gateway left it, and each of its steps is done once.
use std::collections::BTreeMap;

use e2e::{
    Gateway,
    chat::{Chat, people},
    eventually,
    scratch::Scratch,
};
use serde_json::{Value, json};

const STEPS: usize = 5;

fn steps() -> Value {
    let step = json!({"operation": "excel/map-columns", "arguments":
        {"mapping": {"id": "id", "name": "name", "city": "city"}}});
    vec![step; STEPS].into()
}

/// Killed when step `n` begins, and when it is done, for every step of one run.
#[tokio::test]
async fn a_run_survives_a_kill_at_every_step_boundary_and_in_every_step() {
    let home = Scratch::new();
    let at = |name: &str| home.path().join(name).display().to_string();
    let (store, files) = (format!("sqlite://{}", at("a.db")), format!("file://{}", at("files")));
    let scratch = at("scratch");
    let settings = [
        ("store.url", store.as_str()),
        ("files.url", &files),
        ("workflows.scratch", &scratch),
        ("workflows.lease", "300ms"),
        ("workflows.max_attempts", "20"),
    ];
    let mut gateway = Gateway::start(&settings).await;
    let mut chat = Chat::create(&gateway).await;
    chat.upload("people.csv", &people(5_000)).await;
    let submitted = chat.post("/execute?wait=false", &json!({"steps": steps()})).await;
    let job = submitted.json()["data"]["job_id"].as_str().unwrap().to_owned();
    for kill in 0..2 * STEPS {
        let run = chat.get(&format!("/runs/{job}")).await.json()["data"].clone();
        if run["status"] == "completed" {
            break;
        }
        let mut watcher = chat.watch(&gateway).await;
        // In a step, and right after one.
        let wanted = if kill % 2 == 0 { "progress" } else { "step_result" };
        loop {
            let frame = watcher.next_json().await;
            if frame["type"] == wanted || frame["type"] == "workflow_completed" {
                break;
            }
        }
        gateway.signal("KILL").await;
        gateway.wait().await;
        gateway = Gateway::start(&settings).await;
        chat = chat.again(&gateway);
    }
    let run = eventually("the run is completed", async || {
        let run = chat.get(&format!("/runs/{job}")).await.json()["data"].clone();
        (run["status"] == "completed").then_some(run)
    });
    let run = run.await;
    let steps = run["steps"].as_array().unwrap();
    assert_eq!(steps.len(), STEPS);
    let mut made = BTreeMap::new();
    for step in steps {
        assert_eq!((&step["status"], &step["progress"]), (&json!("completed"), &json!(100)));
        *made.entry(step["output_file"].to_string()).or_insert(0) += 1;
    }
    // A file for each step and no other.
    assert_eq!((made.len(), made.values().max()), (STEPS, Some(&1)));
    let shown = chat.get("").await.json()["data"].clone();
    assert_eq!(shown["output_files"].as_array().unwrap().len(), 1);
}
