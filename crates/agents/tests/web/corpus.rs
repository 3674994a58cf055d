//! Every recorded answer, over a socket.
use std::collections::HashMap;

use e2e::fake::{
    corpus::{Outcome, Recording, recordings},
    upstream::Upstream,
};

use crate::ask::{agent, ask};

/// Reads every answer of a dialect with the agent that `table` describes, and gives their number.
async fn read(dialect: &str, table: impl Fn(&str) -> String) -> usize {
    let all = recordings(dialect);
    let scripts: HashMap<_, _> =
        all.iter().map(|recording| (recording.name.clone(), recording.script())).collect();
    let upstream = Upstream::of(scripts).await;
    let mut wrong = Vec::new();
    for Recording { name, expected, .. } in &all {
        let heard = ask(&*agent(&table(&upstream.url(&format!("/{name}")))), "Hi").await;
        let (outcome, code, text) = match &heard.failure {
            Some(why) => (Outcome::Failed, Some(why.code.as_str().to_owned()), heard.text()),
            None => (Outcome::Complete, None, heard.reply()),
        };
        let usage = heard.usage().map(|usage| (usage.input, usage.output));
        let beside = (heard.tools(), heard.thoughts(), usage, heard.notices().len());
        let got = (outcome, code, text, beside);
        let (outcome, code, text) =
            (expected.outcome, expected.code.clone(), expected.text.clone());
        let (tools, thoughts) = (expected.tools.clone(), expected.thoughts.clone());
        let right = (outcome, code, text, (tools, thoughts, expected.usage, expected.notices));
        if got != right {
            wrong.push(format!("{name} ({})\n  got   {got:?}\n  right {right:?}", expected.what));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    all.len()
}

#[tokio::test]
async fn every_recorded_answer_is_read_as_it_should_be() {
    let model = |url: &str| format!("kind = \"openai\"\nurl = \"{url}\"\nmodel = \"m\"");
    assert!(read("openai", model).await >= 40);
    assert!(read("agui", |url| format!("kind = \"agui\"\nurl = \"{url}\"")).await >= 20);
    assert!(read("http", |url| format!("kind = \"http\"\nurl = \"{url}\"")).await >= 10);
}
