//! `workflows`: the cost of an operation on a spreadsheet, by the gateway over HTTP and by pandas in a
//! process that does nothing else.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use xshell::cmd;

use super::{
    ROUNDS,
    server::{Kind, Server},
    sheet, table,
};
use crate::{clients, project::Project};

const ROWS: u32 = 1_000_000;

/// pandas gets one round: it needs minutes for some operations.
const SLOW_ROUNDS: usize = 1;

/// Rows of the files whose results are compared cell by cell before anything is measured.
const COMPARED: u32 = 10_000;

const PEOPLE: &str = "people.csv";
const WORKBOOK: &str = "people.xlsx";
const REGIONS: &str = "regions.csv";

struct Operation {
    name: &'static str,
    arguments: Value,
    /// Of the file that is written.
    extension: &'static str,
    /// Input of the operation.
    input: &'static str,
}

/// Prints the reason if pandas is not measured.
pub(super) fn rows(project: &Project) -> Result<Vec<Value>> {
    let pandas = clients::pandas(project);
    match &pandas {
        Ok(python) => {
            let few = Files::write(project, COMPARED)?;
            for operation in operations() {
                compare(project, &few, python, &operation).context(operation.name)?;
            }
            println!("\nOf {COMPARED} rows, both make the same cells.");
        }
        Err(err) => println!("\nwithout pandas: {err}"),
    }
    let bench = Files::write(project, ROWS)?;
    println!("\nMedians of {ROUNDS} rounds for quadrille, {SLOW_ROUNDS} for pandas.");
    let mut rows = Vec::new();
    for operation in operations() {
        let ours = (0..ROUNDS).map(|_| gateway(project, &bench, &operation, None));
        rows.push(row(Kind::Gateway.name(), &operation, ours.collect())?);
        if let Ok(python) = &pandas {
            let output = bench.home.join("pandas").with_extension(operation.extension);
            let theirs = (0..SLOW_ROUNDS)
                .map(|_| pandas_round(project, &bench, python, &operation, &output));
            rows.push(row("pandas", &operation, theirs.collect())?);
        }
    }
    Ok(rows)
}

/// Fails where the two do not make the same cells.
fn compare(project: &Project, files: &Files, python: &str, operation: &Operation) -> Result<()> {
    let [ours, theirs] =
        ["ours", "theirs"].map(|side| files.home.join(side).with_extension(operation.extension));
    gateway(project, files, operation, Some(&ours))?;
    pandas_round(project, files, python, operation, &theirs)?;
    let same = project.root.join("bench/pandas/same.py");
    cmd!(project.sh, "{python} {same} {ours} {theirs}").run()?;
    Ok(())
}

fn operations() -> [Operation; 9] {
    let operation =
        |name, extension, arguments| Operation { name, arguments, extension, input: PEOPLE };
    let normalize =
        |column: &str, kind: &str| json!({"column_name": column, "normalization_type": kind});
    let all = json!({
        "id": "id", "name": "full_name", "email": "email", "city": "city", "amount": "amount",
        "date": "since", "phone": "phone",
    });
    let sql = json!({
        "id": "id", "full_name": "name", "email": "email", "city": "city", "amount": "amount",
        "since": "date", "phone": "phone",
    });
    [
        operation(
            "excel/extract-columns-to-file",
            "xlsx",
            json!({"columns": ["id", "name", "amount"]}),
        ),
        operation(
            "excel/map-columns",
            "xlsx",
            json!({"mapping": {"number": "id", "who": "name", "mail": "email", "where": "city"}}),
        ),
        operation(
            "excel/bind-single-key",
            "xlsx",
            json!({
                "bind_file": REGIONS,
                "comparison_column": "id",
                "bind_columns": ["region", "tier"],
            }),
        ),
        operation(
            "csv/search",
            "csv",
            json!({
                "conditions": [
                    {"column": "city", "operator": "equals", "value": "Köln"},
                    {"column": "amount", "operator": "greater_than", "value": 50_000},
                ],
                "logic": "AND",
                "output_format": "csv",
            }),
        ),
        convert(),
        Operation { input: WORKBOOK, ..operation("excel/convert-to-csv", "csv", json!({})) },
        operation(
            "normalization/apply",
            "xlsx",
            json!({"normalizations": [
                normalize("name", "uppercase"),
                normalize("city", "trim_whitespace"),
                normalize("email", "email_format"),
            ]}),
        ),
        operation("sql/generate", "sql", json!({"table_name": "people", "column_mapping": sql})),
        operation("json/generate", "json", json!({"column_mapping": all})),
    ]
}

/// Also makes the workbook.
fn convert() -> Operation {
    let (name, arguments) = ("csv/convert-to-excel", json!({}));
    Operation { name, arguments, extension: "xlsx", input: PEOPLE }
}

/// One run on a server of its own, which has the work of no other one in its memory.
fn gateway(
    project: &Project,
    files: &Files,
    operation: &Operation,
    output: Option<&Path>,
) -> Result<Value> {
    let target = project.target();
    let data = files.home.join("data");
    if data.exists() {
        fs::remove_dir_all(&data)?;
    }
    fs::create_dir_all(&data)?;
    let server = Server::launch(
        Command::new(Kind::Gateway.binary(&target))
            .current_dir(&data)
            .env("QUADRILLE_SERVER__LISTEN", "127.0.0.1:0")
            .env("QUADRILLE_LOG__LEVEL", "error")
            .env("QUADRILLE_STORE__URL", format!("sqlite://{}", data.join("bench.db").display()))
            .env("QUADRILLE_FILES__URL", format!("file://{}", data.join("files").display()))
            .env("QUADRILLE_FILES__MAX_UPLOAD_SIZE", "1073741824")
            .env("QUADRILLE_WORKFLOWS__SCRATCH", data.join("scratch"))
            // pandas keeps no columns as they were, either.
            .env("QUADRILLE_WORKFLOWS__BACKUP_ORIGINAL", "false"),
    )?;
    let (address, pid) = (&server.address, server.id().to_string());
    let (loadgen, regions) = (target.join("release/loadgen"), files.home.join(REGIONS));
    let input = files.home.join(operation.input);
    let (name, arguments) = (operation.name, operation.arguments.to_string());
    let output = output.into_iter().flat_map(|path| [Path::new("--output"), path]);
    let line = cmd!(
        project.sh,
        "{loadgen} workflow --addr {address} --pid {pid} --operation {name} --arguments {arguments}
         --input {input} --beside {regions} {output...}"
    )
    .read()?;
    serde_json::from_str(&line).context("the load generator prints JSON")
}

fn pandas_round(
    project: &Project,
    files: &Files,
    python: &str,
    operation: &Operation,
    output: &Path,
) -> Result<Value> {
    let peer = project.root.join("bench/pandas/peer.py");
    let (input, regions) = (files.home.join(operation.input), files.home.join(REGIONS));
    let (name, arguments) = (operation.name, operation.arguments.to_string());
    let line =
        cmd!(project.sh, "{python} {peer} {name} {arguments} {input} {output} {regions}").read()?;
    serde_json::from_str(&line).context("the peer prints JSON")
}

/// Row of the rounds of one side, which measure the same in the same units.
fn row(server: &str, operation: &Operation, rounds: Result<Vec<Value>>) -> Result<Value> {
    let rounds = rounds.with_context(|| format!("{server}: {}", operation.name))?;
    let median = table::median(&rounds).context("no round was measured")?;
    let number = |field: &str| {
        median[field].as_f64().with_context(|| format!("{server} did not measure {field}"))
    };
    let (seconds, rows) = (number("seconds")?, f64::from(ROWS));
    Ok(json!({
        "server": server,
        "operation": operation.name,
        "seconds": seconds,
        "rows_per_s": rows / seconds,
        "us_per_row": number("cpu_s")? * 1e6 / rows,
        "peak_mib": number("peak_kib")? / 1024.0,
        "output_mib": number("output_bytes")? / f64::from(1 << 20),
    }))
}

/// Where the spreadsheets are.
struct Files {
    home: PathBuf,
}

// === impl Files ===

impl Files {
    fn write(project: &Project, rows: u32) -> Result<Self> {
        let home = project.target().join(format!("bench-workflows/{rows}"));
        fs::create_dir_all(&home)?;
        sheet::people(&home.join(PEOPLE), rows)?;
        sheet::regions(&home.join(REGIONS), rows)?;
        let files = Self { home };
        gateway(project, &files, &convert(), Some(&files.home.join(WORKBOOK)))?;
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_what_both_sides_measure_by_row() {
        let [operation, ..] = operations();
        let round = |seconds: f64| json!({"seconds": seconds, "cpu_s": 1.5, "peak_kib": 2048, "output_bytes": 1_048_576});
        let rounds = Ok([9.0, 2.0, 4.0].map(round).to_vec());
        let expected = json!({
            "server": "pandas",
            "operation": "excel/extract-columns-to-file",
            "seconds": 4.0,
            "rows_per_s": 250_000.0,
            "us_per_row": 1.5,
            "peak_mib": 2.0,
            "output_mib": 1.0,
        });
        assert_eq!(row("pandas", &operation, rounds).unwrap(), expected);
        row("pandas", &operation, Ok(vec![json!({"seconds": 1.0})])).unwrap_err();
    }
}
