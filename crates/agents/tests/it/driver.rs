//! Asks an agent as the desk would.
use std::sync::Arc;

use e2e::{fake::cat::Cat, patience::within};
use futures_util::StreamExt;
use quadrille_agents::{Agent, Failure, Given, Kind, Part, Question, Reply, Settings, open};
use quadrille_core::Life;
use uuid::Uuid;

/// Settings for this Cat.
pub(crate) fn settings(cat: &Cat) -> Settings {
    Settings { url: cat.url(), ..Settings::new(Kind::CheshireCat) }
}

/// An agent that asks this Cat.
pub(crate) fn agent(cat: &Cat) -> Arc<dyn Agent> {
    agent_of(&settings(cat))
}

pub(crate) fn agent_of(settings: &Settings) -> Arc<dyn Agent> {
    open("cat", settings, &Life::new()).expect("settings that are good")
}

/// A question that nobody has begun to ask.
pub(crate) fn ask(agent: &Arc<dyn Agent>, user: &str, text: &str) -> Reply {
    agent.ask(Question {
        turn: Uuid::now_v7(),
        topic: "room:cats".parse().expect("a topic"),
        user: user.into(),
        text: text.into(),
        history: Vec::new(),
        given: Given::default(),
    })
}

pub(crate) async fn part(reply: &mut Reply) -> Result<Part, Failure> {
    within("a part", reply.next()).await.expect("a reply ends with an end")
}

/// All parts up to the end.
pub(crate) async fn parts(mut reply: Reply) -> Result<Vec<Part>, Failure> {
    let mut parts = Vec::new();
    loop {
        parts.push(part(&mut reply).await?);
        if matches!(parts.last(), Some(Part::End(_))) {
            return Ok(parts);
        }
    }
}

/// The whole reply, as the agent tells it at the end.
pub(crate) async fn answer(agent: &Arc<dyn Agent>, user: &str, text: &str) -> String {
    let parts = parts(ask(agent, user, text)).await.expect("a reply");
    match parts.last() {
        Some(Part::End(Some(text))) => text.clone(),
        last => panic!("the last part is {last:?}"),
    }
}

/// How a question fails.
pub(crate) async fn failure(agent: &Arc<dyn Agent>, user: &str, text: &str) -> Failure {
    let failed = parts(ask(agent, user, text)).await;
    failed.map(|parts| format!("{parts:?}")).expect_err("a failure")
}
