//! A POST to the one address of an agent, and what becomes of everything that can go wrong with it.
//!
//! Only the configuration says where requests go: redirects are not followed, and proxies of the
//! environment are not used.
use std::{error::Error, sync::Arc, time::Duration};

use quadrille_core::auth::Secret;
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
    redirect,
};

use crate::{BadConfig, Code, Failure, Settings};

/// How long an idle connection is kept. Shorter than the 5 seconds of uvicorn and Node, so that a
/// question is not sent into a connection that the upstream is closing.
const IDLE: Duration = Duration::from_secs(4);

/// Idle connections that are kept at most.
const MAX_IDLE: usize = 32;

/// How often an HTTP/2 connection in use is pinged, and how long an answer may take. A dead one
/// would otherwise get the next questions, too.
const PING: Duration = Duration::from_secs(10);

/// Characters of what an upstream says that go into the log.
const NOTE: usize = 200;

/// Bytes of the shortest value in the query of an address that may be a key.
const KEY: usize = 8;

/// How long the body of an error may take.
const ERROR_BODY: Duration = Duration::from_secs(1);

/// What a reply may take beyond its text: the names and braces around it.
const AROUND: usize = 1 << 16;

/// The address of an agent, and the way there.
#[derive(Debug)]
pub(super) struct Web {
    client: Client,
    url: Url,
    /// What is never told: the token, and what may be a key in the address. Longest first.
    secrets: Vec<Secret>,
    /// Bytes of an answer in one piece, or of one event.
    pub(super) max: usize,
}

/// How an answer comes.
#[derive(Debug)]
pub(super) enum Answer {
    Events(Response),
    Json(Response),
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
        let secrets = secrets(&url, &settings.token);
        Ok(Arc::new(Self { client, url, secrets, max }))
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
        match &*media.to_ascii_lowercase() {
            "text/event-stream" => Ok(Answer::Events(response)),
            "application/json" => Ok(Answer::Json(response)),
            other => {
                let said = format!("{status} with content-type {other:?}");
                Err(self.failure(&Trouble::new(Code::BadAnswer, said)))
            }
        }
    }

    /// The whole of an answer.
    pub(super) async fn whole(&self, mut answer: Response) -> Result<Vec<u8>, Failure> {
        let mut whole = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|why| self.lost(why))? {
            if whole.len() + chunk.len() > self.max {
                return Err(Code::TooLong.into());
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    }

    /// A failure whose cause says what the upstream said, as far as it can be logged.
    pub(super) fn failure(&self, trouble: &Trouble) -> Failure {
        Failure::new(trouble.code, self.note(&trouble.said))
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
        // Enough for a secret that begins within the note to be found as a whole.
        let enough = NOTE * 4 + self.secrets.first().map_or(0, Secret::len);
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

    /// At most [`NOTE`] characters in one line, without the secrets.
    fn note(&self, said: &str) -> String {
        let mask = |said: String, it: &Secret| said.replace(it.expose(), Secret::SHOWN);
        let masked = self.secrets.iter().fold(said.to_owned(), mask);
        let one_line = masked.chars().map(|it| if it.is_control() { ' ' } else { it });
        one_line.take(NOTE).collect()
    }
}

/// What must not be in the log: the token, the query of the address, and each of its values that is
/// long enough to be a key, as it is written there and as it is meant.
fn secrets(url: &Url, token: &Secret) -> Vec<Secret> {
    let query = url.query().unwrap_or_default();
    let written = query.split('&').filter_map(|it| it.split_once('=')).map(|it| it.1.to_owned());
    let meant = url.query_pairs().map(|(_, value)| value.into_owned());
    let values = written.chain(meant).filter(|it| it.len() >= KEY);
    let all = values.chain([query.to_owned()]).map(Secret::from).chain([token.clone()]);
    let mut all: Vec<_> = all.filter(|it| !it.is_empty()).collect();
    all.sort_by_key(|it| std::cmp::Reverse(it.len()));
    all
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

impl From<serde_json::Error> for Trouble {
    fn from(why: serde_json::Error) -> Self {
        Self::new(Code::BadAnswer, why.to_string())
    }
}
