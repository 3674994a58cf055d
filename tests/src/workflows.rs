//! Tests of workflows for clients in any language.
use std::path::Path;

use serde_json::{Value, json};

use crate::{
    Gateway,
    program::{Program, prepared},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Python,
    JavaScript,
}

/// Rows of the large file.
const ROWS: &str = "200000";

/// Values of the progress of one step between its begin and its end, at least.
const SEVERAL: usize = 3;

impl Language {
    pub fn start(self, gateway: &Gateway, args: &[&str]) -> Program {
        let address = gateway.address().to_string();
        let args = [&[&*address], args].concat();
        match self {
            Self::Python => {
                let python = prepared("QUADRILLE_TEST_PYTHON_WORKFLOWS");
                Program::start_with(Path::new(&python), "py/workflows.py", &args, &[])
            }
            Self::JavaScript => {
                let modules = prepared("QUADRILLE_TEST_NODE_MODULES");
                let env = [("NODE_PATH".to_owned(), modules.to_string_lossy().into_owned())];
                Program::start_with(Path::new("node"), "js/workflows.cjs", &args, &env)
            }
        }
    }

    fn operations(self) -> &'static [&'static str] {
        match self {
            Self::Python => &["csv/search", "normalization/apply"],
            Self::JavaScript => &["csv/search", "json/generate"],
        }
    }
}

/// The frames that a client printed.
pub fn frames(lines: &[String]) -> Vec<Value> {
    let frames = lines.iter().filter_map(|line| line.strip_prefix("frame "));
    frames.map(|it| serde_json::from_str(it).expect("a frame is JSON")).collect()
}

/// A run on a large file is seen to move, step by step, while its request waits for the answer.
pub async fn a_large_file(language: Language) {
    let gateway = Gateway::start(&[]).await;
    let mut program = language.start(&gateway, &["run", ROWS]);
    // As long as something moves, it is waited for.
    let (last, mut from) = (format!("rows {ROWS}"), 0);
    loop {
        let (line, next) = program.line_from(from, "").await;
        if line == last {
            break;
        }
        from = next;
    }
    let lines = program.lines().await;
    let all = frames(&lines);
    let operations = language.operations();
    assert_eq!(
        (&all[0]["type"], &all[1]["type"]),
        (&json!("connected"), &json!("workflow_started"))
    );
    assert_eq!(all[1]["total_steps"], operations.len());
    let mut rest = &all[2..];
    for operation in operations {
        let step = &rest[0]["step_id"];
        let end = rest.iter().position(|it| it["type"] != "progress").expect("the step ends");
        let (progress, [result, others @ ..]) = rest.split_at(end) else { panic!("no result") };
        let its = |it: &Value| it["step_id"] == *step && it["operation"] == *operation;
        assert!(progress.iter().all(its) && its(result), "{progress:#?} {result}");
        let percents: Vec<_> = progress.iter().filter_map(|it| it["progress"].as_u64()).collect();
        assert!(percents.is_sorted_by(|a, b| a < b), "{percents:?}");
        assert_eq!((percents[0], percents.last()), (0, Some(&100)));
        assert_eq!(result["type"], "step_result");
        assert!(result["result"]["output_file_path"].is_string(), "{result}");
        rest = others;
    }
    assert_eq!(rest.len(), 1, "{rest:#?}");
    let last = (&rest[0]["type"], &rest[0]["output_files_count"]);
    assert_eq!(last, (&json!("workflow_completed"), &json!(1)));

    let answer = lines.iter().position(|line| line.starts_with("answer ")).expect("it is there");
    let early = frames(&lines[..answer]);
    for operation in operations {
        let moved = early.iter().filter(|it| {
            let between = it["progress"].as_u64().is_some_and(|it| (1..100).contains(&it));
            it["operation"] == *operation && between
        });
        let moved = moved.count();
        assert!(moved >= SEVERAL, "{operation}: {moved} before the answer");
    }
}

/// Sends each frame of a client over the WebSocket, and reads the chat that it moved to.
pub async fn a_talk(language: Language) {
    let gateway = Gateway::start(&[]).await;
    let lines = language.start(&gateway, &["talk"]).lines().await;
    let all = frames(&lines);
    assert_eq!(all[0]["type"], "connected");
    let said = json!({"type": "ack", "original": {"type": "hello", "n": 1}});
    let pong = json!({"type": "pong"});
    let invalid = json!({"type": "error", "message": "Invalid JSON"});
    assert_eq!(all[1..5], [invalid, pong.clone(), said, pong]);
    let mut kinds: Vec<_> = all[5..].iter().filter_map(|it| it["type"].as_str()).collect();
    kinds.dedup();
    let run = ["workflow_started", "progress", "step_result", "workflow_completed"];
    assert_eq!((kinds[0], &kinds[1..]), ("connected", &run[..]));
}
