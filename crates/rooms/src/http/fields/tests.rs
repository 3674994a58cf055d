//! Fields of every kind of body, and what they may be.
use axum::body::Body;

use super::*;

async fn read(media: &str, body: &str) -> Result<Fields, Error> {
    let request = Request::post("/messages").header(CONTENT_TYPE, media);
    Fields::read(request.body(Body::from(body.to_owned())).unwrap(), 100).await
}

async fn json(body: &str) -> Fields {
    read("application/json; charset=utf-8", body).await.unwrap()
}

#[tokio::test]
async fn the_same_fields_are_read_from_every_kind_of_body() {
    let parts = "--b\r\nContent-Disposition: form-data; name=\"conversation_id\"\r\n\r\n7\r\n\
                 --b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a\"\r\n\r\nx\r\n\
                 --b\r\nContent-Disposition: form-data; name=\"content\"\r\n\r\na \u{e4}\r\n--b--";
    let bodies = [
        ("application/json", r#"{"conversation_id":7,"content":"a ä","other":[1]}"#),
        ("application/x-www-form-urlencoded", "conversation_id=7&content=a+%C3%A4&content=b"),
        ("multipart/form-data; boundary=b", parts),
    ];
    for (media, body) in bodies {
        let fields = read(media, body).await.unwrap();
        assert_eq!(fields.conversation().unwrap(), Some(7), "{media}");
        assert_eq!(fields.text("content").unwrap().as_deref(), Some("a ä"), "{media}");
        assert_eq!(fields.text("title").unwrap(), None);
    }
}

#[tokio::test]
async fn a_conversation_is_a_number_or_its_digits() {
    let id = async |value: &str| {
        let id = json(&format!(r#"{{"conversation_id":{value}}}"#)).await.conversation();
        id.map_err(|why| why.to_string())
    };
    for good in ["7", "7.0", "\"7\"", "\" 7 \""] {
        assert_eq!(id(good).await, Ok(Some(7)), "{good}");
    }
    for none in ["null", "\"\""] {
        assert_eq!(id(none).await, Ok(None), "{none}");
    }
    for unknown in ["-1", "99999999999999999999999", "\"-3\""] {
        let expected = Err("Conversation not found".to_owned());
        assert_eq!(id(unknown).await, expected, "{unknown}");
    }
    for wrong in ["1.5", "true", "[7]", "{}", "\"seven\"", "\"7; DROP\"", "\"+7\""] {
        let expected = Err("conversation_id must be a whole number".to_owned());
        assert_eq!(id(wrong).await, expected, "{wrong}");
    }
}

#[tokio::test]
async fn a_field_of_the_wrong_type_is_named() {
    let fields = json(r#"{"title":1,"is_pinned":"yes","user_id":[],"sender":null}"#).await;
    assert_eq!(fields.text("title").unwrap_err().to_string(), "title must be a text");
    assert_eq!(
        fields.flag("is_pinned").unwrap_err().to_string(),
        "is_pinned must be true or false"
    );
    assert!(fields.name("user_id").is_err() && !fields.has("sender"));
    let fields = json(r#"{"is_pinned":true,"user_id":7}"#).await;
    assert_eq!(fields.flag("is_pinned").unwrap(), Some(true));
    assert_eq!(fields.name("user_id").unwrap().as_deref(), Some("7"));
}

#[tokio::test]
async fn metadata_stays_the_text_that_it_was() {
    let fields = json(r#"{"metadata":{"n":1e400,"b":[1,  2]}}"#).await;
    let metadata = fields.json_text("metadata").unwrap();
    assert_eq!(metadata.as_deref(), Some(r#"{"n":1e400,"b":[1,  2]}"#));
    let form = async |value: &str| {
        let body =
            form_urlencoded::Serializer::new(String::new()).append_pair("metadata", value).finish();
        let fields = read("application/x-www-form-urlencoded", &body).await.unwrap();
        fields.json_text("metadata")
    };
    assert_eq!(form("{\"a\":1}").await.unwrap().as_deref(), Some("{\"a\":1}"));
    assert!(form("").await.unwrap().is_none() && form("null").await.unwrap().is_none());
    assert!(form("{").await.is_err() && form(&"[".repeat(200)).await.is_err());
}

#[tokio::test]
async fn a_body_says_how_it_is_written_unless_there_is_none() {
    assert!(json("").await.0.is_empty());
    let none = Request::post("/a").body(Body::empty()).unwrap();
    assert!(Fields::read(none, 0).await.unwrap().0.is_empty());
    let refused = async |media: &str| read(media, "a").await.unwrap_err().to_string();
    assert!(refused("text/plain").await.starts_with("Send application/json"));
    for media in ["multipart/form-data", "multipart/form-data; boundary=\"\""] {
        assert!(refused(media).await.contains("boundary"), "{media}");
    }
    let long = format!("multipart/form-data; boundary={}", "b".repeat(71));
    assert!(refused(&long).await.contains("boundary"));
    let large = read("application/x-www-form-urlencoded", &"a".repeat(BODY + 1)).await;
    assert!(matches!(large, Err(Error::Form(FormError::TooLong(BODY)))));
    let list = read("application/json", "[1]").await;
    assert!(matches!(list, Err(Error::Body(_))), "{list:?}");
}
