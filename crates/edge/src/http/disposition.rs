//! `Content-Disposition` (RFC 6266): shown in place or saved, and under which name.
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Characters to escape: all but letters, digits and `attr-char` of RFC 8187.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The value of `Content-Disposition`: visible ASCII and spaces, whatever the name is.
pub(super) fn of(media_type: &str, name: &str) -> String {
    let place = if is_harmless(media_type) { "inline" } else { "attachment" };
    let plain = |c: char| {
        let good = c == ' ' || (c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%'));
        if good { c } else { '_' }
    };
    let ascii: String = name.chars().map(plain).collect();
    let full = utf8_percent_encode(name, ESCAPED);
    format!("{place}; filename=\"{ascii}\"; filename*=UTF-8''{full}")
}

/// Whether a browser shows such a file without running anything in it.
fn is_harmless(media_type: &str) -> bool {
    const SHOWN: [&str; 6] =
        ["image/png", "image/jpeg", "image/gif", "image/webp", "text/plain", "application/pdf"];
    let media_type = media_type.to_ascii_lowercase();
    let plays = ["audio/", "video/"].iter().any(|kind| media_type.starts_with(kind));
    plays || SHOWN.contains(&media_type.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_would_run_is_only_saved() {
        let shown = ["image/png", "IMAGE/JPEG", "text/plain", "application/pdf", "video/mp4"];
        for media_type in shown {
            assert!(of(media_type, "a").starts_with("inline; "), "{media_type}");
        }
        let saved = [
            "text/html",
            "image/svg+xml",
            "application/xhtml+xml",
            "text/xml",
            "application/javascript",
            "text/plain2",
            "application/octet-stream",
            "",
        ];
        for media_type in saved {
            assert!(of(media_type, "a").starts_with("attachment; "), "{media_type}");
        }
    }

    #[test]
    fn a_name_cannot_end_its_quotes_or_its_line() {
        let plain = of("image/png", "a b.png");
        assert_eq!(plain, "inline; filename=\"a b.png\"; filename*=UTF-8''a%20b.png");
        let odd = of("text/html", "ä\"; x=\\\r\n%.html");
        let expected = "attachment; filename=\"__; x=____.html\"; \
                        filename*=UTF-8''%C3%A4%22%3B%20x%3D%5C%0D%0A%25.html";
        assert_eq!(odd, expected);
    }
}
