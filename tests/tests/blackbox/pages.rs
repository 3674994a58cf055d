//! Requests of pages of other origins, with and without the headers that browsers add.
use e2e::{Gateway, http, token};
use serde_json::json;

const LISTED: &str = "https://app.example";

/// Paths of every door over HTTP, one of which is a refusal.
const PATHS: [&str; 7] = [
    "/events?topic=c",
    "/api/v1/topics",
    "/socket.io/?EIO=4&transport=polling",
    "/conversations?user_id=7",
    "/api/v1/chat/workflows",
    "/api/v1/turns/none",
    "/openapi.json",
];

async fn told(gateway: &Gateway, path: &str, origin: &str) -> [Option<String>; 3] {
    let answer = http::request(gateway.address(), "HEAD", path, &[("Origin", origin)]).await;
    let answer = answer.expect("the gateway answers");
    let names = ["access-control-allow-origin", "access-control-allow-credentials", "vary"];
    names.map(|name| {
        let all = answer.headers.iter().filter(|(key, _)| key == name);
        let all: Vec<_> = all.map(|(_, value)| value.as_str()).collect();
        (!all.is_empty()).then(|| all.join(", "))
    })
}

#[tokio::test]
async fn listed_pages_may_bring_credentials_at_every_door_and_others_may_not() {
    let list = format!(r#"["{LISTED}", "https://*.below.example", "*"]"#);
    let gateway = Gateway::start(&[("server.origins", &list)]).await;
    for path in PATHS {
        for origin in [LISTED, "https://a.below.example"] {
            let [allowed, credentials, vary] = told(&gateway, path, origin).await;
            let got = (allowed.as_deref(), credentials.as_deref());
            assert_eq!(got, (Some(origin), Some("true")), "{path}");
            assert!(vary.is_some_and(|it| it.contains("Origin")), "{path}");
        }
        let [allowed, credentials, _] = told(&gateway, path, "https://other.example").await;
        assert_eq!(
            (allowed.as_deref(), credentials),
            (Some("https://other.example"), None),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_page_may_send_the_headers_that_its_clients_have() {
    let gateway = Gateway::start(&[("server.origins", &format!(r#"["{LISTED}"]"#))]).await;
    let asked = "authorization,content-type,cache-control,last-event-id,idempotency-key,x-claim,\
                 x-stainless-retry-count,x-stainless-lang,x-stainless-package-version,access_token,\
                 user_id,if-none-match,range,x-requested-with,user-agent";
    for path in PATHS {
        for method in ["GET", "POST", "PATCH", "DELETE", "HEAD"] {
            let sent = [
                ("Origin", LISTED),
                ("Access-Control-Request-Method", method),
                ("Access-Control-Request-Headers", asked),
            ];
            let answer = http::request(gateway.address(), "OPTIONS", path, &sent).await.unwrap();
            let list = |name: &str| -> Vec<String> {
                let value = answer.header(name).unwrap_or_default();
                value.split(',').map(|it| it.trim().to_lowercase()).collect()
            };
            assert_eq!(answer.status, 204, "{path}");
            assert!(
                list("access-control-allow-methods").contains(&method.to_lowercase()),
                "{path}"
            );
            let allowed = list("access-control-allow-headers");
            let missing: Vec<_> =
                asked.split(',').filter(|it| !allowed.iter().any(|name| name == it)).collect();
            assert_eq!(missing, [""; 0], "{path}");
            assert_eq!(answer.header("access-control-allow-credentials"), Some("true"), "{path}");
        }
    }
}

/// The section on web pages says what the code does.
#[tokio::test]
async fn the_documents_name_what_pages_may_send_and_read() {
    let gateway = Gateway::start(&[("server.origins", &format!(r#"["{LISTED}"]"#))]).await;
    let document = include_str!("../../../docs/protocol/http.md");
    let (_, section) = document.split_once("\n## Web pages\n").expect("there is a section");
    let (section, _) = section.split_once("\n## ").expect("and one after it");
    let asks = [("Origin", LISTED), ("Access-Control-Request-Method", "POST")];
    let answer = http::request(gateway.address(), "OPTIONS", "/send", &asks).await.unwrap();
    let lists = ["methods", "headers"].map(|it| format!("access-control-allow-{it}"));
    let exposed = ["access-control-expose-headers".to_owned()];
    for list in lists.iter().chain(&exposed) {
        let names = answer.header(list).unwrap_or_else(|| panic!("no {list}"));
        for name in names.split(',').map(str::trim) {
            assert!(section.contains(&format!("`{name}`")), "{list}: {name}");
        }
    }
}

#[tokio::test]
async fn pages_of_this_machine_count_only_where_this_machine_is_asked() {
    let gateway = Gateway::start(&token::JWT).await;
    let at = gateway.address();
    for (host, allowed) in [("localhost:8080", true), ("gateway.example", false)] {
        let paths = ["/events?topic=c", "/socket.io/?EIO=4&transport=polling", "/api/v1/topics"];
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let plain = paths.map(|path| (path, ""));
        for (path, more) in plain.into_iter().chain([("/ws", upgrade), ("/chat/a", upgrade)]) {
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://localhost:3000\r\n{more}\r\n"
            );
            let answer = http::exchange(at, &request).await.unwrap();
            assert_eq!(answer.status != 403, allowed, "{path} of {host}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_list_of_pages_of_this_machine_is_exact() {
    let list = r#"["http://localhost:3000"]"#;
    let gateway = Gateway::start(&[("server.origins", list)]).await;
    for (origin, status) in [("http://localhost:3000", 101), ("http://localhost:3001", 403)] {
        assert_eq!(http::knock(gateway.address(), &[("Origin", origin)]).await.status, status);
    }
}

#[tokio::test]
async fn the_cookie_signs_in_at_every_door_and_changes_nothing_for_a_page_that_is_not_known() {
    let list = format!(r#"["{LISTED}", "*"]"#);
    let mut settings = token::JWT.to_vec();
    settings.push(("server.origins", &list));
    let gateway = Gateway::start(&settings).await;
    let at = gateway.address();
    let token = token::token(
        json!({"sub": "7", "channels": ["c"], "topics": ["chat:a"], "scope": "topics"}),
    );
    let cookie = format!("theme=dark; access_token={token}");
    let cookie = ("Cookie", &*cookie);
    let (known, foreign) = (("Origin", LISTED), ("Origin", "https://other.example"));
    for path in
        ["/events?topic=c", "/api/v1/topics", "/conversations", "/api/v1/chat/workflows/none"]
    {
        for sent in [vec![cookie], vec![cookie, known]] {
            let answer = http::request(at, "GET", path, &sent[..]);
            let status = answer.await.unwrap().status;
            assert!(matches!(status, 200 | 404 | 405), "{path}: {status}");
        }
    }
    let body = br#"{"channel":"c","payload":1}"#;
    let json = ("Content-Type", "application/json");
    for (page, status) in [(known, 200), (foreign, 401)] {
        let sent = [cookie, json, page];
        let answer = http::send(at, "POST", "/api/v1/publish", &sent, body).await.unwrap();
        assert_eq!(answer.status, status, "publish for {page:?}");
        let status = if status == 200 { 101 } else { 401 };
        for path in ["/ws", "/chat/a"] {
            let all: Vec<_> = http::HANDSHAKE.iter().chain(&[cookie, page]).copied().collect();
            let answer = http::get(at, path, &all).await.unwrap();
            assert_eq!(answer.status, status, "{path} for {page:?}");
        }
    }
}

#[tokio::test]
async fn a_foreign_page_cannot_make_its_visitor_pay_for_bad_tokens() {
    let mut settings = token::JWT.to_vec();
    settings.push(("limits.bad_tokens_per_minute", "3"));
    let gateway = Gateway::start(&settings).await;
    let at = gateway.address();
    let cross = ("Sec-Fetch-Site", "cross-site");
    for _ in 0..10 {
        let foreign = [("Origin", "https://evil.example")];
        let answer = http::get(at, "/api/v1/topics?token=x", &foreign).await.unwrap();
        assert_eq!(answer.status, 403);
        let answer = http::get(at, "/api/v1/topics?token=x", &[cross]).await.unwrap();
        assert!(matches!(answer.status, 401 | 429), "{answer:?}");
    }
    let answer = http::get(at, "/api/v1/topics?token=x", &[]).await.unwrap();
    assert_eq!(answer.status, 401, "its address has used up nothing");
}

#[tokio::test]
async fn a_refused_page_is_named_in_the_log_once_and_not_with_each_request() {
    let gateway = Gateway::start(&[("log.level", "info")]).await;
    let long = format!("https://{}.example", "x".repeat(1000));
    for origin in ["https://evil.example", &long] {
        for _ in 0..20 {
            assert_eq!(http::knock(gateway.address(), &[("Origin", origin)]).await.status, 403);
        }
    }
    let end = gateway.stop().await;
    let lines: Vec<_> = end.stderr.iter().filter(|it| it.contains("web page")).collect();
    let [line] = *lines else { panic!("{lines:#?}") };
    assert!(line.contains("INFO") && line.contains("https://evil.example"), "{line}");
}
