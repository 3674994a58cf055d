//! Table work that clients wait for is answered while the process stops; the rest goes on later.
use e2e::{
    Gateway,
    chat::{Chat, FORM, part},
    eventually, http,
    scratch::Scratch,
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

const WORK: &str = "/api/v1/chat/work";

fn settings(home: &Scratch) -> Vec<(&'static str, String)> {
    let at = |name: &str| home.path().join(name).display().to_string();
    vec![
        ("store.url", format!("sqlite://{}", at("a.db"))),
        ("files.url", format!("file://{}", at("files"))),
        ("workflows.scratch", at("scratch")),
        ("server.drain_window", "0s".to_owned()),
    ]
}

async fn start(home: &Scratch) -> Gateway {
    let all = settings(home);
    let all: Vec<_> = all.iter().map(|(key, value)| (*key, value.as_str())).collect();
    Gateway::start(&all).await
}

async fn worker(gateway: &Gateway, rest: &str, claim: &str, body: &Value) -> http::Response {
    let headers = [("Content-Type", "application/json"), ("X-Claim", claim)];
    let (path, body) = (format!("{WORK}{rest}"), body.to_string());
    let sent = http::send(gateway.address(), "POST", &path, &headers, body.as_bytes()).await;
    sent.expect("the gateway answers")
}

#[tokio::test]
async fn who_waits_for_a_run_or_for_work_is_answered_and_the_run_goes_on() {
    let home = Scratch::new();
    let mut gateway = start(&home).await;
    let chat = Chat::create(&gateway).await;
    let mut watcher = chat.watch(&gateway).await;
    let steps = json!([{"operation": "shop/count", "kind": "external"}]);
    // Another worker waits in vain for a step of its own.
    let other = json!({"operation": "shop/other", "wait": 30});
    let waiting = worker(&gateway, "/claim", "", &other);
    let signal = async {
        while watcher.next_json().await["type"] != "progress" {}
        gateway.signal("TERM").await;
    };
    let (claimed, waited, ()) = tokio::join!(waiting, chat.execute(&steps), signal);
    assert_eq!(claimed.status, 204);
    assert_eq!((waited.status, &waited.json()["status_code"]), (503, &json!(503)));
    let after = waited.header("retry-after").and_then(|it| it.parse::<u64>().ok());
    assert!(after.is_some_and(|it| it > 0), "{waited:?}");
    let told = waited.json()["message"].as_str().unwrap().to_owned();
    assert!(told.contains("resumes after the restart"), "{told}");
    assert_eq!(gateway.wait().await.code, Some(0));

    let gateway = start(&home).await;
    let chat = chat.again(&gateway);
    let runs = chat.get("/runs").await.json()["data"]["runs"].clone();
    let job = runs[0]["job_id"].as_str().unwrap().to_owned();
    assert!(told.contains(&job), "{told} names {job}");
    let held = worker(&gateway, "/claim", "", &json!({"wait": 30})).await.json()["data"].clone();
    let (step, claim) = (held["step_id"].as_str().unwrap(), held["claim"].as_str().unwrap());
    let result = json!({"result": {"n": 1}});
    let taken = worker(&gateway, &format!("/{step}/result"), claim, &result).await;
    assert_eq!(taken.status, 200, "{}", taken.body);
    eventually("the run is completed", async || {
        let run = chat.get(&format!("/runs/{job}")).await.json()["data"].clone();
        (run["status"] == "completed").then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_operation_that_would_begin_while_the_process_stops_is_refused() {
    let home = Scratch::new();
    let mut gateway = start(&home).await;
    let address = gateway.address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (begin, end) = (format!("{}a,b\n", part("a.csv")), "1,2\r\n--b--\r\n");
    let length = begin.len() + end.len();
    let head = format!(
        "POST /api/v1/csv/info HTTP/1.1\r\nHost: localhost\r\n{}: {}\r\nContent-Length: {length}\r\n\
         Expect: 100-continue\r\nConnection: close\r\n\r\n",
        FORM.0, FORM.1
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut go_on).await.unwrap();
    assert!(go_on.starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&go_on));
    stream.write_all(begin.as_bytes()).await.unwrap();
    gateway.signal("TERM").await;
    eventually("nothing new to be accepted", async || TcpStream::connect(address).await.err())
        .await;
    stream.write_all(end.as_bytes()).await.unwrap();
    let answer = http::until_closed(&mut stream).await;
    let answer = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(answer.starts_with("http/1.1 503 "), "{answer}");
    assert!(answer.contains("\r\nretry-after: ") && answer.contains("is stopping"), "{answer}");
    assert_eq!(gateway.wait().await.code, Some(0));
}
