//! The process ends in time, whatever its threads wait for.
use std::{path::Path, process::Command, time::Duration};

use e2e::{Gateway, eventually, scratch::Scratch};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

fn pipe(path: &str) {
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo runs");
    assert!(made.success());
}

async fn reloads(gateway: &Gateway, outcome: &str) -> u64 {
    let labels = [("outcome", outcome)];
    gateway.metrics().await.sum("quadrille_config_reloads_total", &labels)
}

#[tokio::test]
async fn a_configuration_that_nobody_writes_holds_up_neither_the_end_nor_the_next_reload() {
    let scratch = Scratch::new();
    let text = "log.level = \"warn\"\n";
    let file = scratch.file("gateway.toml", text);
    let settings = [("server.listen", "127.0.0.1:0"), ("server.drain_window", "0s")];
    let mut gateway = Gateway::start_with(&["serve", "--config", &file], &settings).await;
    std::fs::remove_file(&file).unwrap();
    pipe(&file);
    gateway.signal("HUP").await;
    // It fails in time, and is told.
    eventually("the reload to be given up", async || {
        (reloads(&gateway, "bad").await == 1).then_some(())
    })
    .await;
    eventually("the line that says so", async || {
        let lines = gateway.stderr();
        lines.iter().any(|line| line.contains("could not be read within")).then_some(())
    })
    .await;
    let moved = format!("{file}.pipe");
    std::fs::rename(&file, &moved).unwrap();
    scratch.file("gateway.toml", text);
    gateway.signal("HUP").await;
    eventually("the next reload", async || (reloads(&gateway, "good").await == 1).then_some(()))
        .await;
    // Now one is read while the process ends. Nothing is lost with it.
    std::fs::rename(&moved, &file).unwrap();
    gateway.signal("HUP").await;
    gateway.signal("TERM").await;
    assert_eq!(gateway.wait().await.code, Some(0));
    assert!(Path::new(&file).exists());
}

#[tokio::test]
async fn a_log_that_nobody_reads_holds_up_everything_but_the_end() {
    let settings = [("server.drain_window", "0s"), ("server.grace", "300ms")];
    let mut gateway = Gateway::start_with_log_unread(&settings).await;
    let request =
        format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(2000));
    eventually("nothing to be answered any more", async || {
        let mut stream = TcpStream::connect(gateway.address()).await.expect("it listens");
        stream.write_all(request.as_bytes()).await.expect("the kernel takes it");
        let answered = timeout(Duration::from_secs(2), stream.readable()).await;
        answered.is_err().then_some(())
    })
    .await;
    gateway.signal("TERM").await;
    assert_eq!(gateway.wait().await.code, Some(2));
}
