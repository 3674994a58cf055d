//! Workflows with the configuration file of the program that they take the place of.
use e2e::{
    Client, Gateway,
    chat::{Chat, people},
    scratch::Scratch,
};
use serde_json::json;

/// Port 0 takes a free one.
const FILE: &str = r#"
app:
  name: "Sheets"
  host: "127.0.0.1"
  port: 0
api:
  prefix: "/api/v1"
file:
  max_file_size_mb: 1
normalization:
  backup_original: false
logging:
  level: "WARNING"
chat_workflows:
  enabled: true
  max_connections: 1
  websocket:
    host: "127.0.0.1"
    port: 0
    ping_interval: 30
    ping_timeout: 10
  storage:
    workflows_path: "./automation/workflows"
    sqlite_path: "./automation/sqlite/chat.db"
  partition:
    strategy: "time-based"
  execution:
    max_steps: 1
"#;

#[tokio::test]
async fn a_chat_runs_on_the_ports_and_bounds_of_the_file() {
    let scratch = Scratch::new();
    let file = scratch.file("application.yml", FILE);
    let gateway = Gateway::start_with(&["serve", "--config", &file], &[]).await;
    let addresses = gateway.addresses();
    assert!(addresses.len() == 2 && addresses[0] == gateway.address(), "{addresses:?}");

    let chat = Chat::create(&gateway).await;
    let path = format!("/chat/{}", chat.id);
    let mut watcher = Client::at_address(addresses[1], &path).await;
    assert_eq!(watcher.next_json().await["type"], "connected");
    let mut second = Client::at_address(addresses[1], &path).await;
    assert_eq!(second.next_json().await["message"], "Maximum connections reached");

    let large = "x".repeat((1 << 20) + 1);
    assert_eq!(chat.upload("large.csv", &large).await.status, 413);
    assert_eq!(chat.upload("people.csv", &people(10)).await.status, 200);
    let upper = json!({"operation": "normalization/apply", "arguments": {
        "normalizations": [{"column_name": "city", "normalization_type": "uppercase"}]}});
    let two = chat.post("/execute", &json!({"steps": [upper, upper]})).await;
    assert_ne!(two.status, 200, "{}", two.json());
    let done = chat.post("/execute", &json!({"steps": [upper]})).await;
    assert_eq!(done.status, 200, "{}", done.json());
    loop {
        let frame = watcher.next_json().await;
        assert_ne!(frame["type"], "workflow_failed", "{frame}");
        if frame["type"] == "workflow_completed" {
            break;
        }
    }

    let home = gateway.home().to_owned();
    assert!(home.join("automation/sqlite/quadrille.db").exists());
    assert!(home.join("automation/workflows").read_dir().unwrap().next().is_some());
    let said = gateway.stop().await.stderr;
    let warned: Vec<_> = said.iter().filter(|it| it.contains("ignored")).collect();
    let ignored = r#"keys="api, app.name, chat_workflows.partition""#;
    assert!(warned.len() == 1 && warned[0].contains(ignored), "{said:#?}");
}

#[tokio::test]
async fn what_is_wrong_in_it_is_named_by_its_own_key() {
    let scratch = Scratch::new();
    let file = scratch.file("application.yml", &FILE.replace("port: 0", "port: none"));
    let end = Gateway::run(&["serve", "--config", &file], &[]).await;
    let expected =
        format!("quadrille: {file}: app.port: expected a port, from 0 to 65535, found \"none\"");
    assert_eq!((end.code, end.stderr), (Some(64), vec![expected]));
}
