//! A page that has spreadsheets worked on, and watches.
use e2e::workflows::{self, Language};

#[tokio::test]
async fn a_run_on_a_large_file_is_seen_to_move_before_its_result() {
    workflows::a_large_file(Language::JavaScript).await;
}

#[tokio::test]
async fn a_page_is_answered_whatever_it_says_and_follows_the_chat_it_moved_to() {
    workflows::a_talk(Language::JavaScript).await;
}
