//! The process keeps to the sum of its bounds, which `check-config` tells.
use e2e::{
    Client, Gateway, Raw, http,
    raw::{TEXT, frame},
    workbook,
};
use serde_json::json;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

/// Small pools, and no share: here one client may fill them.
const SETTINGS: &[(&str, &str)] = &[
    ("limits.connections", "64"),
    ("limits.http_connections", "96"),
    ("limits.topics", "200"),
    ("limits.input_bytes", "8388608"),
    ("limits.output_bytes", "8388608"),
    ("limits.log_bytes", "33554432"),
    ("agents.max_running", "4"),
    ("agents.kept_bytes", "1048576"),
    ("store.max_connections", "2"),
    ("workflows.workers", "1"),
    ("workflows.max_waiting", "4"),
];

/// Reads the size that `check-config` prints for one part, or for all, in MiB.
fn told(line: &str, name: &str) -> u64 {
    let (_, rest) = line.split_once(name).unwrap_or_else(|| panic!("no {name:?} in {line:?}"));
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number after {name:?} in {line:?}"))
}

/// A connection that takes as little as can be.
async fn narrow(gateway: &Gateway) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a size");
    socket.connect(gateway.address()).await.expect("it listens")
}

/// Clients of a channel that read nothing.
async fn deaf(gateway: &Gateway) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = Client::narrow(gateway).await;
        client.subscribe("deaf").await;
        clients.push(client);
    }
    clients
}

/// A workbook that unzips to as many texts as a table may hold, in a form.
fn upload() -> Vec<u8> {
    let sheet = r#"<worksheet><sheetData><row><c t="s"><v>0</v></c></row></sheetData></worksheet>"#;
    let texts = workbook::Packed::repeated("<sst><si><t>a</t></si>", "<si><t>b</t></si>", 1 << 20);
    let file = workbook::workbook(workbook::Packed::new(sheet), texts);
    let head = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.xlsx\"\r\n\r\n";
    [&head[..], &file, b"\r\n--b--\r\n"].concat()
}

async fn post(gateway: &Gateway, path: &str, body: &serde_json::Value) -> (u16, String) {
    let json = [("Content-Type", "application/json")];
    let body = body.to_string();
    let sent = http::send(gateway.address(), "POST", path, &json, body.as_bytes()).await;
    let answer = sent.expect("an answer");
    let shown = answer.body.chars().take(200).collect();
    (answer.status, shown)
}

#[tokio::test]
async fn all_bounds_at_once_take_no_more_than_check_config_tells() {
    let checked = Gateway::run(&["check-config"], SETTINGS).await;
    let line = checked.stdout.iter().find(|line| line.starts_with("memory at the worst"));
    let line = line.unwrap_or_else(|| panic!("{:?}", checked.stdout));
    let sum = told(line, "memory at the worst:");
    let (tables, questions) = (told(line, "tables"), told(line, "questions"));
    let gateway = Gateway::start(SETTINGS).await;

    // Readers that take nothing, of records as large as can be.
    let _deaf = deaf(&gateway).await;
    let mut streams = Vec::new();
    for _ in 0..30 {
        let mut stream = narrow(&gateway).await;
        let get = "GET /events?topic=deaf HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(get.as_bytes()).await.expect("it is read");
        streams.push(stream);
    }
    // More records, in more topics, than the logs may hold.
    let large = "x".repeat(900_000);
    for n in 0..120 {
        let channel = if n % 4 == 0 { "deaf".to_owned() } else { format!("c{n}") };
        let status =
            post(&gateway, "/api/v1/publish", &json!({"channel": channel, "payload": large})).await;
        assert_eq!(status.0, 200, "{status:?}");
    }
    // What pages are made of.
    let made = post(&gateway, "/conversations", &json!({"user_id": "7"})).await;
    assert_eq!(made.0, 201, "{made:?}");
    for _ in 0..12 {
        let said = json!({"user_id": "7", "conversation_id": 1, "content": large});
        let stored = post(&gateway, "/messages", &said).await;
        assert_eq!(stored.0, 201, "{stored:?}");
    }
    // Messages and bodies that stay half.
    let (begun, mut half) = (frame(TEXT, large.as_bytes()), Vec::new());
    for _ in 0..12 {
        let mut raw = Raw::connect(&gateway).await;
        raw.send(&begun).await;
        half.push(raw);
    }
    for _ in 0..30 {
        let mut stream = narrow(&gateway).await;
        let head = "POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\n\
                    Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n\"";
        stream.write_all(head.as_bytes()).await.expect("it is read");
        // The rest may find no room.
        stream.write_all(large.as_bytes()).await.ok();
        streams.push(stream);
    }
    // Pages that are not read.
    for _ in 0..30 {
        let mut stream = narrow(&gateway).await;
        let get = "GET /conversations/1/messages?user_id=7 HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(get.as_bytes()).await.expect("it is read");
        streams.push(stream);
    }
    // Others are served meanwhile.
    assert_eq!(gateway.get("/healthz").await.status, 200);
    let others = gateway.get("/conversations?user_id=8").await;
    assert_eq!(others.status, 200, "{}", others.body);
    let peak = gateway.peak_kib() >> 10;
    assert!(peak <= sum - tables - questions, "{peak} MiB of {line}");

    let form = upload();
    let mut asked = JoinSet::new();
    for _ in 0..4 {
        let (form, at) = (form.clone(), gateway.address());
        asked.spawn(async move {
            let kind = [("Content-Type", "multipart/form-data; boundary=b")];
            let sent = http::send(at, "POST", "/api/v1/excel/info", &kind, &form).await;
            sent.expect("an answer").status
        });
    }
    while let Some(status) = asked.join_next().await {
        let status = status.expect("no panic");
        assert!([200, 400, 413, 429, 503].contains(&status), "{status}");
    }
    let peak = gateway.peak_kib() >> 10;
    assert!(peak <= sum - questions, "{peak} MiB of {line}");
    drop((streams, half));
}
