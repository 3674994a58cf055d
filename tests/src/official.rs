//! Runs official clients on recorded answers.
use std::{collections::HashMap, path::Path};

use serde_json::{Value, json};

use crate::{
    fake::{
        corpus::{Outcome, Recording, recordings},
        upstream::Upstream,
    },
    program::{Program, prepared},
};

/// A client that reads the answers of a dialect.
#[derive(Clone, Copy, Debug)]
pub enum Reader {
    OpenaiPython,
    OpenaiJavascript,
    AguiJavascript,
}

impl Reader {
    fn dialect(self) -> &'static str {
        match self {
            Self::OpenaiPython | Self::OpenaiJavascript => "openai",
            Self::AguiJavascript => "agui",
        }
    }

    fn start(self, args: &[&str]) -> Program {
        let script = match self {
            Self::OpenaiPython => "upstreams/openai_reader.py",
            Self::OpenaiJavascript => "upstreams/openai_reader.cjs",
            Self::AguiJavascript => "upstreams/agui_reader.cjs",
        };
        if matches!(self, Self::OpenaiPython) {
            let python = prepared("QUADRILLE_TEST_PYTHON_UPSTREAMS");
            return Program::start_with(Path::new(&python), script, args, &[]);
        }
        let modules = prepared("QUADRILLE_TEST_UPSTREAM_MODULES").to_string_lossy().into_owned();
        let env = [("NODE_PATH".to_owned(), modules)];
        Program::start_with(Path::new("node"), script, args, &env)
    }

    /// Result that it must report: the right one, unless the recording has a reason for another.
    fn expected(self, recording: &Recording) -> Value {
        let it = &recording.expected;
        let official = match self {
            Self::OpenaiPython => it.python.as_ref(),
            Self::OpenaiJavascript | Self::AguiJavascript => it.javascript.as_ref(),
        };
        let outcome = official.and_then(|it| it.outcome).unwrap_or(it.outcome);
        let outcome = if outcome == Outcome::Complete { "complete" } else { "failed" };
        let text = official.and_then(|it| it.text.as_ref()).unwrap_or(&it.text);
        let tools = official.and_then(|it| it.tools.as_ref()).unwrap_or(&it.tools);
        json!({"name": recording.name, "outcome": outcome, "text": text, "tools": tools})
    }

    /// Let it read every recorded answer of its dialect. Fails with all that it reads otherwise.
    pub async fn reads_what_is_right(self) {
        let all = recordings(self.dialect());
        let scripts: HashMap<_, _> = all.iter().map(|it| (it.name.clone(), it.script())).collect();
        let upstream = Upstream::of(scripts).await;
        let base = upstream.url("");
        let names = all.iter().map(|it| &*it.name);
        let args: Vec<_> = [&*base].into_iter().chain(names).collect();
        let lines = self.start(&args).lines().await;
        let mut wrong = Vec::new();
        let read = lines.iter().filter_map(|it| serde_json::from_str::<Value>(it).ok());
        let mut count = 0;
        for (recording, mut got) in all.iter().zip(read) {
            count += 1;
            let why = got.as_object_mut().and_then(|it| it.remove("why"));
            let right = self.expected(recording);
            if got != right {
                wrong.push(format!("got   {got} because {why:?}\nright {right}"));
            }
        }
        assert!(wrong.is_empty(), "{self:?}\n{}", wrong.join("\n"));
        assert_eq!(count, all.len(), "{lines:#?}");
    }
}
