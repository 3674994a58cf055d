//! Texts of the bot.
use super::{intent::Kind, suggest::Suggested};

pub(crate) const EMPTY: &str = "Please say what to do with your file, or write `help`.";
pub(crate) const TOO_LONG: &str =
    "That is more than I can read at once. Please use at most 10,000 characters.";
pub(crate) const UNKNOWN: &str =
    "I do not understand that. Please say it in other words, or write `help`.";
pub(crate) const CANCELLED: &str = "Cancelled. What shall I do next?";
pub(crate) const STOPPING: &str = "I am stopping the run.";
pub(crate) const BUSY: &str =
    "A run is in progress. Wait for its end, or write `cancel` to stop it.";
pub(crate) const STARTING: &str = "⏳ Starting. I will tell you when it is done.";
pub(crate) const DECLINED: &str = "All right, I will not run it. What shall I do instead?";
pub(crate) const MODIFY: &str =
    "What should I change? Say the whole request again, or answer `yes` or `no` to my suggestion.";
pub(crate) const NOTHING_PENDING: &str =
    "There is nothing to confirm. First say what to do with your file.";
pub(crate) const COMPLETED: &str = "✅ Completed. The files are ready for download.";
pub(crate) const UPLOADED: &str = "📎 The file is here. What shall I do next?";
pub(crate) const UPLOADED_FIRST: &str = "📎 The file is here. What shall I do with it? For example:\n\
     - `extract columns: name, email`\n\
     - `convert to json`\n\
     - `find where age > 30`";

const ABILITIES: &str = "- **Extract** columns\n\
     - **Convert** between Excel, CSV and JSON\n\
     - **Normalise** values: spaces, letters, phone numbers, duplicates\n\
     - Write **SQL** statements\n\
     - **Search** rows by conditions\n\
     - **Bind** columns of another file by a key\n\
     - **Rename** columns";

const USAGE: &str = "1. Say what you want, in a sentence.\n\
     2. Upload your file.\n\
     3. Look at the steps that I suggest, and answer `yes` or `no`.\n\
     4. Download the result.";

/// First message of the bot.
pub(crate) fn welcome() -> String {
    format!("👋 **Hello!** I work on spreadsheets. I can:\n\n{ABILITIES}\n\n{USAGE}")
}

/// Answer to `help`.
pub(crate) fn help() -> String {
    format!(
        "**What I can do**\n\n{ABILITIES}\n\n**How**\n\n{USAGE}\n\n**Examples**\n\n\
         - `extract columns: name, email`\n\
         - `uppercase name`\n\
         - `generate sql for table users`\n\
         - `rename name to customer`\n\n\
         Write `cancel` to cancel."
    )
}

/// Sentence that describes `kind`.
pub(crate) const fn ability(kind: Kind) -> &'static str {
    match kind {
        Kind::ExtractColumns => "I can extract columns.",
        Kind::ConvertFormat => "I can convert the file to another format.",
        Kind::NormalizeData => "I can normalise the values.",
        Kind::GenerateSql => "I can write SQL statements.",
        Kind::GenerateJson => "I can write the rows as JSON.",
        Kind::SearchFilter => "I can search for rows.",
        Kind::BindData => "I can add columns of another file.",
        Kind::MapColumns => "I can rename columns.",
    }
}

pub(crate) fn upload(kind: Kind, steps: &[Suggested]) -> String {
    let ability = ability(kind);
    let suggest = match steps {
        [] => String::new(),
        [step, ..] => format!(" I suggest: {}.", step.description),
    };
    format!("{ability}{suggest}\n\n📎 Please upload the file.")
}

/// Asks whether to run the steps.
pub(crate) fn question(kind: Kind, steps: &[Suggested]) -> String {
    let lines = (1..).zip(steps).map(|(place, Suggested { operation, description, .. })| {
        format!("{place}. {operation}: {description}")
    });
    let lines = lines.collect::<Vec<_>>().join("\n");
    let ability = ability(kind);
    format!("{ability}\n\n{lines}\n\nShall I run this (yes or no)? Or say what to do instead.")
}

pub(crate) fn missing(kind: Kind, missing: &str) -> String {
    format!("{} {missing}", ability(kind))
}

pub(crate) fn failed(error: &str) -> String {
    format!("❌ Failed: {error}")
}
