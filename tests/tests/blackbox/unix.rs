//! Unix sockets: the same doors, for programs on this machine.
use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
};

use e2e::{Client, Gateway, eventually, http, scratch::Scratch};
use serde_json::json;
use tokio::net::UnixStream;

struct Local {
    gateway: Gateway,
    path: String,
    _home: Scratch,
}

async fn start(settings: &[(&str, &str)]) -> Local {
    let home = Scratch::new();
    let path = format!("{}/gateway.sock", home.path().display());
    let listen = json!(["127.0.0.1:0", format!("unix:{path}")]).to_string();
    let gateway = Gateway::start(&[&[("server.listen", &*listen)], settings].concat()).await;
    Local { gateway, path, _home: home }
}

async fn get(path: &str, headers: &[(&str, &str)]) -> http::Response {
    let mut stream = UnixStream::connect(path).await.expect("it listens");
    http::get_over(&mut stream, "/api/v1/sessions", headers).await.expect("it answers")
}

async fn client(path: &str, headers: &[(&'static str, String)]) -> Client {
    let stream = UnixStream::connect(path).await.expect("it listens");
    let opened = Client::open_over(Box::new(stream), "gateway.example", headers).await;
    opened.expect("any host is good over a unix socket")
}

#[tokio::test]
async fn every_door_opens_over_a_unix_socket() {
    let local = start(&[("limits.connections_per_ip", "1")]).await;
    let mode = fs::metadata(&local.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let ready = local.gateway.stdout().swap_remove(0);
    assert!(ready.contains(&format!("unix:{}", local.path)), "{ready}");
    // There is no address that they could be too many of.
    let (mut reader, mut writer) = (client(&local.path, &[]).await, client(&local.path, &[]).await);
    reader.subscribe("c").await;
    writer.publish("c", &json!(1)).await;
    assert_eq!(reader.next_json().await["payload"], 1);
    let sessions = get(&local.path, &[]).await.json();
    let peers: Vec<_> =
        sessions["sessions"].as_array().unwrap().iter().map(|it| &it["peer"]).collect();
    assert_eq!(peers, ["0.0.0.0", "0.0.0.0"]);
}

#[tokio::test]
async fn the_socket_is_gone_after_the_end() {
    let local = start(&[]).await;
    let end = local.gateway.stop().await;
    assert_eq!((end.code, fs::exists(&local.path).unwrap()), (Some(0), false), "{end:#?}");
}

#[tokio::test]
async fn what_a_killed_process_left_is_replaced() {
    let mut local = start(&[]).await;
    local.gateway.signal("KILL").await;
    local.gateway.wait().await;
    assert!(fs::exists(&local.path).unwrap());
    let listen = format!("unix:{}", local.path);
    let again = json!(["127.0.0.1:0", listen]).to_string();
    let _gateway = Gateway::start(&[("server.listen", &again)]).await;
    assert_eq!(get(&local.path, &[]).await.status, 200);
}

#[tokio::test]
async fn a_path_that_is_taken_is_left_alone() {
    let home = Scratch::new();
    let file = home.file("file", "precious");
    let taken = format!("{}/taken.sock", home.path().display());
    let _listener = UnixListener::bind(&taken).unwrap();
    let nowhere = format!("{}/no/where.sock", home.path().display());
    for path in [&file, &taken, &nowhere] {
        let listen = format!("unix:{path}");
        let settings = [("server.listen", listen.as_str()), ("limits.connections", "100")];
        let end = Gateway::run(&["serve"], &settings).await;
        assert_eq!((end.code, end.stderr.len()), (Some(1), 1), "{end:#?}");
        assert!(end.stderr[0].contains(&listen), "{end:#?}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    UnixStream::connect(&taken).await.unwrap();
}

#[tokio::test]
async fn a_proxy_on_a_unix_socket_speaks_for_its_clients_if_it_is_trusted() {
    let forwarded = [("x-forwarded-for", "198.51.100.7".to_owned())];
    for (trusted, expected) in [("[]", "0.0.0.0"), (r#"["unix"]"#, "198.51.100.7")] {
        let local = start(&[("server.trusted_proxies", trusted)]).await;
        let _client = client(&local.path, &forwarded).await;
        let listed = eventually("the session", async || {
            let sessions = get(&local.path, &[]).await.json();
            sessions["sessions"][0]["peer"].as_str().map(str::to_owned)
        });
        assert_eq!(listed.await, expected, "{trusted}");
    }
}
