//! Columns of a second table: by keys, or row by row.
use std::collections::BTreeMap;

use quadrille_tabular::Operation;
use serde_json::json;

use super::{
    super::{
        envelope::{Answer, Envelope, ok},
        error::Error,
    },
    ROOT,
    arguments::{Arguments, Json},
    asked::{Asked, Job},
    take::{BIND, SOURCE, TARGET},
};

fn invalid(what: &str) -> Error {
    Error::Invalid(what.to_owned())
}

fn bind_columns(columns: Option<Json<'_>>) -> Result<Json<'_>, Error> {
    let some = columns.filter(|it| it.len > 0);
    some.ok_or_else(|| invalid("At least one bind column must be specified"))
}

/// Add columns of another file, by one key
#[utoipa::path(
    post,
    context_path = ROOT,
    path = "/excel/bind-single-key",
    operation_id = "bind_single_key",
    tag = "tables",
    responses((status = 200, description = "`download_url` and `statistics`", body = Answer))
)]
pub(super) async fn single(asked: Asked) -> Result<Envelope, Error> {
    let key = asked.text("comparison_column");
    let (_, file) = (asked.file(SOURCE)?, asked.file(BIND)?);
    let key = key.ok_or_else(|| invalid("comparison_column parameter is required"))?;
    let columns = bind_columns(asked.list("bind_columns")?)?;
    let arguments = Arguments::default()
        .text("bind_file", Some(file))
        .text("comparison_column", Some(key))
        .json("bind_columns", Some(columns));
    let operation = Operation::parse("excel/bind-single-key", &arguments.done())?;
    bound(&asked, operation, "bound_single").await
}

/// Add columns of another file, by several keys
#[utoipa::path(
    post,
    context_path = ROOT,
    path = "/excel/bind-multi-key",
    operation_id = "bind_multi_key",
    tag = "tables",
    responses((status = 200, description = "`download_url` and `statistics`", body = Answer))
)]
pub(super) async fn multi(asked: Asked) -> Result<Envelope, Error> {
    let (_, file) = (asked.file(SOURCE)?, asked.file(BIND)?);
    let (keys, columns) = (asked.list("comparison_columns")?, asked.list("bind_columns")?);
    let keys = keys.filter(|it| it.len > 0);
    let keys = keys.ok_or_else(|| invalid("At least one comparison column must be specified"))?;
    let arguments = Arguments::default()
        .text("bind_file", Some(file))
        .json("comparison_columns", Some(keys))
        .json("bind_columns", Some(bind_columns(columns)?));
    let operation = Operation::parse("excel/bind-multi-key", &arguments.done())?;
    bound(&asked, operation, "bound_multi").await
}

async fn bound(asked: &Asked, operation: Operation, kind: &str) -> Result<Envelope, Error> {
    let name = asked.name(Some(SOURCE), kind, "xlsx");
    let job = Job { operation, input: SOURCE, bind: Some(BIND), sheet: None };
    let made = asked.make(job, &name).await?;
    let mut data = made.data();
    data["statistics"] = made.outcome.data;
    Ok(ok("Excel binding completed successfully", data))
}

/// Put columns of one file into another, row by row
#[utoipa::path(
    post,
    context_path = ROOT,
    path = "/files/bind",
    operation_id = "bind",
    tag = "tables",
    responses((status = 200, description = "`download_url` and `statistics`", body = Answer))
)]
pub(super) async fn overwrite(asked: Asked) -> Result<Envelope, Error> {
    asked.file(SOURCE)?;
    asked.file(TARGET)?;
    let mapping = asked.object("column_mapping")?.filter(|it| it.len > 0);
    let mapping = mapping.ok_or_else(|| invalid("column_mapping is required"))?;
    let arguments = Arguments::default().json("column_mapping", Some(mapping));
    let operation = Operation::overwrite(&arguments.done())?;
    let name = asked.name(Some(TARGET), "bound", "xlsx");
    let job = Job { operation, input: TARGET, bind: Some(SOURCE), sheet: None };
    let made = asked.make(job, &name).await?;
    let mut data = made.data();
    data["statistics"] = made.outcome.data;
    Ok(ok("Converted to Excel file successfully", data))
}

/// See what binding would find
#[utoipa::path(
    post,
    context_path = ROOT,
    path = "/files/bind/preview",
    operation_id = "bind_preview",
    tag = "tables",
    responses(
        (status = 200, description = "Columns and rows of both files, `mapping_valid` and `issues`", body = Answer),
    )
)]
pub(super) async fn preview(asked: Asked) -> Result<Envelope, Error> {
    asked.file(SOURCE)?;
    asked.file(TARGET)?;
    let mapping = asked.object("column_mapping")?.map_or("{}", |it| it.text);
    let mapping: BTreeMap<String, String> = quadrille_core::json::read(mapping)
        .map_err(|why| Error::Invalid(format!("Invalid column_mapping JSON: {why}")))?;
    let (source, target) = (asked.look(SOURCE).await?, asked.look(TARGET).await?);
    let mut issues = Vec::new();
    for (to, from) in &mapping {
        if !source.columns.contains(from) {
            issues.push(format!("Source column '{from}' not found"));
        }
        if !target.columns.contains(to) {
            issues.push(format!("Target column '{to}' not found"));
        }
    }
    let data = json!({
        "source_columns": source.columns,
        "target_columns": target.columns,
        "source_rows": source.rows,
        "target_rows": target.rows,
        "mapping_valid": issues.is_empty(),
        "issues": issues,
    });
    Ok(ok("Binding preview generated", data))
}
