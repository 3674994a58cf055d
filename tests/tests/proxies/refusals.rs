//! An early refusal reaches the client of a proxy, and is no 502.
use e2e::{Gateway, http, token};

use crate::proxy::{Kind, Proxy};

const SIZE: usize = 2_000_000;

#[tokio::test]
async fn a_refusal_that_comes_before_the_body_reaches_the_client() {
    let gateway = Gateway::start(&token::JWT).await;
    let (json, form) = ("application/json", "multipart/form-data; boundary=x");
    let cases = [
        ("/api/v1/publish", json, 401),
        ("/send", json, 401),
        ("/api/upload_file", form, 401),
        ("/api/v1/chat/workflows/a/upload", form, 401),
        ("/nothing/here", json, 404),
        ("/events?topic=a", json, 405),
    ];
    let body = vec![b'x'; SIZE];
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, &gateway).await;
        for (path, media, expected) in cases {
            for n in 0..5 {
                let sent = [("Content-Type", media)];
                let answer = http::send(proxy.address(), "POST", path, &sent, &body).await;
                let answer = answer.unwrap_or_else(|why| panic!("{kind:?} {path} ({n}): {why}"));
                assert_eq!(answer.status, expected, "{kind:?} {path} ({n})");
                assert!(!answer.body.is_empty(), "the answer is the gateway's");
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_by_the_gateway_itself() {
    let gateway = Gateway::start(&[]).await;
    let body = vec![b'x'; SIZE];
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, &gateway).await;
        for path in ["/send", "/api/v1/publish"] {
            let sent = [("Content-Type", "application/json")];
            let answer = http::send(proxy.address(), "POST", path, &sent, &body).await.unwrap();
            assert_eq!(answer.problem().2, "/problems/body-too-large", "{kind:?} {path}");
        }
    }
}
