//! Rules for the hosts, paths and URLs of a configuration.
use axum::http::Uri;

/// The longest path, in bytes.
const MAX_PATH: usize = 255;

/// Whether `text` is a host name, without scheme and port.
pub(crate) fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

/// Whether `text` is a base path of plain segments: nothing escaped, no dot segments, no empty ones.
pub(crate) fn is_path(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let segment =
        |text: &str| !text.is_empty() && text != "." && text != ".." && text.bytes().all(plain);
    let segments = text.strip_suffix('/').unwrap_or(text).strip_prefix('/');
    text.len() <= MAX_PATH && segments.is_some_and(|all| all.split('/').all(segment))
}

/// Whether `text` is an http(s) URL that paths can be appended to.
pub(crate) fn is_base_url(text: &str) -> bool {
    let plain = |uri: &Uri| {
        let authority = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        let path = uri.path() == "/" || is_path(uri.path());
        authority && path && uri.query().is_none() && !text.contains('#')
    };
    let web = ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
    web && text.parse().is_ok_and(|uri| plain(&uri))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_addresses_are_plain() {
        for good in ["/x", "/x/", "/a/b.c", "/~me"] {
            assert!(is_path(good) && is_base_url(&format!("https://a.example:1{good}")), "{good}");
        }
        for bad in ["", "/", "x", "//", "/a//b", "/../x", "/a b", "/%41", "/a?b", "/ä", "/a#b"] {
            assert!(!is_path(bad), "{bad}");
        }
        assert!(is_base_url("http://a.example") && is_base_url("https://[::1]/"));
        let bad = [
            "",
            "a.example",
            "/x",
            "ftp://a",
            "https://",
            "https://u@a",
            "https://a?b",
            "https://a#b",
        ];
        for bad in bad {
            assert!(!is_base_url(bad), "{bad}");
        }
    }
}
