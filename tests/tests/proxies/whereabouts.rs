//! Where clients are, where the gateway is for them, and connections that are kept.
use std::time::Duration;

use e2e::{Client, Gateway, http};

use crate::proxy::{Kind, Proxy, TRUSTING};

const FORM: &[u8] =
    b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n\
                      a,b\r\n1,2\r\n\r\n--x--\r\n";

#[tokio::test]
async fn a_file_can_be_fetched_where_the_answer_says_that_it_is() {
    let ways: [(&str, &[(&str, &str)]); 3] =
        [("", &[TRUSTING]), ("/below", &[TRUSTING]), ("/below", &[("server.base_path", "/below")])];
    for (path, settings) in ways {
        let gateway = Gateway::start(settings).await;
        for kind in Kind::WHOLE {
            let proxy = Proxy::below(kind, &gateway, path).await;
            let at = proxy.address();
            let chats = format!("{path}/api/v1/chat/workflows");
            let chat = http::send(at, "POST", &chats, &[], b"").await.unwrap().json();
            let chat = chat["data"]["chat_id"].as_str().expect("a chat").to_owned();
            let media = [("Content-Type", "multipart/form-data; boundary=x")];
            let upload = format!("{chats}/{chat}/upload");
            let answer = http::send(at, "POST", &upload, &media, FORM).await.unwrap().json();
            let url = answer["data"]["download_url"].as_str().expect("an address");
            let file = url.strip_prefix(&format!("http://{at}")).unwrap_or_else(|| panic!("{url}"));
            assert_eq!(file, format!("{chats}/{chat}/files/a.csv"), "{kind:?}");
            let answer = http::get(at, file, &[]).await.unwrap();
            assert_eq!((answer.status, &*answer.body), (200, "a,b\r\n1,2\r\n"), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn sessions_have_the_address_of_the_client() {
    let gateway = Gateway::start(&[TRUSTING]).await;
    for kind in Kind::WHOLE {
        let proxy = Proxy::start(kind, &gateway).await;
        let forwarded = [("x-forwarded-for", "198.51.100.7".to_owned())];
        let client = Client::open_with(proxy.address(), None, &forwarded).await.unwrap();
        let sessions = gateway.get("/api/v1/sessions").await.json();
        let peers: Vec<_> = sessions["sessions"].as_array().expect("a list").iter().collect();
        assert_eq!(peers.len(), 1, "{kind:?}");
        assert_eq!(peers.first().map(|it| &it["peer"]), Some(&"198.51.100.7".into()), "{kind:?}");
        client.leave().await;
        e2e::eventually("the end of the session", async || {
            let sessions = gateway.get("/api/v1/sessions").await.json();
            sessions["sessions"].as_array().is_some_and(Vec::is_empty).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_connection_that_a_proxy_keeps_is_there_for_its_next_request() {
    let gateway = Gateway::start(&[("server.header_timeout", "200ms")]).await;
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, &gateway).await;
        for n in 0..5 {
            let json = [("Content-Type", "application/json")];
            let body = br#"{"channel":"c","payload":1}"#;
            let answer = http::send(proxy.address(), "POST", "/api/v1/publish", &json, body).await;
            assert_eq!(answer.unwrap().status, 200, "{kind:?} ({n})");
            // Idle for about as long as a head may take; there is nothing to wait for.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

#[tokio::test]
async fn a_proxy_finds_the_gateway_healthy_by_its_usual_question() {
    let gateway = Gateway::start(&[]).await;
    let proxy = Proxy::start(Kind::Haproxy, &gateway).await;
    for _ in 0..5 {
        let answer = http::get(proxy.address(), "/healthz", &[]).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
