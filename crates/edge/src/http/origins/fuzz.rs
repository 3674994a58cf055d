//! Properties of the check of origins: a target of `cargo xtask fuzz`; the test replays its seeds.
use http::{HeaderMap, HeaderValue, header};
use url::Url;

use super::Origins;

/// Checks that exactly the pages are allowed that are listed, of this machine where the request is
/// for this machine, or of the request's own host where that is allowed; as browsers parse an
/// origin. Lines: origin, host, a listed origin.
pub fn origin(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut line = || lines.next().and_then(|line| HeaderValue::from_bytes(line).ok());
    let (Some(origin), Some(host)) = (line(), line()) else { return };
    let listed =
        line().and_then(|value| value.to_str().ok().map(str::to_owned)).unwrap_or_default();
    let Some(page) = origin.to_str().ok().map(str::to_owned) else { return };
    let Ok(url) = Url::parse(&page) else { return };
    let headers =
        HeaderMap::from_iter([(header::ORIGIN, origin.clone()), (header::HOST, host.clone())]);
    let host = host.to_str().unwrap_or_default().to_ascii_lowercase();
    let parts = |url: &Url| {
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        (url.scheme().to_owned(), host, url.port_or_known_default())
    };
    let below = |listed: &str| {
        let above = Url::parse(&listed.replacen("://*.", "://", 1)).ok();
        let is_below = |above: &Url| {
            let ((scheme, host, port), (its, above, its_port)) = (parts(&url), parts(above));
            (scheme, port) == (its, its_port) && host.ends_with(&format!(".{above}"))
        };
        listed.contains("://*.") && above.as_ref().is_some_and(is_below)
    };
    let same = || Url::parse(&listed).is_ok_and(|listed| parts(&listed) == parts(&url));
    let origins = Origins::new(&[&listed]);
    let is_usable = origins.is_ok();
    let may_be_listed = is_usable && (listed == "*" || same() || below(&listed));
    let is_listed = is_usable && (listed == "*" || page.eq_ignore_ascii_case(&listed));
    let is_web = matches!(url.scheme(), "http" | "https");
    let is_local = is_web && matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let may_ask_locally = ["localhost", "127.", "["].iter().any(|local| host.contains(local));
    let asks_locally = !is_usable && matches!(&*host, "localhost" | "127.0.0.1" | "[::1]:8080");
    let asked = Url::parse(&format!("{}://{host}", url.scheme())).ok();
    // The spelling that a browser sends for this page.
    let is_plain = url.origin().ascii_serialization() == page;
    for own in [false, true] {
        let origins = Origins::new(&[&listed]).unwrap_or_default().with_own(own, None);
        let allowed = origins.check(&headers).is_ok();
        let is_own =
            own && is_web && asked.as_ref().is_some_and(|asked| asked.origin() == url.origin());
        let may = may_be_listed || is_own || is_local && may_ask_locally;
        assert!(!allowed || may, "{page:?} of {host:?}, listed {listed:?}");
        let must = is_plain && (is_listed || is_local && asks_locally);
        assert!(allowed || !must, "{page:?} {listed:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::fuzz::replay::replay;

    #[test]
    fn no_seed_lets_a_page_in_that_is_from_elsewhere() {
        replay("origin", origin);
    }
}
