//! A file as an answer: whole, a part of it, or 304 if the client has it already.
use std::ops::Range;

use axum_core::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::{disposition, range::RequestedRange};

/// A file that a client asks for.
#[derive(Clone, Copy, Debug)]
pub struct Download<'a> {
    /// Name under which it is saved; any text.
    pub name: &'a str,
    pub media_type: &'a str,
    /// In quotes; different for other bytes.
    pub etag: &'a str,
    /// In bytes.
    pub size: u64,
}

impl Download<'_> {
    /// The part that is to be sent, `None` for all of it; the error is an answer that needs no bytes
    /// of the file.
    #[expect(clippy::result_large_err, reason = "an answer is that large, and goes straight out")]
    pub fn part(
        &self,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Option<Range<u64>>, Response> {
        if is_known(headers, self.etag) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response.headers_mut().extend(self.about());
            return Err(response);
        }
        let part = match RequestedRange::of(headers, self.size, self.etag) {
            RequestedRange::Whole => None,
            RequestedRange::Part(part) => Some(part),
            RequestedRange::Nothing => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
                let range = value(format!("bytes */{}", self.size));
                response.headers_mut().insert(header::CONTENT_RANGE, range);
                return Err(response);
            }
        };
        if method == Method::HEAD { Err(self.answer(part, Body::empty())) } else { Ok(part) }
    }

    /// The answer with `body`, which is the file or this part of it.
    pub fn answer(&self, part: Option<Range<u64>>, body: Body) -> Response {
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.extend(self.about());
        let length = part.as_ref().map_or(self.size, |part| part.end - part.start);
        headers.insert(header::CONTENT_LENGTH, length.into());
        if let Some(part) = part {
            let range = format!("bytes {}-{}/{}", part.start, part.end - 1, self.size);
            headers.insert(header::CONTENT_RANGE, value(range));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        response
    }

    /// Headers of a file, or of the answer that the client has it. Nothing in the file may run: neither
    /// by its type, nor by a browser's guess.
    fn about(&self) -> HeaderMap {
        let media_type = match self.media_type {
            "text/plain" => "text/plain; charset=utf-8",
            media_type => media_type,
        };
        let fixed = |text| HeaderValue::from_static(text);
        HeaderMap::from_iter([
            (header::CONTENT_TYPE, value(media_type.to_owned())),
            (header::CONTENT_DISPOSITION, value(disposition::of(self.media_type, self.name))),
            (header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff")),
            (header::CONTENT_SECURITY_POLICY, fixed("sandbox")),
            (header::ETAG, value(self.etag.to_owned())),
            (header::CACHE_CONTROL, fixed("private")),
            (header::ACCEPT_RANGES, fixed("bytes")),
        ])
    }
}

/// Whether the client has it already.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let sent =
        headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = sent.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// Makes a header of a text that another program may have stored.
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}
