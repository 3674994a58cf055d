//! Addresses of files: absolute, and good without a header, after a restart as well.
use std::os::unix::fs::PermissionsExt;

use e2e::{
    Gateway, eventually,
    http::{self, Response},
    scratch::Scratch,
    token::{self, JWT, token},
};
use jsonwebtoken::Header;
use serde_json::{Value, json};

const FORM: (&str, &str) = ("Content-Type", "multipart/form-data; boundary=b");

/// Uploads a picture to a new conversation of `user`, and gives its address.
async fn upload(gateway: &Gateway, headers: &[(&str, &str)], query: &str) -> String {
    let at = gateway.address();
    let with_json = [headers, &[("Content-Type", "application/json")]].concat();
    let path = format!("/conversations{query}");
    let made = http::send(at, "POST", &path, &with_json, b"{}").await.expect("an answer");
    let id = made.json()["conversation_id"].clone();
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"conversation_id\"\r\n\r\n{id}\r\n\
         --b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.png\"\r\n\
         Content-Type: image/png\r\n\r\npicture\r\n--b--\r\n"
    );
    let path = format!("/api/upload_file{query}");
    let with_form = [headers, &[FORM]].concat();
    let sent = http::send(at, "POST", &path, &with_form, body.as_bytes()).await;
    let sent = sent.expect("an answer").json();
    sent["files"][0].as_str().unwrap_or_else(|| panic!("{sent}")).to_owned()
}

async fn open(gateway: &Gateway, address: &str) -> Response {
    let (_, path) = address.split_once("/files/").expect("the address of a file");
    http::get(gateway.address(), &format!("/files/{path}"), &[]).await.expect("an answer")
}

#[tokio::test]
async fn a_link_outlives_the_process_with_a_secret_and_without() {
    for settings in [&JWT[..], &[]] {
        let home = Scratch::new();
        let (store, files) = (home.path().join("q.db"), home.path().join("files"));
        let (store, files) =
            (format!("sqlite://{}", store.display()), format!("file://{}", files.display()));
        let settings = [settings, &[("store.url", &*store), ("files.url", &*files)]].concat();
        let is_open = settings.len() == 2;
        let gateway = Gateway::start(&settings).await;
        let bearer = format!("Bearer {}", token(json!({"sub": "7"})));
        let header = [("Authorization", &*bearer)];
        let (headers, query) = if is_open { (&[][..], "?user_id=7") } else { (&header[..], "") };
        let address = upload(&gateway, headers, query).await;
        assert!(
            address.starts_with(&format!("http://{}/files/7/", gateway.address())),
            "{address}"
        );
        assert_eq!(&*open(&gateway, &address).await.body, "picture");
        gateway.stop().await;
        let gateway = Gateway::start(&settings).await;
        let shown = open(&gateway, &address).await;
        assert_eq!((shown.status, &*shown.body), (200, "picture"), "{address}");
        let forged = address.replace("signature=", "signature=x");
        assert_eq!(open(&gateway, &forged).await.status, 403);
        let secrets = home.path().join("files/.link-key");
        assert_eq!(secrets.exists(), is_open, "a key is kept where there is no secret");
        if is_open {
            let mode = std::fs::metadata(secrets).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}

#[tokio::test]
async fn addresses_begin_as_the_operator_says() {
    let settings = [("server.public_url", "https://chat.example/assistant")];
    let gateway = Gateway::start(&settings).await;
    let address = upload(&gateway, &[], "?user_id=7").await;
    assert!(address.starts_with("https://chat.example/assistant/files/7/"), "{address}");
    assert_eq!(open(&gateway, &address).await.status, 200);
    let list: Value = gateway.get("/api/files?user_id=7").await.json();
    let listed = list["files"][0]["url"].as_str().expect("an address").to_owned();
    assert!(listed.starts_with("https://chat.example/assistant/files/7/"), "{listed}");
}

#[tokio::test]
async fn a_link_ends_when_the_secret_that_it_was_signed_with_is_taken_out() {
    const OLD: &str = "a secret that somebody has learned who should not";
    const NEW: &str = "the secret that comes in its place from now on";
    let home = Scratch::new();
    let text = |secrets: &[&str]| {
        let folder = home.path().display();
        format!(
            "auth.mode = \"jwt\"\nauth.jwt.secrets = {secrets:?}\n\
             store.url = \"sqlite://{folder}/q.db\"\nfiles.url = \"file://{folder}/files\"\n"
        )
    };
    let file = home.file("gateway.toml", &text(&[OLD]));
    let settings = [("server.listen", "127.0.0.1:0")];
    let gateway = Gateway::start_with(&["serve", "--config", &file], &settings).await;
    let uploaded = async |secret: &str| {
        let token = token::sign(&Header::default(), json!({"sub": "7"}), secret.as_bytes());
        upload(&gateway, &[("Authorization", &format!("Bearer {token}"))], "").await
    };
    let old = uploaded(OLD).await;
    assert_eq!(open(&gateway, &old).await.status, 200);
    home.file("gateway.toml", &text(&[NEW]));
    gateway.signal("HUP").await;
    eventually("the end of the link", async || {
        (open(&gateway, &old).await.status == 403).then_some(())
    })
    .await;
    let new = uploaded(NEW).await;
    assert_eq!(open(&gateway, &new).await.status, 200);
    home.file("gateway.toml", &text(&[NEW, OLD]));
    gateway.signal("HUP").await;
    eventually("the link again", async || (open(&gateway, &old).await.status == 200).then_some(()))
        .await;
}
