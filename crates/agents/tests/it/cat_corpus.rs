//! Every recorded conversation with a Cat, a frame on each line.
use e2e::fake::{
    cat::{Cat, Step},
    corpus::{Outcome, recordings},
};
use futures_util::StreamExt;
use quadrille_agents::Part;

use crate::driver::{agent, ask};

#[tokio::test]
async fn every_recorded_reply_is_read_as_it_should_be() {
    let mut wrong = Vec::new();
    for it in recordings("cat") {
        let (cat, expected) = (Cat::start().await, it.expected);
        let frames = String::from_utf8(it.body).unwrap();
        let steps = frames.lines().map(Step::frame).chain([Step::Close(1000)]);
        cat.next(steps.collect::<Vec<_>>());
        let mut reply = ask(&agent(&cat), "ann", "Hi");
        let (mut text, mut notices) = (String::new(), 0);
        let (outcome, code) = loop {
            match reply.next().await {
                Some(Ok(Part::Text(piece))) => text += &piece,
                Some(Ok(Part::End(whole))) => {
                    text = whole.unwrap_or(text);
                    break (Outcome::Complete, None);
                }
                Some(Ok(Part::Status(_))) => notices += 1,
                Some(Ok(_)) => {}
                Some(Err(why)) => break (Outcome::Failed, Some(why.code.as_str().to_owned())),
                None => panic!("{}: no end", it.name),
            }
        };
        let right = (expected.outcome, expected.code, expected.text, expected.notices);
        let got = (outcome, code, text, notices);
        if got != right {
            wrong.push(format!("{}: got {got:?}, right {right:?}", it.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
