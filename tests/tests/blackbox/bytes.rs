//! Answers, records and databases have bounds in bytes, whatever is small on its way in.
use e2e::{Client, Gateway, chat::Chat, direct, http};
use serde_json::{Value, json};

/// Nearly a megabyte in a column.
fn large() -> String {
    format!("a\n{}", format!("{}\n", "x".repeat(900)).repeat(1000))
}

/// Three times as much.
fn huge() -> String {
    large() + &large().replace("a\n", "").repeat(2)
}

#[tokio::test]
async fn values_that_are_too_much_are_not_stored_but_said_where_to_get_them() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    let columns = json!({ "columns": ["a"] });
    let extract = json!({ "operation": "excel/extract-columns", "arguments": columns });
    let instead = "extract them to a file instead";
    let operation = "excel/extract-columns-to-file";
    // One is too much alone.
    chat.upload("huge.csv", huge()).await;
    let failed = chat.execute(&json!([extract])).await;
    assert_eq!(failed.status, 500, "{}", failed.body);
    assert!(failed.body.contains(instead) && failed.body.contains(operation), "{}", failed.body);
    let to_file = json!({ "operation": operation, "arguments": columns });
    assert_eq!(chat.execute(&json!([to_file])).await.status, 200);
    // Two are fine, and the third is too much together.
    chat.upload("large.csv", large()).await;
    let done = chat.execute(&json!([extract, extract])).await;
    assert_eq!(done.status, 200);
    let id = done.json()["data"]["job_id"].as_str().unwrap().to_owned();
    let shown = chat.get(&format!("/runs/{id}")).await;
    assert!(shown.body.len() < 5 << 20, "{}", shown.body.len());
    let values = &shown.json()["data"]["steps"][1]["result"]["data"]["columns"]["a"]["values"];
    assert_eq!(values.as_array().map(Vec::len), Some(1000));
    let failed = chat.execute(&json!([extract, extract, extract])).await;
    assert_eq!(failed.status, 500);
    let told = failed.json()["message"].as_str().unwrap().to_owned();
    assert!(told.contains("step 3/3") && told.contains(operation), "{told}");
    // Who comes late is shown the run without what is too much for everybody.
    let mut late = Client::at(&gateway, &format!("/chat/{}?snapshot=true", chat.id)).await;
    let (_, snapshot) = (late.next_json().await, late.next_json().await);
    assert_eq!(snapshot["run"]["steps"][0]["result"]["omitted"], true);
    assert!(snapshot.to_string().len() < 100_000);
}

#[tokio::test]
async fn direct_answers_have_the_same_bound() {
    let gateway = Gateway::start(&[]).await;
    let content = huge();
    let file = ("file", Some("a.csv"), &*content);
    let columns = ("columns", None, r#"["a"]"#);
    let parts = [file, columns];
    let (status, told) = direct::refused(&gateway, "/excel/extract-columns", &parts).await;
    assert_eq!(status, 400, "{told}");
    assert!(told.contains("extract them to a file instead"), "{told}");
    let mapping = ("column_mapping", None, r#"{"a":"a"}"#);
    let parts = [file, ("table_name", None, "t"), mapping];
    let (status, told) = direct::refused(&gateway, "/sql/generate", &parts).await;
    assert_eq!(status, 400, "{told}");
    assert!(told.contains("as a file instead") && told.contains("return_file"), "{told}");
    // Names of columns, and errors that repeat what came.
    let long = "x".repeat(3 << 20);
    let parts = [("file", Some("a.csv"), &*long)];
    let (status, told) = direct::refused(&gateway, "/csv/info", &parts).await;
    assert_eq!(status, 400, "{told}");
    assert!(told.contains("the names of the columns"), "{told}");
    let bad = format!("[\"{}\"]", "y".repeat(500_000));
    let parts = [file, ("columns", None, &*bad)];
    let (status, told) = direct::refused(&gateway, "/excel/extract-columns-to-file", &parts).await;
    assert!(status == 422 && told.len() < 5000, "{status} {}", told.len());
}

#[tokio::test]
async fn pages_of_messages_end_where_they_are_too_much_and_go_on_there() {
    let gateway = Gateway::start(&[]).await;
    let at = gateway.address();
    let post = async |path: &str, body: Value| {
        let body = body.to_string();
        let headers = [("Content-Type", "application/json")];
        http::send(at, "POST", path, &headers, body.as_bytes()).await.unwrap()
    };
    let made = post("/conversations", json!({ "user_id": "ann" })).await.json();
    let id = made["conversation_id"].clone();
    for n in 0..8 {
        let content = format!("{n} {}", "word ".repeat(100_000));
        let said = json!({ "conversation_id": id, "user_id": "ann", "content": content });
        assert_eq!(post("/messages", said).await.status, 201);
    }
    let number = |it: &Value| it["content"].as_str().unwrap().split(' ').next().unwrap().to_owned();
    let (mut before, mut numbers) = (String::new(), String::new());
    loop {
        let path = format!("/conversations/{id}/messages?user_id=ann&limit=50{before}");
        let page = http::get(at, &path, &[]).await.unwrap();
        assert!(page.body.len() < 3 << 20, "{}", page.body.len());
        let page = page.json();
        let messages = page["messages"].as_array().unwrap();
        numbers.insert_str(0, &messages.iter().map(number).collect::<String>());
        if page["has_more"] == false {
            break;
        }
        before = format!("&before={}", messages[0]["id"]);
    }
    assert_eq!(numbers, "01234567");
    let (mut offset, mut numbers) = (0, String::new());
    loop {
        let path = format!("/api/v1/search?user_id=ann&q=word&limit=50&offset={offset}");
        let page = http::get(at, &path, &[]).await.unwrap();
        assert!(page.body.len() < 3 << 20, "{}", page.body.len());
        let page = page.json();
        let messages = page["messages"].as_array().unwrap();
        numbers += &messages.iter().map(number).collect::<String>();
        offset += messages.len();
        if page["has_more"] == false {
            break;
        }
    }
    assert_eq!(numbers, "76543210");
}
