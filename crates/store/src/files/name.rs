//! Names of files from elsewhere, made harmless.
use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Bytes of a name.
const LONGEST: usize = 100;

/// Bytes of an extension that is kept when a name is cut.
const EXTENSION: usize = 16;

/// See [`Files::sanitise`](super::Files::sanitise).
pub(super) fn sanitise(name: &str) -> String {
    // What a browser on any system may send as the folder.
    let last = name.rsplit(['/', '\\']).find(|it| !it.trim().is_empty()).unwrap_or_default();
    let harmless = |c: &char| !c.is_control() && !is_invisible(*c);
    let kept: String =
        last.chars().filter(harmless).map(|c| if c == ':' { '_' } else { c }).collect();
    let kept = composed(kept.trim_matches(is_edge));
    if kept.is_empty() { "file".to_owned() } else { cut(&kept) }
}

/// See [`Files::composed`](super::Files::composed).
pub(super) fn composed(name: &str) -> Cow<'_, str> {
    match is_nfc_quick(name.chars()) {
        IsNormalized::Yes => name.into(),
        IsNormalized::No | IsNormalized::Maybe => name.nfc().collect(),
    }
}

/// The same in ASCII letters, digits, `.`, `-` and `_` alone.
pub(super) fn plain(name: &str) -> String {
    sanitise(name).chars().map(|c| if is_plain_char(c) { c } else { '_' }).collect()
}

/// Whether [`plain`] may have made it.
pub(super) fn is_plain(name: &str) -> bool {
    (1..=LONGEST).contains(&name.len()) && name.chars().all(is_plain_char)
}

fn is_plain_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

/// What no name begins or ends with: such a file would be hidden, or hard to name.
fn is_edge(c: char) -> bool {
    c == '.' || c.is_whitespace()
}

/// Characters that change how those around them are shown.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// At most [`LONGEST`] bytes, at the cost of what is before the extension.
fn cut(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.len() < EXTENSION => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    let end = stem.floor_char_boundary(LONGEST - extension.len());
    let (stem, _) = stem.split_at(end);
    format!("{}{extension}", stem.trim_end_matches(is_edge))
}
