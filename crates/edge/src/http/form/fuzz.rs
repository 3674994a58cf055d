//! Fuzz target of `cargo xtask fuzz` for forms. The test replays its seeds.
use std::sync::LazyLock;

use axum_core::body::Body;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use tokio::runtime::{Builder, Runtime};

use super::{Form, FormBody, FormError, boundary};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

/// Upper bound on skipped parts, in bytes.
const IGNORED: u64 = 100;

/// The fields of a part that are compared.
#[derive(Debug, PartialEq)]
struct Seen {
    name: Option<String>,
    file_name: Option<String>,
    media_type: Option<String>,
    content: Vec<u8>,
}

/// Checks that a body gives the same parts, or the same error, however it is cut on its way. The first four bytes say where to cut; after them, the first line is the boundary.
pub fn form(data: &[u8]) {
    let Some((dice, rest)) = data.split_first_chunk::<4>() else { return };
    let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { return };
    let (line, body) = rest.split_at(end);
    let Some(boundary) = given(line) else { return };
    let body = body.strip_prefix(b"\n").unwrap_or(body);
    RUNTIME.block_on(async {
        let whole = read(vec![body.to_vec()], &boundary).await;
        let cut = read(pieces(body, u32::from_le_bytes(*dice)), &boundary).await;
        assert_eq!(cut, whole, "the cuts of the body matter");
    });
}

/// The boundary, as the head of a request has it.
fn given(line: &[u8]) -> Option<String> {
    let media = [b"multipart/form-data; boundary=".as_slice(), line].concat();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_bytes(&media).ok()?);
    boundary(&headers).ok().flatten()
}

fn pieces(mut body: &[u8], mut dice: u32) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    while !body.is_empty() {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let size = 1 + (dice >> 24) as usize % 16;
        let (piece, rest) = body.split_at(size.min(body.len()));
        pieces.push(piece.to_vec());
        body = rest;
    }
    pieces
}

/// Reads all parts, and the error if there is one.
async fn read(pieces: Vec<Vec<u8>>, boundary: &str) -> (Vec<Seen>, Option<String>) {
    let pieces = stream::iter(pieces).map(Ok::<_, axum_core::Error>);
    let mut source = FormBody::new(Body::from_stream(pieces));
    let mut form = Form::new(&mut source, boundary.to_owned(), IGNORED);
    let mut seen = Vec::new();
    let why = loop {
        match next(&mut form).await {
            Ok(Some(part)) => seen.push(part),
            Ok(None) => break None,
            Err(why) => break Some(why.to_string()),
        }
    };
    (seen, why)
}

async fn next(form: &mut Form<'_>) -> Result<Option<Seen>, FormError> {
    let Some(mut part) = form.next().await? else { return Ok(None) };
    let mut seen = Seen {
        name: part.name().map(str::to_owned),
        file_name: part.file_name().map(str::to_owned),
        media_type: part.media_type().map(str::to_owned),
        content: Vec::new(),
    };
    match seen.name.as_deref() {
        Some("skip") => form.skip(part).await?,
        Some("text") => seen.content = form.text(part).await?.into_bytes(),
        _ => {
            while let Some(bytes) = part.next().await {
                seen.content.extend_from_slice(&bytes?);
            }
        }
    }
    Ok(Some(seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_depends_on_how_it_is_cut() {
        crate::fuzz::replay::replay("form", form);
    }
}
