//! Operations on a file that comes with the request, as a program asks for them.
use std::fmt::Write as _;

use serde_json::Value;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{Gateway, http};

/// Parts of a form: the name of the field, that of the file if it is one, and the content.
pub type Part<'a> = (&'a str, Option<&'a str>, &'a str);

/// A field that is no file.
pub const fn text<'a>(name: &'a str, content: &'a str) -> Part<'a> {
    (name, None, content)
}

/// Sends a form, with a token if it is not empty.
pub async fn send(
    gateway: &Gateway,
    path: &str,
    token: &str,
    parts: &[Part<'_>],
) -> http::Response {
    let mut body = String::new();
    for (name, file, content) in parts {
        let file = file.map(|it| format!("; filename=\"{it}\"")).unwrap_or_default();
        let head = format!("Content-Disposition: form-data; name=\"{name}\"{file}");
        write!(body, "--b\r\n{head}\r\n\r\n{content}\r\n").expect("it is a text");
    }
    body.push_str("--b--\r\n");
    let authorization = format!("Bearer {token}");
    let mut headers = vec![("Content-Type", "multipart/form-data; boundary=b")];
    if !token.is_empty() {
        headers.push(("Authorization", authorization.as_str()));
    }
    let path = format!("/api/v1{path}");
    let sent = http::send(gateway.address(), "POST", &path, &headers, body.as_bytes()).await;
    sent.expect("the gateway answers")
}

/// The message and the data of a success.
pub async fn ask(gateway: &Gateway, path: &str, parts: &[Part<'_>]) -> (String, Value) {
    let answer = send(gateway, path, "", parts).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    let json = answer.json();
    assert_eq!(json["status_code"], 200);
    (json["message"].as_str().expect("there is a message").to_owned(), json["data"].clone())
}

/// The status and the message of what is refused.
pub async fn refused(gateway: &Gateway, path: &str, parts: &[Part<'_>]) -> (u16, String) {
    let answer = send(gateway, path, "", parts).await;
    let json = answer.json();
    assert_eq!(json["status_code"], answer.status);
    (answer.status, json["message"].as_str().expect("there is a message").to_owned())
}

/// The path of what was made, and its name.
pub fn download(gateway: &Gateway, data: &Value) -> (String, String) {
    let url = data["download_url"].as_str().expect("there is an address");
    let path =
        url.strip_prefix(&format!("http://{}", gateway.address())).expect("it is of this gateway");
    let name = path.strip_prefix("/api/v1/files/downloads/").expect("it is a download");
    (path.to_owned(), name.to_owned())
}

/// A name without the time in it.
pub fn timeless(name: &str) -> String {
    name.chars().filter(|it| !it.is_ascii_digit()).collect()
}

/// The file as it is.
pub async fn bytes(gateway: &Gateway, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(gateway.address()).await.expect("the gateway listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the gateway reads");
    let answer = http::until_closed(&mut stream).await;
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    let head = answer.windows(4).position(|it| it == b"\r\n\r\n").expect("a head ends");
    answer[head + 4..].to_vec()
}
