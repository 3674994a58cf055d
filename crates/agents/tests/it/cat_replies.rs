//! No user gets the reply to another question.
use e2e::fake::cat::{Cat, Gate, Step, Version};
use quadrille_agents::{Code, Part};
use tokio::task::JoinSet;

use crate::driver::{agent, answer, ask, failure, part, parts};

/// A held question, and the gate that lets its reply go.
fn held(cat: &Cat, question: &str) -> Gate {
    let gate = Gate::new();
    let steps = [Step::token("well"), Step::Hold(gate.clone())];
    cat.on(question, [&steps[..], &Step::answer(question)].concat());
    gate
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_questions_of_fifty_users_get_their_own_replies() {
    for version in [Version::V1_4, Version::V1_8, Version::V1_9] {
        let cat = Cat::of(version).await;
        let agent = agent(&cat);
        let mut asking = JoinSet::new();
        for n in 0..200 {
            let agent = agent.clone();
            asking.spawn(async move {
                let question = format!("question {n} of user {}", n % 50);
                (answer(&agent, &format!("user {}", n % 50), &question).await, question)
            });
        }
        for (reply, question) in asking.join_all().await {
            assert_eq!(reply, format!("re: {question}"));
        }
        let mut asked = cat.questions();
        asked.sort();
        asked.dedup();
        assert_eq!((asked.len(), cat.calls().len()), (200, 200), "each exactly once");
        let strays = cat.calls().into_iter().filter(|call| !call.text.ends_with(&call.user));
        assert_eq!(strays.collect::<Vec<_>>(), []);
        assert!(cat.connections().len() <= 50 && cat.most() <= 50, "{}", cat.connections().len());
    }
}

#[tokio::test]
async fn turns_of_one_user_take_turns_on_one_connection() {
    let cat = Cat::of(Version::V1_8).await;
    let agent = agent(&cat);
    let gate = held(&cat, "first");
    let mut first = ask(&agent, "ann", "first");
    assert_eq!(part(&mut first).await.unwrap(), Part::Text("well".to_owned()));
    let mut others = JoinSet::new();
    for n in 0..3 {
        let agent = agent.clone();
        others.spawn(async move { answer(&agent, "ann", &format!("later {n}")).await });
    }
    // Another user does not wait.
    assert_eq!(answer(&agent, "bob", "me?").await, "re: me?");
    assert_eq!(cat.questions(), ["first", "me?"]);
    gate.open();
    parts(first).await.unwrap();
    let mut replies = others.join_all().await;
    replies.sort();
    assert_eq!(replies, ["re: later 0", "re: later 1", "re: later 2"]);
    assert_eq!(cat.connections().len(), 2);
}

#[tokio::test]
async fn giving_up_while_waiting_lets_the_next_one_go_on() {
    let cat = Cat::start().await;
    let agent = agent(&cat);
    let gate = held(&cat, "first");
    let mut first = ask(&agent, "ann", "first");
    part(&mut first).await.unwrap();
    let mut waiting = ask(&agent, "ann", "given up");
    assert!(futures_util::poll!(futures_util::StreamExt::next(&mut waiting)).is_pending());
    drop(waiting);
    gate.open();
    parts(first).await.unwrap();
    assert_eq!(answer(&agent, "ann", "next").await, "re: next");
    assert_eq!(cat.questions(), ["first", "next"]);
}

#[tokio::test]
async fn a_cancelled_question_closes_its_connection_at_once() {
    let cat = Cat::start().await;
    let agent = agent(&cat);
    let _gate = held(&cat, "first");
    let mut first = ask(&agent, "ann", "first");
    part(&mut first).await.unwrap();
    drop(first);
    let (_, code) = cat.closed(0).await;
    assert_eq!(code, Some(1005), "with a close frame");
}

#[tokio::test]
async fn a_late_reply_never_reaches_the_next_question() {
    for version in Version::ALL {
        let cat = Cat::of(version).await;
        let agent = agent(&cat);
        let (late, next) = (held(&cat, "late"), held(&cat, "next"));
        let mut first = ask(&agent, "ann", "late");
        part(&mut first).await.unwrap();
        drop(first);
        cat.closed(0).await;
        let mut second = ask(&agent, "ann", "next");
        part(&mut second).await.unwrap();
        late.open();
        if version == Version::V1_9 {
            // It sends everything to the newest connection, and only the end tells whose it was.
            assert_eq!(parts(second).await.unwrap_err().code, Code::BadAnswer);
            cat.closed(1).await;
        } else {
            next.open();
            let last = parts(second).await.unwrap().pop();
            assert_eq!(last, Some(Part::End(Some("re: next".to_owned()))), "{version:?}");
        }
        assert_eq!(answer(&agent, "ann", "third").await, "re: third");
    }
}

#[tokio::test]
async fn an_answer_that_comes_twice_is_given_once() {
    let cat = Cat::start().await;
    let agent = agent(&cat);
    cat.next([Step::reply("R"), Step::reply("R")]);
    assert_eq!(answer(&agent, "ann", "twice?").await, "R");
    assert_eq!(answer(&agent, "ann", "next").await, "re: next");
    cat.closed(0).await;
    assert_eq!(cat.calls()[1].connection, 1);
}

#[tokio::test]
async fn what_comes_unasked_ends_an_idle_connection_but_for_notices() {
    let cat = Cat::start().await;
    let agent = agent(&cat);
    for (n, kind) in ["chat_token", "chat", "error"].into_iter().enumerate() {
        assert_eq!(answer(&agent, "ann", "before").await, "re: before");
        cat.say(n, &format!(r#"{{"type":"{kind}","content":"late","description":"late"}}"#)).await;
        assert_eq!(answer(&agent, "ann", "after").await, "re: after");
        assert_eq!(cat.connections().len(), n + 2, "after a {kind}");
        cat.closed(n).await;
    }
    cat.say(3, r#"{"type":"notification","content":"a document was read"}"#).await;
    let got = parts(ask(&agent, "ann", "again")).await.unwrap();
    assert_eq!(got[0], Part::Text("re: ".to_owned()));
    assert_eq!(cat.connections().len(), 4);
}

#[tokio::test]
async fn a_reply_to_a_question_that_a_plugin_rewrote_is_a_reply() {
    let cat = Cat::start().await;
    let agent = agent(&cat);
    for input in ["rewritten", ""] {
        cat.next([Step::ReplyTo(input.to_owned(), "R".to_owned())]);
        assert_eq!(answer(&agent, "ann", "mine").await, "R", "{input:?}");
    }
    assert_eq!(cat.connections().len(), 1);
}

#[tokio::test]
async fn a_reply_to_a_question_that_was_given_up_is_a_bad_answer() {
    let cat = Cat::start().await;
    let agent = agent(&cat);
    let _gate = held(&cat, "given up");
    let mut first = ask(&agent, "ann", "given up");
    part(&mut first).await.unwrap();
    drop(first);
    cat.closed(0).await;
    cat.next([Step::ReplyTo("given up".to_owned(), "secret".to_owned())]);
    let failure = failure(&agent, "ann", "mine").await;
    assert_eq!(failure.code, Code::BadAnswer);
    assert!(!format!("{failure:?}").contains("secret"), "{failure:?}");
    cat.closed(1).await;
    // To another user it is nobody's, and asked again it is this one's.
    for user in ["bob", "ann"] {
        let asked = if user == "ann" { "given up" } else { "mine" };
        cat.on(asked, [Step::ReplyTo("given up".to_owned(), "R".to_owned())]);
        assert_eq!(answer(&agent, user, asked).await, "R");
    }
}
