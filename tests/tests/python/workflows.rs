//! A program that has spreadsheets worked on, and watches.
use e2e::{
    Gateway,
    workflows::{self, Language, frames},
};
use serde_json::json;

#[tokio::test]
async fn a_run_on_a_large_file_is_seen_to_move_before_its_result() {
    workflows::a_large_file(Language::Python).await;
}

#[tokio::test]
async fn a_client_is_answered_whatever_it_says_and_follows_the_chat_it_moved_to() {
    workflows::a_talk(Language::Python).await;
}

#[tokio::test]
async fn the_eleventh_of_ten_is_told_so_and_closed_and_the_others_stay() {
    let gateway = Gateway::start(&[("workflows.max_connections", "10")]).await;
    let lines = Language::Python.start(&gateway, &["crowd", "10"]).lines().await;
    let all = frames(&lines);
    assert!(all[..10].iter().all(|it| it["type"] == "connected"), "{all:#?}");
    assert_eq!(all[10], json!({"type": "error", "message": "Maximum connections reached"}));
    assert!(lines.contains(&"closed 1000 ''".to_owned()), "{lines:#?}");
    assert_eq!(all[11..], vec![json!({"type": "pong"}); 10]);
    assert_eq!(lines.last().map(String::as_str), Some("room again"));
}
