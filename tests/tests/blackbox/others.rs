//! Nothing of others can be learnt, and nothing of theirs is superseded.
use e2e::{
    Client, Gateway, Sio, Sse,
    chat::{CHATS_OF_BOT, people},
    direct::{self, text},
    http,
    relay::post,
    sio::Way,
    token::{JWT, token},
};
use serde_json::{Value, json};

async fn ask(
    gateway: &Gateway,
    method: &str,
    path: &str,
    token: &str,
    body: &str,
) -> http::Response {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", &*bearer), ("Content-Type", "application/json")];
    let sent = http::send(gateway.address(), method, path, &headers, body.as_bytes()).await;
    sent.expect("an answer")
}

#[tokio::test]
async fn names_of_rooms_are_told_to_those_who_may_be_in_them() {
    let gateway = Gateway::start(&JWT).await;
    let signed = |claims: Value| json!({"token": token(claims)});
    let inside = signed(json!({"sub": "7", "rooms": ["@layoffs", "@lunch"]}));
    let mut member = Sio::connected(&gateway, Way::WebSocket, &inside).await;
    for room in ["layoffs", "lunch"] {
        member.ask("join_room", &json!({ "room": room })).await;
    }
    let status = gateway.get("/api/v1/status").await.json();
    assert_eq!((&status["rooms"], &status["room_count"]), (&json!({}), &json!(2)));
    assert_eq!(gateway.get("/health").await.json()["rooms"], 2);
    let cases = [
        (json!({"sub": "8"}), json!({})),
        (json!({"sub": "8", "rooms": ["@lunch"]}), json!({"lunch": 1})),
        (json!({"sub": "8", "topics": {"read": ["room:*"]}}), json!({"layoffs": 1, "lunch": 1})),
    ];
    for (claims, rooms) in cases {
        let mut other = Sio::connected(&gateway, Way::WebSocket, &signed(claims)).await;
        other.ask("get_stats", &json!({})).await;
        assert_eq!(other.expect("stats").await["rooms"], rooms);
    }
    // Where everybody may be in every room, everybody sees them.
    let gateway = Gateway::start(&[]).await;
    let mut guest = Sio::guest(&gateway).await;
    guest.ask("join_room", &json!({"room": "den"})).await;
    assert_eq!(gateway.get("/api/v1/status").await.json()["rooms"], json!({"den": 1}));
}

#[tokio::test]
async fn what_is_somebody_elses_is_answered_as_what_is_not_there() {
    let gateway = Gateway::start(&JWT).await;
    let [ann, bob] = ["ann", "bob"].map(|sub| token(json!({ "sub": sub })));
    let chat = ask(&gateway, "POST", "/api/v1/chat/workflows", &ann, "").await.json();
    let chat = chat["data"]["chat_id"].as_str().expect("an id").to_owned();
    let dump =
        ask(&gateway, "POST", &format!("/api/v1/chat/workflows/{chat}/dump"), &ann, "").await;
    let name = dump.json()["data"]["dump_file"].as_str().expect("a name").to_owned();
    let mut made = Vec::new();
    for path in ["/conversations", "/api/v1/turns"] {
        let answer = ask(&gateway, "POST", path, &ann, r#"{"message":"x"}"#).await.json();
        made.push(answer);
    }
    let (conversation, turn) = (&made[0]["conversation_id"], made[1]["turn"].as_str());
    let turn = turn.expect("a turn");
    let unknown = "01a21cf1-0000-7000-8000-000000000001";
    let pairs = [
        ("GET", format!("/api/v1/chat/downloads/{name}"), "/api/v1/chat/downloads/none".to_owned()),
        (
            "GET",
            format!("/api/v1/chat/workflows/{chat}"),
            format!("/api/v1/chat/workflows/{unknown}"),
        ),
        (
            "DELETE",
            format!("/api/v1/chat/workflows/{chat}"),
            format!("/api/v1/chat/workflows/{unknown}"),
        ),
        (
            "GET",
            format!("{CHATS_OF_BOT}/{chat}/history"),
            format!("{CHATS_OF_BOT}/{unknown}/history"),
        ),
        (
            "GET",
            format!("/conversations/{conversation}/messages"),
            "/conversations/999/messages".to_owned(),
        ),
        ("DELETE", format!("/conversations/{conversation}"), "/conversations/999".to_owned()),
        ("GET", format!("/api/v1/turns/{turn}"), format!("/api/v1/turns/{unknown}")),
        ("DELETE", format!("/api/v1/turns/{turn}"), format!("/api/v1/turns/{unknown}")),
        ("GET", format!("/api/v1/turns/{turn}/events"), format!("/api/v1/turns/{unknown}/events")),
    ];
    for (method, theirs, none) in pairs {
        let theirs_told = ask(&gateway, method, &theirs, &bob, "").await;
        let none_told = ask(&gateway, method, &none, &bob, "").await;
        let told = [theirs_told, none_told].map(|it| {
            let mut body = it.json();
            // The time, and the id of the request.
            body.as_object_mut().expect("an object").remove("meta");
            (it.status, body)
        });
        assert_eq!((told[0].0, &told[0]), (404, &told[1]), "{method} {theirs}");
    }
    // A name that somebody else has is as good as any.
    let table = people(3);
    let mut names = Vec::new();
    for user in [&ann, &bob, &ann] {
        names.push(filtered(&gateway, user, &table).await);
    }
    assert_eq!(names[0], names[1]);
    assert_ne!(names[0], names[2]);
}

/// Has a table looked through, under a name of the caller's, and gives the name that the result has.
async fn filtered(gateway: &Gateway, user: &str, table: &str) -> String {
    let conditions = r#"[{"column":"city","operator":"equals","value":"Oslo"}]"#;
    let parts = [
        ("file", Some("a.csv"), table),
        text("conditions", conditions),
        text("output_filename", "mine.csv"),
    ];
    let answer = direct::send(gateway, "/csv/search", user, &parts).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    direct::download(gateway, &answer.json()["data"]).1
}

#[tokio::test]
async fn a_clients_record_takes_the_place_of_none_that_it_did_not_publish() {
    let gateway = Gateway::start(&[]).await;
    let body = json!({"user_id": "7", "message": "hello there", "topic": "chat:x"});
    let asked = post(&gateway, "/api/v1/turns", &[], &body).await.json();
    let (turn, since) = (asked["turn"].as_str().expect("a turn"), asked["since"].as_str());
    let path = format!("/api/v1/turns/{turn}");
    e2e::eventually("its end", async || {
        (gateway.get(&path).await.json()["status"] == "completed").then_some(())
    })
    .await;
    let forged = [format!("{turn}/turn.completed"), "typing/7".to_owned(), "p".to_owned()];
    let mut other = Client::connect(&gateway).await;
    for id in &forged {
        let payload = json!({ "message_id": id });
        let record = json!({"topic": "chat:x", "payload": payload});
        assert_eq!(post(&gateway, "/api/v1/publish", &[], &record).await.status, 200);
        other.publish("chat:x", &payload).await;
    }
    // More than a quarter of the log: who resumes gets the newest of each key.
    for n in 0..300 {
        other.publish("chat:x", &json!({"message_id": "many", "n": n})).await;
    }
    other.until_pong().await;
    let query = format!("topic=chat:x&since={}", since.expect("a position"));
    let mut events = Sse::open(&gateway, &query, None).await;
    let mut kinds = Vec::new();
    loop {
        let event = events.next().await.expect("an event");
        let is_last = event.json()["payload"]["n"] == 299;
        kinds.push(event.kind);
        if is_last {
            break;
        }
    }
    assert!(kinds.iter().any(|it| it == "turn.completed"), "{kinds:?}");
    // Of each of the two publishers, one for each message; and one of the many.
    assert_eq!(kinds.iter().filter(|it| *it == "message").count(), 2 * forged.len() + 1);
}
