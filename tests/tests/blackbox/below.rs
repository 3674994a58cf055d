//! A gateway below a path, with a proxy that takes it away or leaves it, and where its answers say
//! that things are.
use e2e::{Gateway, http};

const FORM: &[u8] =
    b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n\
                      a,b\r\n1,2\r\n\r\n--x--\r\n";

/// Where the answer to an upload says that the file is.
async fn download_url(gateway: &Gateway, below: &str, headers: &[(&str, &str)]) -> String {
    let at = gateway.address();
    let chats = format!("{below}/api/v1/chat/workflows");
    let chat =
        http::send(at, "POST", &chats, headers, b"").await.expect("the gateway answers").json();
    let chat = chat["data"]["chat_id"].as_str().expect("a chat").to_owned();
    let media = [("Content-Type", "multipart/form-data; boundary=x")];
    let all: Vec<_> = headers.iter().chain(&media).copied().collect();
    let path = format!("{chats}/{chat}/upload");
    let answer =
        http::send(at, "POST", &path, &all, FORM).await.expect("the gateway answers").json();
    let url = answer["data"]["download_url"].as_str().expect("an address").to_owned();
    url.replace(&chat, "CHAT")
}

#[tokio::test]
async fn the_base_path_is_in_addresses_whether_a_proxy_took_it_away_or_not() {
    let gateway = Gateway::start(&[("server.base_path", "/chat")]).await;
    let at = gateway.address();
    let expected = format!("http://{at}/chat/api/v1/chat/workflows/CHAT/files/a.csv");
    assert_eq!(download_url(&gateway, "", &[]).await, expected);
    assert_eq!(download_url(&gateway, "/chat", &[]).await, expected);
    for path in
        ["/chat/healthz", "/healthz", "/chat/events?topic=a", "/chat/openapi.json", "/chat/"]
    {
        let answer = http::request(at, "HEAD", path, &[]).await.unwrap();
        assert_eq!(answer.status, 200, "{path}");
    }
    assert_eq!(http::get(at, "/chat/api/nothing", &[]).await.unwrap().status, 404);
    let answer = http::get(at, "/chat/ws", &http::HANDSHAKE).await.unwrap();
    assert_eq!(answer.status, 101);
    let api = gateway.get("/chat/openapi.json").await.json();
    assert_eq!(api["servers"][0]["url"], "/chat");
    assert!(gateway.get("/chat/").await.body.contains("\n/chat/events "));
    let end = gateway.stop().await;
    let line = end.stdout.iter().find(|it| it.contains("health")).expect("a line to paste");
    assert!(line.ends_with(&format!("http://{at}/chat/healthz")), "{line}");
}

#[tokio::test]
async fn a_proxy_says_which_path_and_scheme_it_has_and_nobody_else() {
    let trusted = ("server.trusted_proxies", r#"["127.0.0.0/8"]"#);
    let gateway = Gateway::start(&[trusted]).await;
    let at = gateway.address();
    let file = "api/v1/chat/workflows/CHAT/files/a.csv";
    let sent = [("X-Forwarded-Prefix", "/a/"), ("X-Forwarded-Proto", "https, http")];
    assert_eq!(download_url(&gateway, "", &sent).await, format!("https://{at}/a/{file}"));
    let twice = [("X-Forwarded-Prefix", "/a"), ("X-Forwarded-Prefix", "/b")];
    assert_eq!(download_url(&gateway, "", &twice).await, format!("http://{at}/a/b/{file}"));
    let evil = [("X-Forwarded-Prefix", "//evil.example")];
    assert_eq!(download_url(&gateway, "", &evil).await, format!("http://{at}/{file}"));
    let alone = Gateway::start(&[]).await;
    let at = alone.address();
    assert_eq!(download_url(&alone, "", &sent).await, format!("http://{at}/{file}"));
}

#[tokio::test]
async fn the_public_address_takes_the_place_of_all_others() {
    let public = ("server.public_url", "https://chat.example/assistant/");
    let trusted = ("server.trusted_proxies", r#"["127.0.0.0/8"]"#);
    let gateway = Gateway::start(&[public, trusted]).await;
    let expected = "https://chat.example/assistant/api/v1/chat/workflows/CHAT/files/a.csv";
    let sent = [("X-Forwarded-Prefix", "/a"), ("X-Forwarded-Proto", "http")];
    assert_eq!(download_url(&gateway, "", &sent).await, expected);
    // Its name is one that this gateway is asked by.
    for (host, status) in [("chat.example", 200), ("other.example", 421)] {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let answer = http::exchange(gateway.address(), &request).await.unwrap();
        assert_eq!(answer.status, status, "{host}");
    }
    let end = gateway.stop().await;
    assert!(end.stdout.iter().any(|it| it.contains("https://chat.example/assistant/")), "{end:?}");
}

#[tokio::test]
async fn what_is_no_path_and_no_address_is_refused_at_the_start() {
    for (key, given) in [
        ("server.base_path", "chat"),
        ("server.base_path", "/a/../b"),
        ("server.public_url", "chat.example"),
        ("server.public_url", "https://chat.example/?a"),
        ("server.idle_timeout", "0s"),
        ("server.origins", r#"["*.example.com"]"#),
        ("server.origins", r#"["https://chat.example.com/"]"#),
    ] {
        let end = Gateway::run(&["check-config"], &[(key, given)]).await;
        let said = end.stderr.join("\n");
        assert_eq!(end.code, Some(64), "{said}");
        assert!(said.contains(key), "{key} = {given}: {said}");
    }
}

#[tokio::test]
async fn a_health_check_may_ask_with_options() {
    let gateway = Gateway::start(&[]).await;
    let at = gateway.address();
    let answer = http::exchange(at, "OPTIONS / HTTP/1.0\r\n\r\n").await.unwrap();
    assert_eq!(answer.status, 200);
    for path in ["/", "/readyz"] {
        assert_eq!(http::request(at, "OPTIONS", path, &[]).await.unwrap().status, 200, "{path}");
    }
    for path in ["/healthz", "/events", "/send", "/socket.io/", "/ws", "/nothing/here"] {
        assert_eq!(http::request(at, "OPTIONS", path, &[]).await.unwrap().status, 204, "{path}");
    }
}
