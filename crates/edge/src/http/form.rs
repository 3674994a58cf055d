//! A form of parts (RFC 7578), read as it comes and within bounds: of parts, of bytes, of time.
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod names;

use std::{
    mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum_core::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{
    HeaderMap,
    header::{CONTENT_DISPOSITION, CONTENT_TYPE},
};
use multer::{Field, Multipart};
use tokio::time::{Instant, Sleep, sleep, timeout};

use self::names::PartNames;

/// Upper bound on all texts of a form, in bytes.
pub const MAX_TEXT: usize = 1_000_000;

/// Upper bound on the parts of a form.
pub const MAX_PARTS: usize = 64;

/// Idle timeout between two chunks.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(30);

/// Upper bound on the time of a whole body.
const BODY_TIMEOUT: Duration = Duration::from_mins(15);

/// Time for the rest of a refused body.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Upper bound on a boundary, in bytes (RFC 2046, 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// Upper bound on the head of a part, in bytes: the parser keeps all of it.
const MAX_HEAD: usize = 64 << 10;

/// Why a form cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    #[error("Send multipart/form-data with a boundary of 1 to 70 bytes")]
    Boundary,
    #[error("The form cannot be read: {0}")]
    Malformed(String),
    #[error("The body ended early; send all of it")]
    BrokenOff,
    #[error("The body took too long; send some of it every 30 s, and all of it within 15 min")]
    TooSlow,
    #[error("A form has at most {MAX_PARTS} parts")]
    Parts,
    #[error(
        "The name of a part or of its file is not UTF-8; send it as UTF-8, or as filename*=UTF-8''…"
    )]
    Name,
    #[error("The head of a part has at most {MAX_HEAD} bytes")]
    Head,
    #[error("The texts of a form have at most {0} bytes together")]
    TooLong(usize),
    #[error("The unused parts of a form have at most {0} bytes together")]
    TooMuch(u64),
}

/// The body of a form.
#[derive(Debug)]
pub struct FormBody {
    body: BodyDataStream,
    /// Bytes that came since the parser last gave something.
    unparsed: Arc<AtomicUsize>,
    /// Whether the parser has bytes that it did not look at yet.
    yielded: bool,
    /// Runs while nothing comes.
    timeout_at: Pin<Box<Sleep>>,
    idle: bool,
    deadline: Instant,
    started: bool,
}

/// The parts of a form, in their order.
#[derive(Debug)]
pub struct Form<'a> {
    parts: Multipart<'a>,
    unparsed: Arc<AtomicUsize>,
    count: usize,
    /// Bytes that texts may still have.
    text: usize,
    /// Bytes that skipped parts may still have, and may have in all.
    ignored: (u64, u64),
}

/// A part. Its bytes are a stream.
#[derive(Debug)]
pub struct FormPart<'a> {
    field: Field<'a>,
    names: PartNames,
    unparsed: Arc<AtomicUsize>,
}

/// Reads the boundary of a form; `None` if the body is something else.
pub fn boundary(headers: &HeaderMap) -> Result<Option<String>, FormError> {
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = media.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("multipart/form-data") {
        return Ok(None);
    }
    let boundary = multer::parse_boundary(media).ok();
    let good = boundary.filter(|boundary| (1..=MAX_BOUNDARY).contains(&boundary.len()));
    good.map(Some).ok_or(FormError::Boundary)
}

// === impl FormBody ===

impl FormBody {
    pub fn new(body: Body) -> Self {
        Self {
            body: body.into_data_stream(),
            unparsed: Arc::default(),
            yielded: false,
            timeout_at: Box::pin(sleep(CHUNK_TIMEOUT)),
            idle: false,
            deadline: Instant::now() + BODY_TIMEOUT,
            started: false,
        }
    }

    /// Notes that the parser gave something.
    pub fn used(&self) {
        self.unparsed.store(0, Relaxed);
    }

    /// Reads and drops the rest of the body, at most `limit` bytes: many clients do not look at the
    /// answer before they have sent everything.
    pub async fn drain(mut self, limit: u64) {
        if !self.started {
            return;
        }
        let rest = async {
            let mut left = limit;
            while let Some(Ok(bytes)) = self.body.next().await {
                match left.checked_sub(bytes.len() as u64) {
                    Some(less) => left = less,
                    None => break,
                }
            }
        };
        // Whether it came to its end does not matter.
        timeout(DRAIN_TIMEOUT, rest).await.ok();
    }
}

impl Stream for FormBody {
    type Item = Result<Bytes, FormError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        this.started = true;
        // The parser takes all bytes that are ready before it looks at any. So it gets one piece at a time.
        if mem::take(&mut this.yielded) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if this.unparsed.load(Relaxed) > MAX_HEAD {
            return Poll::Ready(Some(Err(FormError::Head)));
        }
        match Pin::new(&mut this.body).poll_next(cx) {
            Poll::Ready(Some(Ok(bytes))) => {
                (this.yielded, this.idle) = (true, false);
                this.unparsed.fetch_add(bytes.len(), Relaxed);
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(FormError::BrokenOff))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                if !mem::replace(&mut this.idle, true) {
                    let timeout_at = Instant::now() + CHUNK_TIMEOUT;
                    this.timeout_at.as_mut().reset(timeout_at.min(this.deadline));
                }
                ready!(this.timeout_at.as_mut().poll(cx));
                Poll::Ready(Some(Err(FormError::TooSlow)))
            }
        }
    }
}

// === impl Form ===

impl<'a> Form<'a> {
    /// Reads the parts of `source`. Those that are [skipped](Self::skip) have at most `ignored` bytes
    /// together.
    pub fn new(source: &'a mut FormBody, boundary: String, ignored: u64) -> Self {
        let unparsed = Arc::clone(&source.unparsed);
        let parts = Multipart::new(source, boundary);
        Self { parts, unparsed, count: 0, text: MAX_TEXT, ignored: (ignored, ignored) }
    }

    /// The next part. The one before has to be dropped.
    pub async fn next(&mut self) -> Result<Option<FormPart<'a>>, FormError> {
        let Some(field) = self.parts.next_field().await? else { return Ok(None) };
        self.unparsed.store(0, Relaxed);
        self.count += 1;
        if self.count > MAX_PARTS {
            return Err(FormError::Parts);
        }
        let head = field.headers().get(CONTENT_DISPOSITION);
        let names = head.map(|head| PartNames::of(head.as_bytes())).transpose();
        let names = names.map_err(|names::NotText| FormError::Name)?.unwrap_or_default();
        Ok(Some(FormPart { field, names, unparsed: Arc::clone(&self.unparsed) }))
    }

    /// Reads a part as text. Bytes that are not UTF-8 are replaced.
    pub async fn text(&mut self, mut part: FormPart<'a>) -> Result<String, FormError> {
        let mut text = Vec::new();
        while let Some(bytes) = part.next().await {
            let bytes = bytes?;
            let left = self.text.checked_sub(bytes.len());
            self.text = left.ok_or(FormError::TooLong(MAX_TEXT))?;
            text.extend_from_slice(&bytes);
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Reads and drops a part.
    pub async fn skip(&mut self, mut part: FormPart<'a>) -> Result<(), FormError> {
        while let Some(bytes) = part.next().await {
            let (left, all) = self.ignored;
            let left = left.checked_sub(bytes?.len() as u64).ok_or(FormError::TooMuch(all))?;
            self.ignored = (left, all);
        }
        Ok(())
    }
}

// === impl FormPart ===

impl FormPart<'_> {
    pub fn name(&self) -> Option<&str> {
        self.names.field.as_deref()
    }

    pub fn file_name(&self) -> Option<&str> {
        self.names.file.as_deref()
    }

    /// Media type that the client names, without parameters.
    pub fn media_type(&self) -> Option<&str> {
        let media = self.field.content_type()?;
        Some(media.essence_str())
    }
}

impl Stream for FormPart<'_> {
    type Item = Result<Bytes, FormError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let bytes = ready!(Pin::new(&mut this.field).poll_next(cx));
        this.unparsed.store(0, Relaxed);
        Poll::Ready(bytes.map(|bytes| bytes.map_err(FormError::from)))
    }
}

impl From<multer::Error> for FormError {
    fn from(err: multer::Error) -> Self {
        match err {
            multer::Error::StreamReadFailed(err) => match err.downcast::<Self>() {
                Ok(err) => *err,
                Err(err) => Self::Malformed(err.to_string()),
            },
            err => Self::Malformed(err.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
