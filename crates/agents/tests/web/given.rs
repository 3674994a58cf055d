//! Additions of a client to its question, in each dialect.
use e2e::fake::{
    agui, django, model,
    upstream::{Script, Upstream},
};
use futures_util::StreamExt;
use quadrille_agents::{Given, HistoryEntry};
use serde_json::{Value, json};

use crate::ask::{agent, question};

/// The body of a question with these given.
async fn asked(kind: &str, more: &str, given: Given) -> Value {
    let script = match kind {
        "openai" => Script::sse(&model::stream(&["Meow"])),
        "agui" => Script::sse(&agui::run(&["Meow"])),
        _ => Script::json(&django::whole("Meow")),
    };
    let upstream = Upstream::start(script).await;
    let agent = agent(&format!("kind = \"{kind}\"\nurl = \"{}\"\n{more}", upstream.url("/")));
    let mut question = question("This?");
    let history = given.history.as_ref().map(|history| history.to_vec());
    question.history = history.unwrap_or_default();
    question.given = given;
    let parts: Vec<_> = agent.ask(question).collect().await;
    assert!(parts.iter().all(Result::is_ok), "{parts:?}");
    upstream.only().body
}

fn given(image: &str) -> Given {
    Given { image: Some(image.into()), level: Some("nano".into()), history: None }
}

#[tokio::test]
async fn a_picture_is_a_part_of_the_question() {
    let image = "https://example.org/a.png";
    let openai = asked("openai", "model = \"m\"", given(image)).await;
    let expected = json!([
        {"type": "text", "text": "This?"},
        {"type": "image_url", "image_url": {"url": image}},
    ]);
    assert_eq!(openai["messages"][0]["content"], expected);
    let sources = [
        (image, json!({"type": "url", "value": image})),
        (
            "data:image/png;base64,AA==",
            json!({"type": "data", "value": "AA==", "mimeType": "image/png"}),
        ),
    ];
    for (image, source) in sources {
        let agui = asked("agui", "", given(image)).await;
        let expected =
            json!([{"type": "text", "text": "This?"}, {"type": "image", "source": source}]);
        assert_eq!(agui["messages"][0]["content"], expected);
    }
    assert_eq!(asked("http", "", given(image)).await["image"], image);
}

#[tokio::test]
async fn a_level_is_where_the_upstream_looks_for_it() {
    let agui = asked("agui", "body = { forwardedProps = { a = 1 } }", given("https://a")).await;
    assert_eq!(agui["forwardedProps"], json!({"a": 1, "intelligence_level": "nano"}));
    let constant = "body = { intelligence_level = \"super\" }";
    assert_eq!(asked("http", constant, given("https://a")).await["intelligence_level"], "nano");
    let none = asked("http", constant, Given::default()).await;
    assert_eq!((&none["intelligence_level"], &none["image"]), (&json!("super"), &Value::Null));
    let body =
        "model = \"m\"\nbody = { metadata = { level = \"{intelligence_level}\", a = \"b\" } }";
    let openai = asked("openai", body, given("https://a")).await;
    assert_eq!(openai["metadata"], json!({"level": "nano", "a": "b"}));
    let openai = asked("openai", body, Given::default()).await;
    assert_eq!(openai["metadata"], json!({"a": "b"}));
}

#[tokio::test]
async fn of_an_empty_reply_the_question_is_told_alone() {
    let empty = HistoryEntry { question: "Hello?".to_owned(), reply: " \n".to_owned() };
    for (kind, more) in [("openai", "model = \"m\""), ("agui", "")] {
        let given = Given { history: Some([empty.clone()].into()), ..Given::default() };
        let body = asked(kind, more, given).await;
        let messages = body["messages"].as_array().expect("a list").iter();
        let told: Vec<_> =
            messages.map(|message| (&message["role"], &message["content"])).collect();
        let [hello, this] = [json!("Hello?"), json!("This?")];
        let user = json!("user");
        assert_eq!(told, [(&user, &hello), (&user, &this)], "{kind}");
    }
}
