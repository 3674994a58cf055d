//! A POST to the one address of an agent, and what becomes of everything that can go wrong with it.
//!
//! Only the configuration says where requests go: redirects are not followed, and proxies of the
//! environment are not used.
use std::{error::Error, sync::Arc, time::Duration};

use reqwest::{
    Client, Response, StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
    redirect,
};

use super::secrets::Secrets;
use crate::{BadConfig, Code, Failure, Settings, lenient::NotJson};

/// How long an idle connection is kept. Shorter than the 5 seconds of uvicorn and Node, so that a
/// question is not sent into a connection that the upstream is closing.
const IDLE: Duration = Duration::from_secs(4);

/// Idle connections that are kept at most.
const MAX_IDLE: usize = 32;

/// How often an HTTP/2 connection in use is pinged, and how long an answer may take. A dead one
/// would otherwise get the next questions, too.
const PING: Duration = Duration::from_secs(10);

/// How long the body of an error may take.
const ERROR_BODY: Duration = Duration::from_secs(1);

/// What a reply may take beyond its text: the names and braces around it.
const AROUND: usize = 1 << 16;

/// The address of an agent, and the way there.
#[derive(Debug)]
pub(super) struct Web {
    client: Client,
    url: Url,
    secrets: Secrets,
    /// How long an upstream may take at most to end an answer after it has said that the reply is
    /// complete.
    pub(super) linger: Duration,
    /// Bytes of an answer in one piece, or of one event.
    pub(super) max: usize,
}

/// How an answer comes, and the bytes of it that showed this.
#[derive(Debug)]
pub(super) enum Answer {
    Events(Vec<u8>, Response),
    Json(Vec<u8>, Response),
}

/// What the begin of an answer looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Events,
    Json,
    /// What its type says.
    AsTold,
    /// More is needed.
    Unknown,
}

/// What an upstream said or did wrong. The text is not fit for the log before it is a [`Failure`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) code: Code,
    pub(super) said: String,
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
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .http2_keep_alive_interval(PING)
            .http2_keep_alive_timeout(PING)
            .build()
            .map_err(|_| wrong("url", "an HTTP client; install the system's ca-certificates"))?;
        // JSON writes a byte of a text in six at most, as in \u0007.
        let max = settings.max_reply.saturating_mul(6).saturating_add(AROUND);
        let secrets = Secrets::new(&url, &settings.token, &settings.body);
        // Shorter than the desk waits for a part, after which the turn would have failed.
        let linger = settings.token_timeout / 2;
        Ok(Arc::new(Self { client, url, secrets, linger, max }))
    }

    /// Ask, and wait for the begin of the answer.
    pub(super) async fn post(&self, body: Vec<u8>) -> Result<Answer, Failure> {
        let request = self.client.post(self.url.clone()).body(body);
        let response = request.send().await.map_err(|why| self.lost(why))?;
        let status = response.status();
        if !status.is_success() {
            let said = self.begin_of(response).await;
            return Err(self.failure(&Trouble::new(code(status), format!("{status}: {said}"))));
        }
        let media = response.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
        let media = media.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let media = media.to_ascii_lowercase();
        self.look(response, &media).await
    }

    /// Tell an answer by how it begins, since types are missing or wrong; no client of these dialects
    /// looks at them. Only what looks like nothing is what its type says.
    async fn look(&self, mut response: Response, media: &str) -> Result<Answer, Failure> {
        let mut begin = Vec::new();
        let mut is_over = false;
        loop {
            let look = match (Look::at(&begin), media) {
                (Look::Unknown, _) if !is_over => Look::Unknown,
                (Look::Unknown | Look::AsTold, "text/event-stream") => Look::Events,
                (Look::Unknown | Look::AsTold, "application/json") => Look::Json,
                (look, _) if is_over && look == Look::Unknown => Look::AsTold,
                (look, _) => look,
            };
            match look {
                Look::Events => return Ok(Answer::Events(begin, response)),
                Look::Json => return Ok(Answer::Json(begin, response)),
                Look::Unknown => {}
                Look::AsTold => {
                    let said = format!("{} with content-type {media:?}", response.status());
                    return Err(self.failure(&Trouble::new(Code::BadAnswer, said)));
                }
            }
            match response.chunk().await.map_err(|why| self.lost(why))? {
                Some(chunk) => begin.extend_from_slice(&chunk),
                None => is_over = true,
            }
            // Empty lines before the first event say nothing.
            let blank = begin.iter().take_while(|it| it.is_ascii_whitespace()).count();
            begin.drain(..blank);
        }
    }

    /// The whole of an answer that begins with `whole`.
    pub(super) async fn whole(
        &self,
        mut whole: Vec<u8>,
        mut answer: Response,
    ) -> Result<String, Failure> {
        while let Some(chunk) = answer.chunk().await.map_err(|why| self.lost(why))? {
            whole.extend_from_slice(&chunk);
            if whole.len() > self.max {
                return Err(Code::TooLong.into());
            }
        }
        Ok(String::from_utf8_lossy(&whole).into_owned())
    }

    /// A failure whose cause says what the upstream said, as far as it can be logged.
    pub(super) fn failure(&self, trouble: &Trouble) -> Failure {
        Failure::new(trouble.code, self.secrets.note(&trouble.said))
    }

    /// The failure of a connection.
    pub(super) fn lost(&self, why: reqwest::Error) -> Failure {
        let code = match (why.is_connect(), why.is_timeout()) {
            (true, true) => Code::ConnectTimeout,
            (true, false) => Code::Unreachable,
            (false, _) if is_not_http(&why) => Code::BadAnswer,
            (false, _) => Code::BrokenOff,
        };
        // The address may hold a key in its query.
        let why = why.without_url();
        let mut said = why.to_string();
        let mut cause = why.source();
        while let Some(why) = cause {
            said = format!("{said}: {why}");
            cause = why.source();
        }
        self.failure(&Trouble::new(code, said))
    }

    /// As much of the body of an error as can be of use in a note.
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
        // What has come until then will do.
        tokio::time::timeout(ERROR_BODY, read).await.ok();
        String::from_utf8_lossy(&begin).into_owned()
    }
}

/// A redirect is a refusal: going where an upstream says would let it choose who is asked.
fn code(status: StatusCode) -> Code {
    match status.as_u16() {
        300..=399 | 401 | 403 | 404 | 405 | 407 | 410 => Code::Refused,
        _ => Code::Upstream,
    }
}

/// Whether the peer speaks something else.
fn is_not_http(why: &reqwest::Error) -> bool {
    let mut cause = why.source();
    while let Some(why) = cause {
        if why.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return true;
        }
        cause = why.source();
    }
    false
}

// === impl Trouble ===

impl Trouble {
    pub(super) fn new(code: Code, said: impl Into<String>) -> Self {
        Self { code, said: said.into() }
    }
}

impl From<NotJson> for Trouble {
    fn from(why: NotJson) -> Self {
        Self::new(Code::BadAnswer, why.to_string())
    }
}

// === impl Look ===

impl Look {
    const BOM: &[u8] = "\u{feff}".as_bytes();
    const FIELDS: [&[u8]; 4] = [b"data", b"event", b"id", b"retry"];

    /// At an answer that begins like this, without white space before it.
    fn at(begin: &[u8]) -> Self {
        let begin = begin.strip_prefix(Self::BOM).unwrap_or(begin).trim_ascii_start();
        match begin {
            [] => Self::Unknown,
            [b'{' | b'[' | b'"', ..] => Self::Json,
            [b':', ..] => Self::Events,
            // It has begun.
            _ if Self::BOM.starts_with(begin) => Self::Unknown,
            _ => {
                let field = |it: &[u8]| match begin.strip_prefix(it) {
                    Some([] | [b':' | b'\r' | b'\n', ..]) => Some(Self::Events),
                    None if it.starts_with(begin) => Some(Self::Unknown),
                    _ => None,
                };
                Self::FIELDS.into_iter().find_map(field).unwrap_or(Self::AsTold)
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
            (&["<html>", "meow", "datum:", "null", "ok"], Look::AsTold),
        ];
        for (begins, look) in looks {
            for begin in begins {
                assert_eq!(Look::at(begin.as_bytes()), look, "{begin:?}");
            }
        }
        assert_eq!(Look::at(b"\xEF\xBB"), Look::Unknown);
    }
}
