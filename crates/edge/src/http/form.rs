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

use self::names::Names;

/// Bytes of all texts in a form.
pub const TEXTS: usize = 1_000_000;

/// Parts of a form.
pub const PARTS: usize = 64;

/// How long nothing may come.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a whole body may take.
const WHOLE: Duration = Duration::from_mins(15);

/// How long the rest of a body is waited for that was refused.
const LINGER: Duration = Duration::from_secs(5);

/// Bytes of a boundary (RFC 2046, 5.1.1).
const BOUNDARY: usize = 70;

/// Bytes that may come without anything being complete: the parser keeps them all.
const SCRAPS: usize = 64 << 10;

/// Why a form cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    #[error("Send multipart/form-data with a boundary of 1 to 70 bytes")]
    Boundary,
    #[error("The form cannot be read: {0}")]
    Malformed(String),
    #[error("The body broke off; send all of it")]
    BrokenOff,
    #[error("The body took too long; send some of it every 30 s, and all of it within 15 min")]
    TooSlow,
    #[error("A form has at most {PARTS} parts")]
    Parts,
    #[error(
        "The name of a part or of its file is not UTF-8; send it as UTF-8, or as filename*=UTF-8''…"
    )]
    Name,
    #[error("The head of a part has at most {SCRAPS} bytes")]
    Head,
    #[error("The texts of a form have at most {0} bytes together")]
    TooLong(usize),
    #[error("What is not used of a form has at most {0} bytes")]
    TooMuch(u64),
}

/// The bytes of a body.
#[derive(Debug)]
pub struct Source {
    body: BodyDataStream,
    /// Bytes that came since the last time that some were of use.
    scraps: Arc<AtomicUsize>,
    /// Whether some came since who reads them last had a look.
    gave: bool,
    /// When nothing has come for too long; set while nothing comes.
    late: Pin<Box<Sleep>>,
    waits: bool,
    until: Instant,
    begun: bool,
}

/// The parts of a form, in their order.
#[derive(Debug)]
pub struct Form<'a> {
    parts: Multipart<'a>,
    scraps: Arc<AtomicUsize>,
    count: usize,
    /// Bytes that texts, and parts without use, may still have.
    text: usize,
    ignored: (u64, u64),
}

/// One part. Its bytes are a stream.
#[derive(Debug)]
pub struct Part<'a> {
    field: Field<'a>,
    names: Names,
    scraps: Arc<AtomicUsize>,
}

/// The boundary of a form of parts; `None` if the body says that it is something else.
pub fn boundary(headers: &HeaderMap) -> Result<Option<String>, FormError> {
    let media = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let kind = media.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("multipart/form-data") {
        return Ok(None);
    }
    let boundary = multer::parse_boundary(media).ok();
    let good = boundary.filter(|it| (1..=BOUNDARY).contains(&it.len()));
    good.map(Some).ok_or(FormError::Boundary)
}

// === impl Source ===

impl Source {
    pub fn new(body: Body) -> Self {
        Self {
            body: body.into_data_stream(),
            scraps: Arc::default(),
            gave: false,
            late: Box::pin(sleep(PATIENCE)),
            waits: false,
            until: Instant::now() + WHOLE,
            begun: false,
        }
    }

    /// What came was of use.
    pub fn used(&self) {
        self.scraps.store(0, Relaxed);
    }

    /// Read on for a while, at most `limit` bytes, and forget it: many clients do not look at the
    /// answer before they have sent everything.
    pub async fn drain(mut self, limit: u64) {
        if !self.begun {
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
        timeout(LINGER, rest).await.ok();
    }
}

impl Stream for Source {
    type Item = Result<Bytes, FormError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let it = self.get_mut();
        it.begun = true;
        // The parser takes all that there is before it looks at it. So it gets one piece at a time.
        if mem::take(&mut it.gave) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if it.scraps.load(Relaxed) > SCRAPS {
            return Poll::Ready(Some(Err(FormError::Head)));
        }
        match Pin::new(&mut it.body).poll_next(cx) {
            Poll::Ready(Some(Ok(bytes))) => {
                (it.gave, it.waits) = (true, false);
                it.scraps.fetch_add(bytes.len(), Relaxed);
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(FormError::BrokenOff))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                if !mem::replace(&mut it.waits, true) {
                    let late = Instant::now() + PATIENCE;
                    it.late.as_mut().reset(late.min(it.until));
                }
                ready!(it.late.as_mut().poll(cx));
                Poll::Ready(Some(Err(FormError::TooSlow)))
            }
        }
    }
}

// === impl Form ===

impl<'a> Form<'a> {
    /// What is [skipped](Self::skip) has at most `ignored` bytes.
    pub fn new(source: &'a mut Source, boundary: String, ignored: u64) -> Self {
        let scraps = Arc::clone(&source.scraps);
        let parts = Multipart::new(source, boundary);
        Self { parts, scraps, count: 0, text: TEXTS, ignored: (ignored, ignored) }
    }

    /// The part before has to be gone.
    pub async fn next(&mut self) -> Result<Option<Part<'a>>, FormError> {
        let Some(field) = self.parts.next_field().await? else { return Ok(None) };
        self.scraps.store(0, Relaxed);
        self.count += 1;
        if self.count > PARTS {
            return Err(FormError::Parts);
        }
        let head = field.headers().get(CONTENT_DISPOSITION);
        let names = head.map(|it| Names::of(it.as_bytes())).transpose();
        let names = names.map_err(|names::NotText| FormError::Name)?.unwrap_or_default();
        Ok(Some(Part { field, names, scraps: Arc::clone(&self.scraps) }))
    }

    /// What is no UTF-8 of it is replaced.
    pub async fn text(&mut self, mut part: Part<'a>) -> Result<String, FormError> {
        let mut text = Vec::new();
        while let Some(bytes) = part.next().await {
            let bytes = bytes?;
            let left = self.text.checked_sub(bytes.len());
            self.text = left.ok_or(FormError::TooLong(TEXTS))?;
            text.extend_from_slice(&bytes);
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    pub async fn skip(&mut self, mut part: Part<'a>) -> Result<(), FormError> {
        while let Some(bytes) = part.next().await {
            let (left, all) = self.ignored;
            let left = left.checked_sub(bytes?.len() as u64).ok_or(FormError::TooMuch(all))?;
            self.ignored = (left, all);
        }
        Ok(())
    }
}

// === impl Part ===

impl Part<'_> {
    pub fn name(&self) -> Option<&str> {
        self.names.field.as_deref()
    }

    pub fn file_name(&self) -> Option<&str> {
        self.names.file.as_deref()
    }

    /// What the client says that it is, without parameters.
    pub fn media_type(&self) -> Option<&str> {
        let media = self.field.content_type()?;
        Some(media.essence_str())
    }
}

impl Stream for Part<'_> {
    type Item = Result<Bytes, FormError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let it = self.get_mut();
        let bytes = ready!(Pin::new(&mut it.field).poll_next(cx));
        it.scraps.store(0, Relaxed);
        Poll::Ready(bytes.map(|bytes| bytes.map_err(FormError::from)))
    }
}

impl From<multer::Error> for FormError {
    fn from(why: multer::Error) -> Self {
        match why {
            multer::Error::StreamReadFailed(why) => match why.downcast::<Self>() {
                Ok(why) => *why,
                Err(why) => Self::Malformed(why.to_string()),
            },
            why => Self::Malformed(why.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
