//! A request over HTTP/1.1 on a connection of its own; the body may be a whole file.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// How long an answer may take: a run of the slowest operation has its time in it.
const PATIENCE: Duration = Duration::from_mins(15);

const BOUNDARY: &str = "spreadsheet-of-a-bench";

/// Posts JSON; gives the answer, which is JSON too.
pub(crate) fn post(addr: SocketAddr, path: &str, body: &str) -> Result<Value> {
    let head = head(addr, "POST", path, "application/json", u64::try_from(body.len())?);
    json(&exchange(addr, &[head.as_bytes(), body.as_bytes()], None)?)
}

/// Posts a file as the part `file` of a form.
pub(crate) fn upload(addr: SocketAddr, path: &str, file: &Path) -> Result<Value> {
    let name = file.file_name().context("a file has a name")?.to_string_lossy();
    let before = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let after = format!("\r\n--{BOUNDARY}--\r\n");
    let mut content = File::open(file).with_context(|| file.display().to_string())?;
    let length = content.metadata()?.len() + u64::try_from(before.len() + after.len())?;
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let start = head(addr, "POST", path, &kind, length) + &before;
    json(&exchange(addr, &[start.as_bytes(), after.as_bytes()], Some(&mut content))?)
}

/// Gets the body at a path.
pub(crate) fn get(addr: SocketAddr, path: &str) -> Result<Vec<u8>> {
    let head = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    let answer = exchange(addr, &[head.as_bytes()], None)?;
    Ok(split(&answer)?.1.to_vec())
}

/// How many bytes a download has, as the answer to `HEAD` tells.
pub(crate) fn size(addr: SocketAddr, path: &str) -> Result<u64> {
    let head = format!("HEAD {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    let answer = exchange(addr, &[head.as_bytes()], None)?;
    let (head, _) = split(&answer)?;
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.context("a download without its length")?.1.trim().parse().context("no length")
}

fn head(addr: SocketAddr, method: &str, path: &str, kind: &str, length: u64) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\nContent-Type: {kind}\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

/// Sends the pieces, with `file` behind the first; gives all that comes until the end.
fn exchange(addr: SocketAddr, pieces: &[&[u8]], file: Option<&mut File>) -> Result<Vec<u8>> {
    let mut stream =
        TcpStream::connect(addr).with_context(|| format!("cannot connect to {addr}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let sent = send(&mut stream, pieces, file);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    // A server that refuses a file answers before it has read all of it.
    if answer.is_empty() {
        sent.context("cannot send a request")?;
        read.context("no answer")?;
    }
    Ok(answer)
}

fn send(stream: &mut TcpStream, pieces: &[&[u8]], file: Option<&mut File>) -> io::Result<()> {
    let (first, rest) = pieces.split_at(1);
    stream.write_all(&first.concat())?;
    if let Some(file) = file {
        io::copy(file, stream)?;
    }
    stream.write_all(&rest.concat())
}

fn json(answer: &[u8]) -> Result<Value> {
    let (_, body) = split(answer)?;
    serde_json::from_slice(body).context("an answer that is not JSON")
}

/// Head and body of a whole answer with a status of success.
fn split(answer: &[u8]) -> Result<(&str, &[u8])> {
    const END: &[u8] = b"\r\n\r\n";
    let at = answer
        .windows(END.len())
        .position(|window| window == END)
        .context("an answer without end")?;
    let (head, body) = (std::str::from_utf8(&answer[..at])?, &answer[at + END.len()..]);
    let status = head.split(' ').nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        bail!("status {status}: {}", String::from_utf8_lossy(body));
    }
    ensure!(!head.to_ascii_lowercase().contains("transfer-encoding"), "an answer in chunks");
    Ok((head, body))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A server that reads a request to `end`, and gives `answer`.
    fn server(
        end: &'static [u8],
        answer: &'static str,
    ) -> (SocketAddr, thread::JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut got, mut scratch) = (Vec::new(), [0; 4096]);
            while !got.ends_with(end) {
                let n = stream.read(&mut scratch).unwrap();
                assert!(n > 0, "ended early: {}", String::from_utf8_lossy(&got));
                got.extend_from_slice(&scratch[..n]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            got
        });
        (addr, served)
    }

    #[test]
    fn a_file_is_sent_whole_and_as_long_as_the_head_says() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let (addr, served) = server(b"--spreadsheet-of-a-bench--\r\n", "HTTP/1.1 200 OK\r\n\r\n{}");
        assert_eq!(upload(addr, "/x", &file).unwrap(), serde_json::json!({}));
        let got = String::from_utf8(served.join().unwrap()).unwrap();
        let (head, body) = got.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
        assert!(body.contains(&std::fs::read_to_string(file).unwrap()));
    }

    #[test]
    fn a_refusal_is_an_error_that_says_why() {
        let (addr, _served) = server(b"{}", "HTTP/1.1 422 No\r\n\r\nno steps");
        assert_eq!(post(addr, "/x", "{}").unwrap_err().to_string(), "status 422: no steps");
    }

    #[test]
    fn the_size_of_a_download_is_in_its_head() {
        let (addr, _served) = server(b"\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 77\r\n\r\n");
        assert_eq!(size(addr, "/x").unwrap(), 77);
    }
}
