//! `workflow`: one run of one step on an uploaded file, from the request to its answer.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Value, json};

use crate::http;
use crate::proc::Server;
use crate::report::{self, End, Meter, seconds};

const CHATS: &str = "/api/v1/chat/workflows";

#[derive(Debug, clap::Args)]
pub(crate) struct Workflow {
    /// Where the server listens.
    #[arg(long)]
    addr: SocketAddr,
    #[arg(long)]
    pid: u32,
    /// The operation of the step, such as `csv/search`.
    #[arg(long)]
    operation: String,
    /// Its arguments, a JSON object.
    #[arg(long)]
    arguments: String,
    /// The file that the run begins with.
    #[arg(long)]
    input: PathBuf,
    /// Another file of the chat, which the arguments name.
    #[arg(long)]
    beside: Option<PathBuf>,
    /// Where to leave the result of the step.
    #[arg(long)]
    output: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Report {
    scenario: &'static str,
    operation: String,
    /// From the request to execute until its answer is there.
    seconds: f64,
    /// Of the server.
    cpu_s: f64,
    rss_before_kib: u64,
    /// The most that was resident during the run.
    peak_kib: u64,
    output_bytes: u64,
}

// === impl Workflow ===

impl Workflow {
    pub(crate) fn run(&self) -> Result<()> {
        let arguments: Value =
            serde_json::from_str(&self.arguments).context("the arguments are not JSON")?;
        let addr = self.addr;
        let chat = http::post(addr, CHATS, "{}").context("no chat")?;
        let chat = chat["data"]["chat_id"].as_str().context("a chat without its id")?.to_owned();
        // The last file is the one that a run begins with.
        for file in self.beside.iter().chain([&self.input]) {
            http::upload(addr, &format!("{CHATS}/{chat}/upload"), file).context("no upload")?;
        }
        let steps = json!({"steps": [{"operation": self.operation, "arguments": arguments}]});
        let server = Server(vec![self.pid]);
        server.forget_peak()?;
        let rss_before_kib = server.resident_kib()?;
        let meter = Meter::start(&server)?;
        let answer = http::post(addr, &format!("{CHATS}/{chat}/execute"), &steps.to_string())?;
        let usage = meter.finish(End::Complete)?;
        let peak_kib = server.peak_kib()?;
        let made = download(&answer)?;
        if let Some(output) = &self.output {
            std::fs::write(output, http::get(addr, &made)?)?;
        }
        report::print(&Report {
            scenario: "workflow",
            operation: self.operation.clone(),
            seconds: seconds(usage.wall),
            cpu_s: seconds(usage.server),
            rss_before_kib,
            peak_kib,
            output_bytes: http::size(addr, &made)?,
        })
    }
}

/// The path of the file that the only step made.
fn download(answer: &Value) -> Result<String> {
    let url = answer["data"]["results"][0]["download_url"].as_str();
    let url = url.with_context(|| format!("no file in {answer}"))?;
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (_, path) = rest.split_once('/').with_context(|| format!("no path in {url}"))?;
    Ok(format!("/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_download_is_behind_its_host() {
        let answer = |url: &str| json!({"data": {"results": [{"download_url": url}]}});
        assert_eq!(download(&answer("http://127.0.0.1:1/a/b.xlsx")).unwrap(), "/a/b.xlsx");
        assert_eq!(download(&answer("/a/b.xlsx")).unwrap(), "/a/b.xlsx");
        download(&json!({"data": {"results": []}})).unwrap_err();
    }
}
