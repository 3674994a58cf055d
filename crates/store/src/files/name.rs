//! Makes names of uploaded files safe.
use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Most bytes of a name.
const MAX_NAME_LEN: usize = 100;

/// Most bytes of an extension that is kept when a name is cut.
const MAX_EXTENSION_LEN: usize = 16;

/// Implements [`Files::sanitise`](super::Files::sanitise).
pub(super) fn sanitise(name: &str) -> String {
    // Browsers may send a folder, with the separator of any system.
    let last = name.rsplit(['/', '\\']).find(|part| !part.trim().is_empty()).unwrap_or_default();
    let harmless = |c: &char| !c.is_control() && !is_invisible(*c);
    let kept: String =
        last.chars().filter(harmless).map(|c| if c == ':' { '_' } else { c }).collect();
    let kept = composed(kept.trim_matches(is_edge));
    if kept.is_empty() { "file".to_owned() } else { cut(&kept) }
}

/// Implements [`Files::composed`](super::Files::composed).
pub(super) fn composed(name: &str) -> Cow<'_, str> {
    match is_nfc_quick(name.chars()) {
        IsNormalized::Yes => name.into(),
        IsNormalized::No | IsNormalized::Maybe => name.nfc().collect(),
    }
}

/// Makes a safe name of ASCII letters, digits, `.`, `-` and `_` alone.
pub(super) fn plain(name: &str) -> String {
    sanitise(name).chars().map(|c| if is_plain_char(c) { c } else { '_' }).collect()
}

/// Returns whether [`plain`] may have made the name.
pub(super) fn is_plain(name: &str) -> bool {
    (1..=MAX_NAME_LEN).contains(&name.len()) && name.chars().all(is_plain_char)
}

fn is_plain_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

/// Returns whether `c` is trimmed from both ends: such a file would be hidden, or hard to name.
fn is_edge(c: char) -> bool {
    c == '.' || c.is_whitespace()
}

/// Returns whether `c` changes how the characters around it are shown.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Shortens a name to [`MAX_NAME_LEN`] bytes, before its extension.
fn cut(name: &str) -> String {
    if name.len() <= MAX_NAME_LEN {
        return name.to_owned();
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.len() < MAX_EXTENSION_LEN => {
            (stem, format!(".{extension}"))
        }
        _ => (name, String::new()),
    };
    let end = stem.floor_char_boundary(MAX_NAME_LEN - extension.len());
    let (stem, _) = stem.split_at(end);
    format!("{}{extension}", stem.trim_end_matches(is_edge))
}
