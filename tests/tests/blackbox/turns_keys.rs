//! One key stands for one turn, over every protocol and after a restart.
use e2e::{
    Gateway, Sio,
    database::Database,
    fake::{
        model::stream,
        upstream::{Script, Upstream},
    },
    http::Response,
    relay::post,
};
use serde_json::json;

async fn start(database: &Database, model: &Upstream) -> Gateway {
    let url = model.url("/v1");
    let settings = [
        database.setting(),
        ("agents.default", "gpt"),
        ("agents.gpt.kind", "openai"),
        ("agents.gpt.url", &url),
        ("agents.gpt.model", "m"),
    ];
    Gateway::start(&settings).await
}

async fn ask(gateway: &Gateway, topic: &str, text: &str) -> Response {
    let question = json!({
        "user_id": "7", "message": text, "topic": topic, "idempotency_key": "once",
    });
    post(gateway, "/send", &[], &question).await
}

#[tokio::test]
async fn a_key_is_one_over_http_and_socket_io_and_after_a_restart() {
    let model = Upstream::start(Script::sse(&stream(&["Mi", "au"]))).await;
    let database = Database::new().await;
    let conversation = database.conversation("7").await;
    let (room, message) = (format!("room:{conversation}"), "Wie geht's?");
    let sent = json!({
        "conversation_id": conversation, "message": message, "temp_id": "once",
    });
    let mut gateway = start(&database, &model).await;
    let first = ask(&gateway, &room, message).await;
    assert_eq!(first.json(), json!({"response": "Miau"}));
    let turn = first.header("quadrille-turn").expect("an id").to_owned();
    for is_restarted in [false, true] {
        let mut page = Sio::user(&gateway, "7").await;
        let again = page.ask("send_message", &sent).await;
        assert_eq!(again[0]["turn"], json!(turn), "{is_restarted} {again}");
        assert_eq!(again[0]["duplicate"], json!(true));
        let again = ask(&gateway, &room, message).await;
        assert_eq!(again.json(), json!({"response": "Miau"}), "{is_restarted}");
        assert_eq!(again.header("quadrille-turn"), Some(&*turn));
        let others = [(&*room, "Und jetzt?"), ("user:7", message), ("chan:other", message)];
        for (topic, text) in others {
            let other = ask(&gateway, topic, text).await;
            assert_eq!((other.status, other.problem().2), (409, "/problems/key-reused".into()));
        }
        let other = json!({
            "conversation_id": conversation, "message": "Und jetzt?", "temp_id": "once",
        });
        let refused = page.ask("send_message", &other).await;
        assert!(refused[0]["error"].as_str().is_some_and(|text| text.contains("temp_id")));
        if !is_restarted {
            gateway.signal("KILL").await;
            gateway.wait().await;
            gateway = start(&database, &model).await;
        }
    }
    assert_eq!(model.asked().len(), 1);
    assert_eq!(database.messages(conversation).await.len(), 2);
}

#[tokio::test]
async fn a_key_at_once_over_two_protocols_is_asked_once() {
    let model = Upstream::start(Script::sse(&stream(&["Mi", "au"]))).await;
    let database = Database::new().await;
    let conversation = database.conversation("7").await;
    let (room, message) = (format!("room:{conversation}"), "Wie geht's?");
    let gateway = start(&database, &model).await;
    let mut page = Sio::user(&gateway, "7").await;
    for n in 0..20 {
        let key = format!("k{n}");
        let sent =
            json!({"conversation_id": conversation, "message": message, "client_msg_id": key});
        let question = json!({"user_id": "7", "message": message, "topic": room});
        let header = [("Idempotency-Key", key.as_str())];
        let (over_http, again, over_socket) = tokio::join!(
            post(&gateway, "/send", &header, &question),
            post(&gateway, "/send", &header, &question),
            page.ask("send_message", &sent),
        );
        assert_eq!((over_http.status, again.status), (200, 200), "{over_http:?} {again:?}");
        let turns = [&over_http, &again].map(|answer| answer.header("quadrille-turn"));
        let turn = over_socket[0]["turn"].as_str();
        assert_eq!(turns, [turn, turn], "{over_socket}");
    }
    assert_eq!(model.asked().len(), 20);
}
