//! Many questions at once.
use e2e::{
    fake::cat::Cat,
    relay::{gateway, send},
};
use futures_util::future::join_all;
use serde_json::json;

/// Questions asked at once.
const QUESTIONS: usize = 1000;

/// Each gets its own reply, and the agent is asked as often as there are questions.
async fn ask_at_once(users: usize, running: &str) -> Cat {
    let cat = Cat::start().await;
    let gateway = gateway(&cat, &[("agents.max_running", running)]).await;
    let questions = (0..QUESTIONS).map(|n| {
        let gateway = &gateway;
        async move {
            let (user, message) = (format!("user {}", n % users), format!("question {n}"));
            let answer = send(gateway, &user, &message).await;
            assert_eq!(answer.json(), json!({"response": format!("re: {message}")}));
        }
    });
    join_all(questions).await;
    let mut asked = cat.questions();
    asked.sort_unstable();
    let mut expected: Vec<_> = (0..QUESTIONS).map(|n| format!("question {n}")).collect();
    expected.sort_unstable();
    assert_eq!(asked, expected);
    let calls = cat.calls();
    for call in &calls {
        let number = call.text.trim_start_matches("question ").parse::<usize>();
        assert_eq!(number.map(|n| format!("user {}", n % users)), Ok(call.user.clone()));
    }
    cat
}

#[tokio::test]
async fn a_thousand_questions_of_one_user_are_answered_over_one_connection() {
    let cat = ask_at_once(1, "256").await;
    assert_eq!((cat.most(), cat.connections().len()), (1, 1));
}

#[tokio::test]
async fn a_thousand_questions_of_a_hundred_users_need_no_more_connections_than_users() {
    let cat = ask_at_once(100, "256").await;
    assert_eq!((cat.most(), cat.connections().len()), (100, 100));
}

#[tokio::test]
async fn no_more_turns_run_at_once_than_may() {
    let cat = ask_at_once(100, "8").await;
    // Connections are kept for the next question of their users, but each is of one user.
    assert_eq!(cat.connections().len(), 100);
}
