//! POST requests to the one address of an agent, and their failures.
//!
//! Only the configuration decides where requests go: redirects are not followed, and proxies of the
//! environment are not used.
use std::{error::Error, sync::Arc, time::Duration};

use reqwest::{
    Client, Response, StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
    redirect,
};

use super::secrets::Secrets;
use crate::{BadConfig, Code, Failure, Settings, lenient::NotJson};

/// Idle timeout of connections. Shorter than the 5 seconds of uvicorn and Node, so that a
/// question is not sent into a connection that the upstream is closing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Idle connections that are kept at most.
const MAX_IDLE_CONNECTIONS: usize = 32;

/// Interval of pings on an HTTP/2 connection in use, and timeout of their answers. A dead connection
/// would otherwise get the next questions, too.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// Timeout of the body of an error.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes of an answer beyond the reply's text: names and braces.
const ENVELOPE_BYTES: usize = 1 << 16;

/// The address of an agent, and a client for it.
#[derive(Debug)]
pub(super) struct Web {
    client: Client,
    url: Url,
    secrets: Secrets,
    /// Timeout of the end of an answer whose reply is complete.
    pub(super) linger: Duration,
    /// Bytes of an answer in one piece, or of one event.
    pub(super) max: usize,
}

/// The form of an answer, and the first bytes, which showed it.
#[derive(Debug)]
pub(super) enum Answer {
    Events(Vec<u8>, Response),
    Json(Vec<u8>, Response),
}

/// The form that the begin of an answer looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Events,
    Json,
    /// Neither; the declared type decides.
    AsDeclared,
    /// More bytes are needed.
    Unknown,
}

/// An error of an upstream. Its text must not be logged before it is masked in a [`Failure`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) code: Code,
    pub(super) message: String,
}

// === impl Web ===

impl Web {
    /// The way to `url` for agent `name`.
    pub(super) fn open(name: &str, settings: &Settings, url: Url) -> Result<Arc<Self>, BadConfig> {
        let wrong = |key: &str, expected: &str| BadConfig {
            key: format!("{name}.{key}"),
            expected: expected.to_owned(),
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accept = HeaderValue::from_static("text/event-stream, application/json");
        headers.insert(ACCEPT, accept);
        if !settings.token.is_empty() {
            let bearer = HeaderValue::from_str(&format!("Bearer {}", settings.token.expose()));
            let mut bearer = bearer.map_err(|_| wrong("token", "expected no line break in it"))?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        if settings.connect_timeout.is_zero() {
            return Err(wrong("connect_timeout", "expected more than no time"));
        }
        let client = Client::builder()
            .default_headers(headers)
            .user_agent(concat!("quadrille/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_INTERVAL)
            .build()
            .map_err(|_| wrong("url", "an HTTP client; install the system's ca-certificates"))?;
        // JSON writes a byte of a text in six at most, as in \u0007.
        let max = settings.max_reply.saturating_mul(6).saturating_add(ENVELOPE_BYTES);
        let secrets = Secrets::new(&url, &settings.token, &settings.body);
        // Shorter than the desk waits for a part, after which the turn would have failed.
        let linger = settings.token_timeout / 2;
        Ok(Arc::new(Self { client, url, secrets, linger, max }))
    }

    /// Ask, and wait for the begin of the answer.
    pub(super) async fn post(&self, body: Vec<u8>) -> Result<Answer, Failure> {
        let request = self.client.post(self.url.clone()).body(body);
        let response = request.send().await.map_err(|err| self.lost(err))?;
        let status = response.status();
        if !status.is_success() {
            let message = self.begin_of(response).await;
            return Err(self.failure(&Trouble::new(code(status), format!("{status}: {message}"))));
        }
        let media = response.headers().get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
        let media = media.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let media = media.to_ascii_lowercase();
        self.look(response, &media).await
    }

    /// Recognizes an answer by its begin, since types are missing or wrong; no client of these
    /// dialects looks at them. The declared type decides only if the begin looks like nothing.
    async fn look(&self, mut response: Response, media: &str) -> Result<Answer, Failure> {
        let mut begin = Vec::new();
        let mut is_over = false;
        loop {
            let look = match (Look::at(&begin), media) {
                (Look::Unknown, _) if !is_over => Look::Unknown,
                (Look::Unknown | Look::AsDeclared, "text/event-stream") => Look::Events,
                (Look::Unknown | Look::AsDeclared, "application/json") => Look::Json,
                (look, _) if is_over && look == Look::Unknown => Look::AsDeclared,
                (look, _) => look,
            };
            match look {
                Look::Events => return Ok(Answer::Events(begin, response)),
                Look::Json => return Ok(Answer::Json(begin, response)),
                Look::Unknown => {}
                Look::AsDeclared => {
                    let message = format!("{} with content-type {media:?}", response.status());
                    return Err(self.failure(&Trouble::new(Code::BadAnswer, message)));
                }
            }
            match response.chunk().await.map_err(|err| self.lost(err))? {
                Some(chunk) => begin.extend_from_slice(&chunk),
                None => is_over = true,
            }
            // Empty lines before the first event have no meaning.
            let blank = begin.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            begin.drain(..blank);
        }
    }

    /// Reads the rest of an answer that begins with `whole`.
    pub(super) async fn whole(
        &self,
        mut whole: Vec<u8>,
        mut answer: Response,
    ) -> Result<String, Failure> {
        while let Some(chunk) = answer.chunk().await.map_err(|err| self.lost(err))? {
            whole.extend_from_slice(&chunk);
            if whole.len() > self.max {
                return Err(Code::TooLong.into());
            }
        }
        Ok(String::from_utf8_lossy(&whole).into_owned())
    }

    /// A failure whose cause repeats the upstream's words, masked for the log.
    pub(super) fn failure(&self, trouble: &Trouble) -> Failure {
        Failure::new(trouble.code, self.secrets.note(&trouble.message))
    }

    /// The failure of a connection.
    pub(super) fn lost(&self, err: reqwest::Error) -> Failure {
        let code = match (err.is_connect(), err.is_timeout()) {
            (true, true) => Code::ConnectTimeout,
            (true, false) => Code::Unreachable,
            (false, _) if is_not_http(&err) => Code::BadAnswer,
            (false, _) => Code::BrokenOff,
        };
        // The address may hold a key in its query.
        let err = err.without_url();
        let mut message = err.to_string();
        let mut cause = err.source();
        while let Some(err) = cause {
            message = format!("{message}: {err}");
            cause = err.source();
        }
        self.failure(&Trouble::new(code, message))
    }

    /// Reads as much of the body of an error as a note can hold.
    async fn begin_of(&self, mut response: Response) -> String {
        let enough = self.secrets.enough();
        let mut begin = Vec::new();
        let read = async {
            while let Ok(Some(chunk)) = response.chunk().await
                && begin.len() < enough
            {
                begin.extend_from_slice(&chunk);
            }
        };
        // A part of the body is enough.
        tokio::time::timeout(ERROR_BODY_TIMEOUT, read).await.ok();
        String::from_utf8_lossy(&begin).into_owned()
    }
}

/// The code for a status. A redirect is a refusal: following it would let the upstream choose who
/// is asked.
fn code(status: StatusCode) -> Code {
    match status.as_u16() {
        300..=399 | 401 | 403 | 404 | 405 | 407 | 410 => Code::Refused,
        _ => Code::Upstream,
    }
}

/// Whether the peer speaks another protocol.
fn is_not_http(err: &reqwest::Error) -> bool {
    let mut cause = err.source();
    while let Some(err) = cause {
        if err.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return true;
        }
        cause = err.source();
    }
    false
}

// === impl Trouble ===

impl Trouble {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<NotJson> for Trouble {
    fn from(err: NotJson) -> Self {
        Self::new(Code::BadAnswer, err.to_string())
    }
}

// === impl Look ===

impl Look {
    const BOM: &[u8] = "\u{feff}".as_bytes();
    const FIELDS: [&[u8]; 4] = [b"data", b"event", b"id", b"retry"];

    /// Looks at the begin of an answer, without white space before it.
    fn at(begin: &[u8]) -> Self {
        let begin = begin.strip_prefix(Self::BOM).unwrap_or(begin).trim_ascii_start();
        match begin {
            [] => Self::Unknown,
            [b'{' | b'[' | b'"', ..] => Self::Json,
            [b':', ..] => Self::Events,
            // The begin of a byte order mark.
            _ if Self::BOM.starts_with(begin) => Self::Unknown,
            _ => {
                let field = |name: &[u8]| match begin.strip_prefix(name) {
                    Some([] | [b':' | b'\r' | b'\n', ..]) => Some(Self::Events),
                    None if name.starts_with(begin) => Some(Self::Unknown),
                    _ => None,
                };
                Self::FIELDS.into_iter().find_map(field).unwrap_or(Self::AsDeclared)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_by_its_begin() {
        let looks = [
            (
                &[
                    "data:",
                    ":",
                    ": ping",
                    "event: x",
                    "id",
                    "retry:1",
                    "\u{feff}data: {}",
                    "data\n",
                ][..],
                Look::Events,
            ),
            (&["{", "[", "\"", "\u{feff} {"], Look::Json),
            (&["", " ", "d", "dat", "even", "\u{feff}", "\u{feff}\n"], Look::Unknown),
            (&["<html>", "meow", "datum:", "null", "ok"], Look::AsDeclared),
        ];
        for (begins, look) in looks {
            for begin in begins {
                assert_eq!(Look::at(begin.as_bytes()), look, "{begin:?}");
            }
        }
        assert_eq!(Look::at(b"\xEF\xBB"), Look::Unknown);
    }
}
