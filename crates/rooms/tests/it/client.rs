//! Somebody who asks rooms over HTTP.
use std::{fmt::Write, net::SocketAddr};

use e2e::{
    http::{self, Response},
    patience::within,
    token::token,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::bed::Bed;

/// Credentials of a client, as headers.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) at: SocketAddr,
    headers: Vec<(String, String)>,
    /// The user that the client claims to be, in every address.
    claimed: Option<String>,
}

pub(crate) const JSON: (&str, &str) = ("Content-Type", "application/json");
pub(crate) const PARTS: (&str, &str) = ("Content-Type", "multipart/form-data; boundary=b");

impl Client {
    pub(crate) fn nobody(bed: &Bed) -> Self {
        Self { at: bed.at, headers: Vec::new(), claimed: None }
    }

    /// A user who says so.
    pub(crate) fn claiming(bed: &Bed, user: &str) -> Self {
        Self { claimed: Some(user.to_owned()), ..Self::nobody(bed) }
    }

    /// A user with a token.
    pub(crate) fn signed_in(bed: &Bed, user: &str) -> Self {
        Self::nobody(bed).bearer(&token(json!({ "sub": user })))
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn path(&self, path: &str) -> String {
        let Some(user) = &self.claimed else { return path.to_owned() };
        let sign = if path.contains('?') { '&' } else { '?' };
        format!("{path}{sign}user_id={user}")
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers: Vec<_> = own.chain(more.iter().copied()).collect();
        http::send(self.at, method, &self.path(path), &headers, body).await.expect("an answer")
    }

    /// The path of an absolute address, without the link that it is.
    pub(crate) fn path_of(address: &str) -> String {
        let (_, path) = address.split_once("/files/").expect("the address of a file");
        format!("/files/{}", path.split('?').next().unwrap_or_default())
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[], &[]).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Response {
        self.send("DELETE", path, &[], &[]).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Response {
        self.send("PATCH", path, &[JSON], body.to_string().as_bytes()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Response {
        self.send("POST", path, &[JSON], body.to_string().as_bytes()).await
    }

    /// Posts a form of parts.
    pub(crate) async fn form(&self, path: &str, parts: &[String]) -> Response {
        self.send("POST", path, &[PARTS], whole(parts).as_bytes()).await
    }

    /// Everything that is answered to a POST until the server closes, without the head.
    pub(crate) async fn stream(&self, path: &str, media: &str, body: &str) -> String {
        let path = self.path(path);
        let mut request = format!("POST {path} HTTP/1.0\r\nContent-Type: {media}\r\n");
        for (name, value) in &self.headers {
            write!(request, "{name}: {value}\r\n").unwrap();
        }
        write!(request, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut stream = TcpStream::connect(self.at).await.expect("it listens");
        stream.write_all(request.as_bytes()).await.expect("it is open");
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        within("the end of a stream", read).await.expect("UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        body.to_owned()
    }
}

/// A part with a text.
pub(crate) fn text(name: &str, value: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

/// A part with a file.
pub(crate) fn file(name: &str, media: &str, content: &str) -> String {
    format!(
        "--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\
         Content-Type: {media}\r\n\r\n{content}\r\n"
    )
}

/// A form with its end.
pub(crate) fn whole(parts: &[String]) -> String {
    parts.concat() + "--b--\r\n"
}

/// Status and error of an answer.
pub(crate) fn refusal(response: &Response) -> (u16, String) {
    let body = response.json();
    let told = body["error"].as_str().or(body["msg"].as_str());
    (response.status, told.unwrap_or_else(|| panic!("no error: {response:?}")).to_owned())
}
