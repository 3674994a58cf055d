//! The bot from outside: a conversation that ends with a file.
use e2e::{
    Gateway,
    chat::{self, Chat, people},
    fake::cat::Cat,
    http, relay,
    token::{JWT, token},
};
use serde_json::{Value, json};

const BOT: &str = "/api/v1/chat/bot";

/// Somebody who talks with the bot.
struct Talk<'a> {
    gateway: &'a Gateway,
    id: String,
}

impl<'a> Talk<'a> {
    async fn begin(gateway: &'a Gateway) -> Self {
        let path = format!("{BOT}/conversations");
        // Many clients send no body.
        let begun = http::send(gateway.address(), "POST", &path, &[], b"").await;
        let begun = begun.expect("the gateway answers");
        assert_eq!(begun.status, 201, "{}", begun.body);
        let data = begun.json()["data"].clone();
        assert_eq!(data["state"], "idle");
        Self { gateway, id: data["chat_id"].as_str().expect("an id").to_owned() }
    }

    async fn post(&self, rest: &str, body: &Value) -> http::Response {
        let headers = [("Content-Type", "application/json")];
        let path = format!("{BOT}/conversations/{}{rest}", self.id);
        let body = body.to_string();
        let at = self.gateway.address();
        let sent = http::send(at, "POST", &path, &headers, body.as_bytes()).await;
        sent.expect("the gateway answers")
    }

    async fn say(&self, message: &str) -> Value {
        let said = self.post("/message", &json!({"message": message})).await;
        assert_eq!(said.status, 200, "{}", said.body);
        said.json()
    }

    async fn upload(&self, name: &str, content: &str) -> Value {
        let path = format!("{BOT}/conversations/{}/upload", self.id);
        let sent = chat::upload(self.gateway.address(), &path, name, content).await;
        assert_eq!(sent.status, 200, "{}", sent.body);
        sent.json()["data"].clone()
    }

    async fn get(&self, rest: &str) -> Value {
        let got = self.gateway.get(&format!("{BOT}/conversations/{}{rest}", self.id)).await;
        assert_eq!(got.status, 200, "{}", got.body);
        got.json()["data"].clone()
    }

    fn chat(&self) -> Chat {
        Chat::named(self.gateway, &self.id)
    }
}

#[tokio::test]
async fn what_is_asked_for_is_suggested_confirmed_and_run() {
    let gateway = Gateway::start(&[]).await;
    let talk = Talk::begin(&gateway).await;
    let mut watcher = talk.chat().watch(&gateway).await;
    let first = talk.say("extract columns: city, id").await["data"].clone();
    assert_eq!(first["intent"], json!({"type": "extract_columns", "confidence": 1.0}));
    assert_eq!(
        (&first["requires_file"], &first["suggested_workflow"]),
        (&json!(true), &Value::Null)
    );
    let uploaded = talk.upload("people.csv", &people(1000)).await;
    assert_eq!(uploaded["requires_confirmation"], true);
    let step = &uploaded["suggested_workflow"][0];
    assert_eq!(step["operation"], "excel/extract-columns-to-file");
    assert_eq!(step["arguments"]["columns"], json!(["city", "id"]));
    assert_eq!(talk.get("/history").await["current_state"], "awaiting_confirmation");
    let yes = talk.say("yes").await["data"].clone();
    assert_eq!(yes["action"], "execute_workflow");
    let job = yes["job_id"].as_str().unwrap().to_owned();
    loop {
        let frame = watcher.next_json().await;
        if frame["type"] == "workflow_started" {
            assert_eq!(frame["message"], "🚀 Starting workflow execution...");
        }
        if frame["type"] == "workflow_completed" {
            assert_eq!(frame["message"], "✅ Workflow completed successfully!");
            break;
        }
    }
    let status = talk.get(&format!("/workflow/status/{job}")).await;
    assert_eq!((&status["status"], &status["error"]), (&json!("completed"), &Value::Null));
    let url = status["result"]["output_files"][0]["download_url"].as_str().unwrap();
    let base = format!("http://{}", gateway.address());
    let file = gateway.get(url.strip_prefix(&base).unwrap()).await;
    assert_eq!(file.status, 200);
    let history = talk.get("/history?limit=1").await;
    assert_eq!(history["current_state"], "idle");
    let last = &history["messages"][0];
    assert_eq!(
        (&last["message_type"], &last["metadata"]["job_id"]),
        (&json!("system"), &json!(job))
    );
    let kinds: Vec<_> = talk.get("/history").await["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["message_type"].as_str().unwrap().to_owned())
        .collect();
    let file = "file_upload";
    let history = talk.get("/history").await;
    let sent = &history["messages"][3];
    // What the original's client reads after a reload.
    assert_eq!(sent["content"], "File uploaded: people.csv");
    assert_eq!(
        sent["metadata"],
        json!({"file_path": uploaded["file_path"], "filename": "people.csv"})
    );
    assert_eq!(kinds, ["system", "user", "system", file, "system", "user", "system", "system"]);
}

#[tokio::test]
async fn a_confirmation_runs_what_was_suggested_or_what_comes_with_it() {
    let gateway = Gateway::start(&[]).await;
    let talk = Talk::begin(&gateway).await;
    let nothing = talk.post("/confirm", &json!({"confirmed": true})).await;
    assert_eq!((nothing.status, &nothing.json()["status_code"]), (400, &json!(400)));
    talk.upload("people.csv", &people(10)).await;
    talk.say("extract columns: id").await;
    let no = talk.post("/confirm", &json!({"confirmed": false})).await;
    assert_eq!((no.status, &no.json()["data"]["results"]), (200, &json!([])));
    talk.say("extract columns: id").await;
    let bare = talk.post("/confirm", &json!({"confirmed": true})).await;
    assert_eq!((bare.status, &bare.json()["status_code"]), (202, &json!(200)));
    let conditions = json!([{"column": "city", "operator": "equals", "value": "Oslo"}]);
    let other = json!([{"operation": "csv/search", "arguments": {"conditions": conditions}}]);
    let modified = json!({"confirmed": true, "modified_workflow": other});
    let sent = talk.post("/confirm", &modified).await;
    assert_eq!(sent.status, 202, "{}", sent.body);
    let job = sent.json()["data"]["job_id"].as_str().unwrap().to_owned();
    let done = e2e::patience::eventually("the run is over", async || {
        let status = talk.get(&format!("/workflow/status/{job}")).await;
        (status["status"] == "completed").then_some(status)
    });
    assert_eq!(done.await["result"]["results"][0]["statistics"]["filtered_rows"], 5);
    let unknown = gateway.get(&format!("{BOT}/conversations/{}/workflow/status/x", talk.id)).await;
    assert_eq!((unknown.status, &unknown.json()["message"]), (404, &json!("Job not found")));
}

#[tokio::test]
async fn what_the_bot_does_not_understand_is_refused_as_its_clients_know_it() {
    let gateway = Gateway::start(&[]).await;
    let talk = Talk::begin(&gateway).await;
    let odd = talk.say("hello").await;
    assert_eq!((&odd["status_code"], &odd["data"]["error_type"]), (&json!(400), &json!("Error")));
    assert_eq!(odd["message"], "Unknown error");
    assert!(odd["data"]["bot_response"].as_str().unwrap().contains("help"), "{odd}");
    let wrong = talk.post("/message", &json!({"text": "hello"})).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.body.contains("message"), "{}", wrong.body);
    let nobody = Talk { gateway: &gateway, id: "nobody".to_owned() };
    let told = nobody.post("/message", &json!({"message": "help"})).await;
    assert_eq!((told.status, &told.json()["message"]), (404, &json!("Conversation not found")));
    // The same again is the same conversation, under another name.
    let path = format!("{BOT}/conversations");
    let body = json!({"chat_id": talk.id}).to_string();
    let json = [("Content-Type", "application/json")];
    let again = http::send(gateway.address(), "POST", &path, &json, body.as_bytes()).await.unwrap();
    assert_eq!((again.status, &again.json()["data"]["chat_id"]), (201, &json!(talk.id)));
    let operations = gateway.get(&format!("{BOT}/operations")).await.json()["data"].clone();
    assert_eq!(operations["total_intents"], 8);
    let path = format!("{path}/{}", talk.id);
    let deleted = http::send(gateway.address(), "DELETE", &path, &[], b"").await.unwrap();
    assert_eq!(deleted.status, 200);
    assert_eq!(talk.chat().get("").await.status, 404);
}

#[tokio::test]
async fn an_agent_answers_what_the_bot_does_not_understand() {
    let cat = Cat::start().await;
    let gateway = relay::gateway(&cat, &[("workflows.agent", "cat")]).await;
    let talk = Talk::begin(&gateway).await;
    let mut watcher = talk.chat().watch(&gateway).await;
    let answered = talk.say("hello there").await;
    assert_eq!(answered["data"]["bot_response"], "re: hello there");
    assert_eq!(answered["data"]["intent"], Value::Null);
    // Everybody who watches the chat sees the turn.
    let frame = watcher.next_json().await;
    assert_eq!(frame["chat_id"], json!(talk.id), "{frame}");
    let known = talk.say("extract columns: id").await;
    assert_eq!(known["data"]["intent"]["type"], "extract_columns");
    assert_eq!(cat.questions(), ["hello there"]);
    let messages = talk.get("/history").await["messages"].clone();
    assert_eq!(
        (&messages[1]["content"], &messages[2]["content"]),
        (&json!("hello there"), &json!("re: hello there"))
    );
}

#[tokio::test]
async fn steps_that_come_with_a_confirmation_keep_the_order_of_their_arguments() {
    let gateway = Gateway::start(&[]).await;
    let talk = Talk::begin(&gateway).await;
    talk.upload("people.csv", &people(2)).await;
    let body = r#"{"confirmed":true,"modified_workflow":[{"operation":"json/generate",
        "arguments":{"column_mapping":{"name":"z","id":"a","city":"m"},"pretty_print":false}}]}"#;
    let path = format!("{BOT}/conversations/{}/confirm", talk.id);
    let json = [("Content-Type", "application/json")];
    let sent = http::send(gateway.address(), "POST", &path, &json, body.as_bytes()).await.unwrap();
    assert_eq!(sent.status, 202, "{}", sent.body);
    let job = sent.json()["data"]["job_id"].as_str().unwrap().to_owned();
    let done = e2e::patience::eventually("the run is over", async || {
        let status = talk.get(&format!("/workflow/status/{job}")).await;
        (status["status"] == "completed").then_some(status)
    });
    let url = done.await["result"]["output_files"][0]["download_url"].as_str().unwrap().to_owned();
    let base = format!("http://{}", gateway.address());
    let made = gateway.get(url.strip_prefix(&base).unwrap()).await.body;
    assert!(made.starts_with(r#"[{"z": "Jürgen 0", "a": "0000000", "m": "Köln"}"#), "{made}");
}

#[tokio::test]
async fn a_name_for_a_chat_gives_nobody_what_is_said_elsewhere_under_it() {
    let gateway = Gateway::start(&JWT).await;
    let create = async |claims: Value, id: &str| {
        let token = format!("Bearer {}", token(claims));
        let headers = [("Content-Type", "application/json"), ("Authorization", &*token)];
        let body = json!({"chat_id": id}).to_string();
        let path = format!("{BOT}/conversations");
        let sent = http::send(gateway.address(), "POST", &path, &headers, body.as_bytes()).await;
        sent.unwrap().status
    };
    let ann = || json!({"sub": "ann"});
    assert_eq!(create(ann(), "9").await, 403);
    assert_eq!(create(json!({"sub": "bob", "topics": {"write": ["chat:9"]}}), "9").await, 201);
    // As before somebody had it.
    assert_eq!(create(ann(), "9").await, 403);
    let fresh = "01a21cf1-0000-7000-8000-000000000001";
    assert_eq!(create(ann(), fresh).await, 201);
    assert_eq!(create(ann(), fresh).await, 201);
    assert_eq!(create(json!({"sub": "eve"}), fresh).await, 409);
    assert_eq!(create(ann(), "restore").await, 422);
}
