//! Pages that may connect, and cookies that count.
use super::*;

const LOCAL: &str = "127.0.0.1:8080";

fn page(origins: &Origins, host: &str, origin: &str) -> Option<PageOrigin> {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, host.parse().unwrap());
    headers.insert(header::ORIGIN, origin.parse().unwrap());
    origins.page(&headers)
}

#[test]
fn pages_from_elsewhere_are_refused_unless_listed() {
    let origins = Origins::new(&["https://chat.example.com"]).unwrap();
    for origin in
        ["https://chat.example.com", "https://Chat.Example.com", "https://chat.example.com:443"]
    {
        assert_eq!(page(&origins, LOCAL, origin), Some(PageOrigin::Listed), "{origin}");
    }
    let refused = [
        "null",
        "",
        "https://evil.example",
        "https://chat.example.com.evil.example",
        "https://chat.example.com:444",
        "https://chat.example.com:80",
        "http://chat.example.com",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://localhost:80@evil.example",
        "http://evil.example/http://localhost",
        "http://localhost:",
        "http://localhost:99999",
        "file://localhost",
        "http://127.0.0.2",
    ];
    for origin in refused {
        assert_eq!(page(&origins, LOCAL, origin), None, "{origin}");
    }
    let any = Origins::new(&["*", "https://chat.example.com"]).unwrap();
    assert_eq!(page(&any, LOCAL, "https://evil.example"), Some(PageOrigin::Any));
    assert_eq!(page(&any, LOCAL, "null"), Some(PageOrigin::Any));
    assert_eq!(page(&any, LOCAL, "https://chat.example.com"), Some(PageOrigin::Listed));
    assert_eq!(any.page(&HeaderMap::new()), Some(PageOrigin::None));
}

#[test]
fn pages_of_this_machine_count_where_this_machine_is_asked_and_none_of_them_is_listed() {
    let origins = Origins::new(&["https://chat.example.com"]).unwrap();
    let pages =
        ["http://localhost:3000", "https://LOCALHOST", "http://127.0.0.1:8080", "http://[::1]:1"];
    for origin in pages {
        for host in [LOCAL, "localhost", "LOCALHOST:1", "[::1]:8080", "127.9.9.9", "a.localhost"] {
            assert_eq!(
                page(&origins, host, origin),
                Some(PageOrigin::Local),
                "{origin} asks {host}"
            );
        }
        for host in ["gateway.example", "10.0.0.1:8080", "localhost.example", "[::2]", ""] {
            assert_eq!(page(&origins, host, origin), None, "{origin} asks {host}");
        }
    }
    let exact = Origins::new(&["http://localhost:3000"]).unwrap();
    for host in [LOCAL, "gateway.example"] {
        assert_eq!(page(&exact, host, "http://localhost:3000"), Some(PageOrigin::Listed), "{host}");
        assert_eq!(page(&exact, host, "http://localhost:4000"), None, "{host}");
        assert_eq!(page(&exact, host, "http://127.0.0.1:3000"), None, "{host}");
    }
}

#[test]
fn the_usual_port_is_the_same_as_none_on_both_sides() {
    let origins =
        Origins::new(&["https://a.example:443", "http://b.example:80", "http://[0:0::1]:80"]);
    let origins = origins.unwrap();
    for origin in ["https://a.example", "https://a.example:443", "http://b.example", "http://[::1]"]
    {
        assert_eq!(page(&origins, "x.example", origin), Some(PageOrigin::Listed), "{origin}");
    }
    for origin in ["https://a.example:8443", "https://a.example:80", "http://b.example:443"] {
        assert_eq!(page(&origins, "x.example", origin), None, "{origin}");
    }
}

#[test]
fn a_wildcard_stands_for_every_host_below() {
    let origins = Origins::new(&["https://*.example.com", "http://*.dev.example:3000"]).unwrap();
    let below =
        ["https://a.example.com", "https://A.b.Example.com:443", "http://x.dev.example:3000"];
    for origin in below {
        assert_eq!(page(&origins, LOCAL, origin), Some(PageOrigin::Listed), "{origin}");
    }
    let others = [
        "https://example.com",
        "https://.example.com",
        "https://evilexample.com",
        "https://a.example.com:8443",
        "http://a.example.com",
        "https://a.example.com.evil.example",
        "http://x.dev.example",
    ];
    for origin in others {
        assert_eq!(page(&origins, LOCAL, origin), None, "{origin}");
    }
}

#[test]
fn an_entry_that_could_match_nothing_is_refused_with_what_is_expected() {
    let slash = "nothing after them";
    let cases = [
        ("example.com", "scheme and host"),
        ("*.example.com", "scheme and host"),
        ("null", "scheme and host"),
        ("", "scheme and host"),
        ("https://", "scheme and host"),
        ("https://a b", "scheme and host"),
        ("https://user@a", "scheme and host"),
        ("https://a:", "scheme and host"),
        ("https://a:0", "scheme and host"),
        ("https://a:70000", "scheme and host"),
        ("https://[::g]", "scheme and host"),
        ("https://*.127.0.0.1", "scheme and host"),
        ("https://*.", "scheme and host"),
        ("file:///x", "scheme and host"),
        ("https://a/b", slash),
        ("https://a/", slash),
        ("https://a?b", slash),
        ("https://*", "`*` alone"),
        ("https://chat.*.com", "`*` alone"),
        ("https://*chat.example.com", "`*` alone"),
        ("http://localhost:*", "`*` alone"),
        ("wss://chat.example.com", "http or https"),
        ("https://bücher.example", "xn--"),
    ];
    for (text, expected) in cases {
        let err = Origins::new(&[text]).unwrap_err().to_string();
        assert!(err.contains(expected), "{text}: {err}");
        assert!(err.starts_with(&format!("`{text}` is not an origin; write ")), "{err}");
    }
    for text in ["capacitor://localhost", "chrome-extension://abcdef", "https://[::1]:8443"] {
        assert!(Origins::new(&[text]).is_ok(), "{text}");
    }
}

#[test]
fn pages_of_the_host_that_is_asked_count_where_they_need_a_token() {
    let own = Origins::default().with_own(true, Some("https://public.example/chat"));
    let host = "Chat.example.org:443";
    let cases = [
        ("https://chat.example.org", Some(PageOrigin::Own)),
        ("https://chat.example.org:443", Some(PageOrigin::Own)),
        ("https://public.example", Some(PageOrigin::Own)),
        ("http://chat.example.org", None),
        ("https://chat.example.org:8443", None),
        ("https://x.chat.example.org", None),
        ("ftp://chat.example.org:443", None),
        ("http://public.example", None),
    ];
    for (origin, expected) in cases {
        assert_eq!(page(&own, host, origin), expected, "{origin}");
    }
    let others = Origins::default().with_own(false, Some("https://public.example"));
    assert_eq!(page(&others, host, "https://chat.example.org"), None);
    assert_eq!(page(&others, host, "https://public.example"), None);
}

#[test]
fn a_cookie_counts_where_nothing_changes_or_a_known_page_sends_it() {
    let origins = Origins::new(&["https://chat.example.com", "*"]).unwrap();
    let takes = |method: Method, sent: &[(&'static str, &'static str)]| {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("gateway.example"));
        headers.extend(sent.iter().map(|(name, value)| {
            (header::HeaderName::from_static(name), HeaderValue::from_static(value))
        }));
        origins.takes_cookie(&method, &headers)
    };
    let listed = ("origin", "https://chat.example.com");
    let foreign = ("origin", "https://evil.example");
    let upgrade = ("upgrade", "websocket");
    assert!(takes(Method::GET, &[]) && takes(Method::GET, &[foreign]));
    assert!(takes(Method::POST, &[listed]) && takes(Method::GET, &[listed, upgrade]));
    assert!(takes(Method::POST, &[("sec-fetch-site", "same-origin")]));
    assert!(takes(Method::GET, &[upgrade]), "a program");
    assert!(!takes(Method::POST, &[]) && !takes(Method::POST, &[foreign]));
    assert!(!takes(Method::POST, &[("origin", "http://localhost:3000")]));
    assert!(!takes(Method::GET, &[foreign, upgrade]));
    assert!(!takes(Method::DELETE, &[("sec-fetch-site", "cross-site")]));
}
