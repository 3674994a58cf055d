//! The configurations in `docs/agents.md`, each with its upstream.
use std::{collections::BTreeMap, fs, path::Path};

use e2e::fake::{
    agui, django, model,
    upstream::{Script, Upstream},
};
use quadrille_agents::{Config, Kind, Settings, open};
use quadrille_core::Life;
use serde::Deserialize;

use crate::ask::ask;

#[derive(Deserialize)]
struct Document {
    agents: Config,
}

/// The agents of every example.
fn examples() -> BTreeMap<String, Settings> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/agents.md");
    let text = fs::read_to_string(&path).expect("docs/agents.md");
    let blocks = text.split("```toml\n").skip(1).filter_map(|block| block.split("```").next());
    let parsed =
        blocks.map(|block| toml::from_str(block).unwrap_or_else(|err| panic!("{err}: {block}")));
    parsed.flat_map(|Document { agents }| agents.named).collect()
}

#[tokio::test]
async fn every_example_gets_a_reply() {
    let mut kinds = Vec::new();
    for (name, mut settings) in examples() {
        let script = match settings.kind {
            Kind::Openai => Script::sse(&model::stream(&["Meow"])),
            Kind::Agui => Script::sse(&agui::cat_run(&["Meow"])),
            Kind::Http => Script::sse(&django::stream(&["Meow"])),
            Kind::CheshireCat | Kind::Echo => continue,
        };
        let upstream = Upstream::start(script).await;
        let (_, after_scheme) = settings.url.split_once("://").expect("an address");
        let path = after_scheme.find('/').and_then(|at| after_scheme.get(at..));
        settings.url = upstream.url(path.unwrap_or_default());
        let agent = open(&name, &settings, &Life::new());
        let agent = agent.unwrap_or_else(|err| panic!("{err}"));
        assert_eq!(ask(&*agent, "Hi").await.reply(), "Meow", "{name}");
        kinds.push(settings.kind);
    }
    for kind in [Kind::Openai, Kind::Agui, Kind::Http] {
        assert!(kinds.contains(&kind), "an example of {kind}");
    }
}
