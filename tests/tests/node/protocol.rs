//! Runs the official test suites of Engine.IO and Socket.IO.
use std::path::Path;

use e2e::{
    Gateway,
    program::{Program, prepared},
};

/// Cases in `protocol.cjs`: none may go missing.
const CASES: usize = 37;

#[tokio::test]
async fn each_case_of_the_official_suites_is_answered_as_they_expect() {
    let settings = [
        ("rooms.ping_interval", "300ms"),
        ("rooms.ping_timeout", "200ms"),
        ("rooms.connect_timeout", "1s"),
    ];
    let gateway = Gateway::start(&settings).await;
    let url = format!("http://{}", gateway.address());
    let modules = prepared("QUADRILLE_TEST_NODE_MODULES");
    let environment = [("NODE_PATH".to_owned(), modules.to_string_lossy().into_owned())];
    let suite = Program::start_with(Path::new("node"), "js/protocol.cjs", &[&url], &environment);
    let lines = suite.lines().await;
    let failed: Vec<_> = lines.iter().filter(|it| !it.starts_with("ok ")).collect();
    assert_eq!(failed, [""; 0]);
    assert_eq!(lines.len(), CASES, "{lines:#?}");
}
