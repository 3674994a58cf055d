//! Adds columns of a second table, by keys or row by row.
use std::collections::BTreeMap;

use quadrille_tabular::{Operation, same_name};
use serde_json::json;

use super::{
    super::{
        envelope::{Envelope, EnvelopeBody, ok},
        error::Error,
    },
    arguments::JsonField,
    request::{DirectRequest, Job},
    take::{BIND, SOURCE, TARGET},
};
use crate::API;

fn invalid(what: &str) -> Error {
    Error::Invalid(what.to_owned())
}

fn bind_columns(columns: Option<JsonField<'_>>) -> Result<JsonField<'_>, Error> {
    let some = columns.filter(|columns| columns.len > 0);
    some.ok_or_else(|| invalid("At least one bind column must be specified"))
}

/// Add columns of another file, by one key
#[utoipa::path(
    post,
    context_path = API,
    path = "/excel/bind-single-key",
    operation_id = "bind_single_key",
    tag = "tables",
    responses((status = 200, description = "`download_url` and `statistics`", body = EnvelopeBody))
)]
pub(super) async fn single(request: DirectRequest) -> Result<Envelope, Error> {
    let key = request.text("comparison_column");
    let (_, file) = (request.file(SOURCE)?, request.file(BIND)?);
    let key = key.ok_or_else(|| invalid("comparison_column parameter is required"))?;
    let columns = bind_columns(request.list("bind_columns")?)?;
    let arguments = request
        .arguments()
        .text("bind_file", Some(file))
        .text("comparison_column", Some(key))
        .json("bind_columns", Some(columns));
    let operation = Operation::parse("excel/bind-single-key", &arguments.done())?;
    bound(&request, operation, "bound_single").await
}

/// Add columns of another file, by several keys
#[utoipa::path(
    post,
    context_path = API,
    path = "/excel/bind-multi-key",
    operation_id = "bind_multi_key",
    tag = "tables",
    responses((status = 200, description = "`download_url` and `statistics`", body = EnvelopeBody))
)]
pub(super) async fn multi(request: DirectRequest) -> Result<Envelope, Error> {
    let (_, file) = (request.file(SOURCE)?, request.file(BIND)?);
    let (keys, columns) = (request.list("comparison_columns")?, request.list("bind_columns")?);
    let keys = keys.filter(|keys| keys.len > 0);
    let keys = keys.ok_or_else(|| invalid("At least one comparison column must be specified"))?;
    let arguments = request
        .arguments()
        .text("bind_file", Some(file))
        .json("comparison_columns", Some(keys))
        .json("bind_columns", Some(bind_columns(columns)?));
    let operation = Operation::parse("excel/bind-multi-key", &arguments.done())?;
    bound(&request, operation, "bound_multi").await
}

async fn bound(
    request: &DirectRequest,
    operation: Operation,
    kind: &str,
) -> Result<Envelope, Error> {
    let name = request.name(Some(SOURCE), kind, "xlsx");
    let job = Job { operation, input: SOURCE, bind: Some(BIND) };
    let made = request.make(job, &name).await?;
    let mut data = made.data();
    data["statistics"] = made.outcome.data;
    Ok(ok("Excel binding completed successfully", data))
}

/// Copy columns of one file to another, row by row
#[utoipa::path(
    post,
    context_path = API,
    path = "/files/bind",
    operation_id = "bind",
    tag = "tables",
    responses((status = 200, description = "`download_url` and `statistics`", body = EnvelopeBody))
)]
pub(super) async fn overwrite(request: DirectRequest) -> Result<Envelope, Error> {
    request.file(SOURCE)?;
    request.file(TARGET)?;
    let mapping = request.object("column_mapping")?.filter(|mapping| mapping.len > 0);
    let mapping = mapping.ok_or_else(|| invalid("column_mapping is required"))?;
    let arguments = request.arguments().json("column_mapping", Some(mapping));
    let operation = Operation::overwrite(&arguments.done())?;
    let name = request.name(Some(TARGET), "bound", "xlsx");
    let job = Job { operation, input: TARGET, bind: Some(SOURCE) };
    let made = request.make(job, &name).await?;
    let mut data = made.data();
    data["statistics"] = made.outcome.data;
    Ok(ok("Converted to Excel file successfully", data))
}

/// Preview a binding
#[utoipa::path(
    post,
    context_path = API,
    path = "/files/bind/preview",
    operation_id = "bind_preview",
    tag = "tables",
    responses(
        (status = 200, description = "Columns and rows of both files, `mapping_valid` and `issues`", body = EnvelopeBody),
    )
)]
pub(super) async fn preview(request: DirectRequest) -> Result<Envelope, Error> {
    request.file(SOURCE)?;
    request.file(TARGET)?;
    let mapping = request.object("column_mapping")?.map_or("{}", |mapping| mapping.text);
    let mapping: BTreeMap<String, String> = quadrille_core::json::read(mapping)
        .map_err(|err| Error::Invalid(format!("Invalid column_mapping JSON: {err}")))?;
    let (source, target) = (request.describe(SOURCE).await?, request.describe(TARGET).await?);
    let mut issues = Vec::new();
    for (to, from) in &mapping {
        if !source.columns.iter().any(|column| same_name(column, from)) {
            issues.push(format!("Source column '{from}' not found"));
        }
        if !target.columns.iter().any(|column| same_name(column, to)) {
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
