//! Joining in the middle of a reply that is much longer than the log: all of it so far comes first,
//! whatever the protocol and however old the cursor.
use e2e::{
    Client, Gateway, Sio, Sse,
    database::Database,
    eventually,
    fake::cat::{Cat, Gate, Step},
    http,
    relay::{gateway, post, turn},
};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// A client of one protocol, and the reply as it knows it.
struct Reader {
    name: String,
    door: Door,
    text: String,
}

enum Door {
    Broker(Client),
    Events(Sse),
    Rooms(Sio),
    Chat(Client),
    Relay(Sse),
}

/// The part of the reply in one frame.
enum Told {
    Nothing,
    Text { start: u64, text: String },
    End(String),
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn told(kind: &str, payload: &Value, names: [&str; 2]) -> Told {
    let start = payload["start"].as_u64().unwrap_or_default();
    match kind {
        "turn.snapshot" | "turn.delta" | "ai_response_chunk" | "llm_token" | "token" => {
            Told::Text { start, text: text(&payload[names[0]]) }
        }
        "turn.completed" | "ai_response_complete" | "llm_complete" | "end" => {
            Told::End(text(&payload[names[1]]))
        }
        _ => Told::Nothing,
    }
}

impl Door {
    async fn next(&mut self) -> Told {
        match self {
            Self::Broker(client) => {
                let frame = client.next_json().await;
                let payload = &frame["payload"];
                match (payload["type"].as_str(), payload["status"].as_str()) {
                    (Some("response"), Some("in_progress")) => {
                        Told::Text { start: 0, text: text(&payload["message"]) }
                    }
                    (Some("response"), Some("completed")) => Told::End(text(&payload["message"])),
                    _ => Told::Nothing,
                }
            }
            Self::Events(events) => {
                let event = events.next().await.expect("the stream goes on");
                told(&event.kind, &event.json()["payload"], ["text", "text"])
            }
            Self::Rooms(client) => {
                let (name, payload) = client.event().await;
                let names = match &*name {
                    "ai_response_chunk" | "ai_response_complete" => ["chunk", "content"],
                    "llm_token" => ["token", "text"],
                    _ => ["text", "text"],
                };
                told(&name, &payload, names)
            }
            Self::Chat(client) => {
                let frame = client.next_json().await;
                let kind = text(&frame["type"]);
                told(&kind, &frame["data"], ["text", "text"])
            }
            Self::Relay(events) => {
                let event = events.next().await.expect("the stream goes on");
                told(&event.kind, &event.json(), ["text", "text"])
            }
        }
    }
}

impl Reader {
    fn new(name: impl Into<String>, door: Door) -> Self {
        Self { name: name.into(), door, text: String::new() }
    }

    /// Reads one frame. True if it has text.
    async fn step(&mut self) -> bool {
        match self.door.next().await {
            Told::Nothing => false,
            Told::End(text) => {
                self.text = text;
                true
            }
            Told::Text { start, text } => {
                self.more(start, &text);
                true
            }
        }
    }

    /// Puts `text` in the place of what was shown from `start` on.
    fn more(&mut self, start: u64, text: &str) {
        let start = usize::try_from(start).expect("a short text");
        let known = self.text.chars().count();
        assert!(start <= known, "{}: a hole from {known} to {start}", self.name);
        self.text = self.text.chars().take(start).chain(text.chars()).collect();
    }

    /// The first content holds everything that there is.
    async fn begins_with(&mut self, all: &str) {
        while !self.step().await {}
        assert!(self.text == all, "{}: {} of {} bytes", self.name, self.text.len(), all.len());
    }

    async fn reaches(&mut self, all: &str) {
        while self.text != all {
            self.step().await;
        }
    }

    /// Reads until the last record, which has everything. Of what comes before it, a reader that is slow
    /// may miss the end, and no part before that.
    async fn ends_with(mut self, all: &str) {
        loop {
            match self.door.next().await {
                Told::Nothing => {}
                Told::Text { start, text } => {
                    self.more(start, &text);
                    assert!(all.starts_with(&self.text), "{}: another text", self.name);
                }
                Told::End(end) => {
                    return assert!(end == all, "{}: another end", self.name);
                }
            }
        }
    }
}

/// Readers of every protocol: without a cursor, or with this one for the topic that it is of.
async fn join(
    gateway: &Gateway,
    stage: &Stage,
    cursors: &dyn Fn(usize) -> Option<String>,
) -> Vec<Reader> {
    let mut all = Vec::new();
    for (n, topic) in stage.topics.iter().enumerate() {
        let since = cursors(n);
        let name = |door: &str| format!("{door} on {topic} since {since:?}");
        let mut broker = Client::connect(gateway).await;
        broker.subscribe_with(json!({"channel": topic, "since": since})).await;
        all.push(Reader::new(name("broker"), Door::Broker(broker)));
        let query = format!("topic={}", topic.replace('@', "%40"));
        let events = Sse::open(gateway, &query, since.as_deref()).await;
        all.push(Reader::new(name("events"), Door::Events(events)));
        let mut watch = Sio::user(gateway, &stage.users[n]).await;
        watch.ask("watch", &json!({"topic": topic, "since": since})).await;
        all.push(Reader::new(name("watch"), Door::Rooms(watch)));
        let mut client = Sio::user(gateway, &stage.users[n]).await;
        if let Some(room) = topic.strip_prefix("room:@") {
            client.ask("join_room", &json!({"room": room, "since": since})).await;
        } else if let Some(id) = topic.strip_prefix("room:") {
            client.ask("join_room", &json!({"conversation_id": id, "since": since})).await;
        }
        if topic.starts_with("room:") {
            all.push(Reader::new(name("rooms"), Door::Rooms(client)));
        }
        if let Some(chat) = topic.strip_prefix("chat:") {
            for query in ["", "&snapshot=true"] {
                let since = since.as_ref().map(|since| format!("since={since}"));
                let path = format!("/chat/{chat}?{}{query}", since.unwrap_or_default());
                let client = Client::at(gateway, &path).await;
                all.push(Reader::new(name(query), Door::Chat(client)));
            }
        }
        let path = format!("/api/v1/turns/{}/events", stage.turns[n]);
        let headers: Vec<_> = since.iter().map(|since| ("Last-Event-ID", &**since)).collect();
        let events = Sse::request(gateway, "GET", &path, &headers, "").await;
        all.push(Reader::new(name("relay"), Door::Relay(events)));
    }
    all
}

/// Turns that run at once, in a topic of each kind.
struct Stage {
    topics: [String; 4],
    users: [String; 4],
    turns: Vec<String>,
}

#[tokio::test]
async fn whoever_comes_in_the_middle_of_a_long_reply_gets_all_of_it_and_then_the_rest() {
    let (cat, database) = (Cat::start().await, Database::new().await);
    let id = database.conversation("8").await;
    let bounds = ["user", "room", "chat"].map(|name| format!("topics.{name}.events"));
    let mut settings: Vec<_> = bounds.iter().map(|name| (&**name, "4")).collect();
    settings.push(database.setting());
    let gateway = gateway(&cat, &settings).await;
    // 3,000 tokens: some, then many more, then as many again.
    let tokens: Vec<_> = (0..3000).map(|n| format!("{n} grün\n")).collect();
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let ends = [700, 1800, 3000];
    let mut steps = Vec::new();
    for (n, token) in tokens.iter().enumerate() {
        if let Some(at) = ends.iter().position(|end| *end == n) {
            steps.push(Step::Hold(gates[at].clone()));
        }
        steps.push(Step::token(token));
    }
    steps.extend([Step::Hold(gates[2].clone()), Step::reply(&tokens.concat())]);
    cat.on("?", steps);
    let mut stage = Stage {
        topics: ["user:7".into(), format!("room:{id}"), "room:@den".into(), "chat:c".into()],
        users: ["7", "8", "9", "10"].map(str::to_owned),
        turns: Vec::new(),
    };
    let mut first = Vec::new();
    for topic in &stage.topics {
        let query = format!("topic={}", topic.replace('@', "%40"));
        let mut events = Sse::open(&gateway, &query, None).await;
        events.opened().await;
        first.push(Reader::new(topic, Door::Events(events)));
    }
    let mut since = Vec::new();
    for (topic, user) in stage.topics.iter().zip(&stage.users) {
        let body = json!({"user_id": user, "message": "?", "topic": topic});
        let asked = post(&gateway, "/api/v1/turns", &[], &body).await.json();
        stage.turns.push(text(&asked["turn"]));
        since.push(text(&asked["since"]));
    }
    let mut readers = Vec::new();
    for (at, end) in ends.into_iter().enumerate() {
        let all = tokens[..end].concat();
        join_all(first.iter_mut().map(|reader| reader.reaches(&all))).await;
        let old = |n: usize| Some(since[n].clone());
        let foreign = |_| Some("1-1".to_owned());
        for cursors in [&|_| None, &old as &dyn Fn(usize) -> _, &foreign] {
            let mut joined = join(&gateway, &stage, cursors).await;
            join_all(joined.iter_mut().map(|reader| reader.begins_with(&all))).await;
            readers.append(&mut joined);
        }
        // In the named room there are newer records: who joined.
        for topic in stage.topics.iter().filter(|topic| !topic.contains('@')) {
            let path = format!("/api/v1/topics/{topic}/history?limit=2");
            let page = http::get(gateway.address(), &path, &[]).await.unwrap().json();
            let snapshot = page["records"].as_array().unwrap().last().unwrap().clone();
            assert_eq!(snapshot["kind"], "turn.snapshot");
            assert!(snapshot["payload"]["text"] == *all, "the history of {topic}");
        }
        gates[at].open();
    }
    let all = tokens.concat();
    readers.append(&mut first);
    assert!(readers.len() > 150, "{}", readers.len());
    join_all(readers.into_iter().map(|reader| reader.ends_with(&all))).await;
    for id in &stage.turns {
        let ended = async || {
            let turn = turn(&gateway, id).await;
            (turn["status"] == "completed").then_some(turn)
        };
        assert!(eventually("the end", ended).await["response"] == *all);
    }
    // After the end, whoever comes with an old cursor gets a gap, and the last record with the text.
    for (n, topic) in stage.topics.iter().enumerate().take(3) {
        let query = format!("topic={}", topic.replace('@', "%40"));
        let mut events = Sse::open(&gateway, &query, Some(&since[n])).await;
        assert_eq!(events.next().await.unwrap().kind, "gap");
        let last = loop {
            let event = events.next().await.unwrap();
            if event.kind == "turn.completed" {
                break event.json();
            }
        };
        assert!(last["payload"]["text"] == *all);
    }
}
