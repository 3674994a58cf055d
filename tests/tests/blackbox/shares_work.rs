//! One user fills what all share (questions, runs, workers, requests), and another works on.
use e2e::{
    Gateway,
    direct::{self, Part},
    eventually,
    http::{self, Response},
    token::{JWT, token},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const CHATS: &str = "/api/v1/chat/workflows";

/// A user with a token.
struct User<'a> {
    gateway: &'a Gateway,
    token: String,
}

impl<'a> User<'a> {
    fn new(gateway: &'a Gateway, name: &str) -> Self {
        Self { gateway, token: token(json!({ "sub": name })) }
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Response {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("Authorization", &*bearer), ("Content-Type", "application/json")];
        let at = self.gateway.address();
        http::send(at, method, path, &headers, body.as_bytes()).await.expect("an answer")
    }

    async fn get(&self, path: &str) -> Response {
        self.send("GET", path, "").await
    }

    async fn post(&self, path: &str, body: &Value) -> Response {
        self.send("POST", path, &body.to_string()).await
    }

    async fn form(&self, path: &str, parts: &[Part<'_>]) -> Response {
        let path = path.strip_prefix("/api/v1").expect("a path below it");
        direct::send(self.gateway, path, &self.token, parts).await
    }

    /// A chat of theirs with a file in it.
    async fn chat(&self, content: &str) -> String {
        let made = self.post(CHATS, &json!({})).await.json();
        let chat = format!("{CHATS}/{}", made["data"]["chat_id"].as_str().expect("an id"));
        let taken = self.form(&format!("{chat}/upload"), &[("file", Some("a.csv"), content)]).await;
        assert_eq!(taken.status, 200, "{}", taken.body);
        chat
    }
}

/// Conditions that take minutes for `LONG`.
fn slow() -> Value {
    let some: Vec<_> = (50..300).step_by(10).map(|n| format!("x{{0,{n}}}y{n}")).collect();
    let pattern = format!("({})", some.join("|"));
    json!([{ "column": "a", "operator": "regex", "value": pattern }])
}

fn long() -> String {
    format!("a\n{}", format!("{}\n", "x".repeat(3000)).repeat(1000))
}

#[tokio::test]
async fn one_user_leaves_room_for_the_questions_of_others() {
    // An agent that never answers.
    let hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", hole.local_addr().unwrap());
    let agent = [
        ("agents.default", "m"),
        ("agents.m.kind", "http"),
        ("agents.m.url", &*url),
        ("agents.max_running", "4"),
        ("agents.max_waiting", "8"),
    ];
    let gateway = Gateway::start(&[&JWT[..], &agent].concat()).await;
    let [ann, bob] = ["ann", "bob"].map(|it| User::new(&gateway, it));
    let ask = json!({ "message": "hello" });
    let mut taken = 0;
    let refused = loop {
        let answer = ann.post("/api/v1/turns", &ask).await;
        if answer.status != 202 {
            break answer;
        }
        taken += 1;
    };
    // One runs, and a quarter of those that may wait does.
    assert_eq!((taken, refused.header("retry-after")), (3, Some("5")));
    let (status, _, kind) = refused.problem();
    assert_eq!((status, &*kind), (429, "/problems/share-taken"));
    let streamed = ann.post("/send", &ask).await;
    assert_eq!(streamed.status, 429);
    assert_eq!(bob.post("/api/v1/turns", &ask).await.status, 202);
    // A program is counted by the users that it names.
    let grants = json!({ "topics": ["user:*"] });
    let program = User { gateway: &gateway, token: token(grants) };
    let named = async |user: &str| {
        let ask = json!({ "message": "hello", "user_id": user });
        program.post("/api/v1/turns", &ask).await.status
    };
    assert_eq!((named("ann").await, named("eve").await), (429, 202));
}

#[tokio::test]
async fn one_user_leaves_room_for_the_runs_and_requests_of_others() {
    let places = [("workflows.workers", "2"), ("workflows.max_waiting", "8")];
    let gateway = Gateway::start(&[&JWT[..], &places].concat()).await;
    let [ann, bob] = ["ann", "bob"].map(|it| User::new(&gateway, it));
    let step = json!({ "operation": "csv/search", "arguments": { "conditions": slow() } });
    let steps = json!({ "steps": [step] });
    let mut chats = Vec::new();
    for _ in 0..4 {
        chats.push(ann.chat(&long()).await);
    }
    let first = ann.post(&format!("{}/runs", chats[0]), &steps).await;
    assert_eq!(first.status, 202, "{}", first.body);
    eventually("a run that is done", async || {
        let runs = ann.get(&format!("{}/runs", chats[0])).await.json();
        (runs["data"]["runs"][0]["status"] == "running").then_some(())
    })
    .await;
    // Two wait for one of the workers, however free the other is; a third is too many.
    for chat in &chats[1..3] {
        let waits = ann.post(&format!("{chat}/runs"), &steps).await;
        assert_eq!(waits.status, 202, "{}", waits.body);
    }
    let refused = ann.post(&format!("{}/runs", chats[3]), &steps).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("5")));
    let told = refused.json()["message"].as_str().unwrap().to_owned();
    assert!(told.starts_with("You have reached your share of waiting runs"), "{told}");
    let chat = bob.chat("a\n1\n").await;
    let quick = json!({ "steps": [{ "operation": "excel/convert-to-csv" }] });
    let done = bob.post(&format!("{chat}/execute"), &quick).await;
    assert_eq!(done.status, 200, "{}", done.body);
    for chat in &chats[1..3] {
        let runs = ann.get(&format!("{chat}/runs")).await.json();
        assert_eq!(runs["data"]["runs"][0]["status"], "pending");
    }
}

#[tokio::test]
async fn one_user_leaves_workers_for_the_requests_of_others() {
    let places = [("workflows.workers", "2"), ("workflows.max_waiting", "6")];
    let gateway = Gateway::start(&[&JWT[..], &places].concat()).await;
    let [ann, bob] = ["ann", "bob"].map(|it| User::new(&gateway, it));
    let (content, conditions) = (long(), slow().to_string());
    let search = || async {
        let parts = [("file", Some("a.csv"), &*content), ("conditions", None, &*conditions)];
        // The small requests below may have come first.
        loop {
            let answer = ann.form("/api/v1/csv/search", &parts).await;
            assert_eq!(answer.status, 429, "it takes minutes: {}", answer.body);
        }
    };
    let small = [("file", Some("a.csv"), "a,b\n1,2\n")];
    let others = async {
        // Two of eight are the share of one user.
        let refused = eventually("a request too many", async || {
            let answer = ann.form("/api/v1/csv/info", &small).await;
            (answer.status != 200).then_some(answer)
        })
        .await;
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some("5")));
        let told = refused.json()["message"].as_str().unwrap().to_owned();
        assert!(told.starts_with("You have reached your share of requests"), "{told}");
        // What the bot looks at is counted as well.
        let talk = ann.post("/api/v1/chat/bot/conversations", &json!({})).await.json();
        let talk = talk["data"]["chat_id"].as_str().unwrap().to_owned();
        let upload = format!("/api/v1/chat/bot/conversations/{talk}/upload");
        let refused = ann.form(&upload, &small).await;
        assert_eq!(refused.status, 429, "{}", refused.body);
        let info = bob.form("/api/v1/csv/info", &small).await;
        assert_eq!(info.status, 200, "{}", info.body);
    };
    tokio::select! {
        () = search() => {}
        () = search() => {}
        () = others => {}
    }
}
