//! Answers of upstreams as they come over the wire, in `tests/corpus`: the bytes of each in a file,
//! and beside it, in one of the same name, how it is served and what a reader has to make of it.
use std::{fs, path::Path};

use serde::Deserialize;

use super::upstream::{Script, Step};

/// An answer.
#[derive(Clone, Debug)]
pub struct Recording {
    pub name: String,
    pub body: Vec<u8>,
    pub expected: Expected,
}

/// Contents of the file of an answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub what: String,
    pub outcome: Outcome,
    /// Why the reply failed, as the gateway calls it.
    pub code: Option<String>,
    /// The whole text, or what there is of one that failed.
    pub text: String,
    /// Names and arguments.
    #[serde(default)]
    pub tools: Vec<(String, String)>,
    /// The thoughts, and the tokens of question and reply.
    #[serde(default)]
    pub thoughts: String,
    pub usage: Option<(u64, u64)>,
    /// How many notices the gateway passes on.
    #[serde(default)]
    pub notices: usize,
    #[serde(default)]
    pub served: Served,
    /// Where the official client in this language reads something else than what is right.
    pub python: Option<Official>,
    pub javascript: Option<Official>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Complete,
    Failed,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Served {
    /// The content type; none if it is empty.
    #[serde(rename = "type")]
    pub media: String,
    pub end: End,
}

/// How the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    Chunked,
    /// The connection is closed before the last chunk.
    Cut,
    /// Fewer bytes than the length says.
    Short,
    /// Neither chunks nor a length: the end of the connection ends the body.
    Close,
}

/// Result of an official client that differs from the expected one, and the reason.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Official {
    pub outcome: Option<Outcome>,
    pub text: Option<String>,
    pub tools: Option<Vec<(String, String)>>,
    pub why: String,
}

/// Every answer of a dialect, by name.
pub fn recordings(dialect: &str) -> Vec<Recording> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(dialect);
    let files = fs::read_dir(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut found = Vec::new();
    for file in files {
        let path = file.expect("a file").path();
        if path.extension().is_none_or(|it| it != "toml") {
            continue;
        }
        let read =
            |path: &Path| fs::read(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let text = String::from_utf8(read(&path)).expect("UTF-8");
        let expected =
            toml::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let bodies = ["sse", "json", "jsonl"].map(|it| path.with_extension(it));
        let body = bodies.iter().find(|it| it.exists()).expect("a body beside it");
        let name = path.file_stem().and_then(|it| it.to_str()).expect("a name").to_owned();
        found.push(Recording { name, body: read(body), expected });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

impl Default for Served {
    fn default() -> Self {
        Self { media: "text/event-stream".to_owned(), end: End::Chunked }
    }
}

impl Recording {
    /// The answer as a server gives it.
    pub fn script(&self) -> Script {
        let Served { media, end } = &self.expected.served;
        let body = self.body.clone();
        let framing = match end {
            End::Chunked | End::Cut => "Transfer-Encoding: chunked\r\n".to_owned(),
            End::Short => format!("Content-Length: {}\r\n", body.len() + 100),
            End::Close => "Connection: close\r\n".to_owned(),
        };
        let media =
            if media.is_empty() { String::new() } else { format!("Content-Type: {media}\r\n") };
        let head = format!("HTTP/1.1 200 OK\r\n{media}{framing}\r\n").into_bytes();
        let script = Script::default().then(Step::Raw(head));
        match end {
            End::Chunked => script.then(Step::Chunk(body)).then(Step::End),
            End::Cut => script.then(Step::Chunk(body)).then(Step::Cut),
            End::Short | End::Close => script.then(Step::Raw(body)).then(Step::Cut),
        }
    }
}
