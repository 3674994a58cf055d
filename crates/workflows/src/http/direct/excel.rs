//! Operations on one table: its description, columns and rows.
use quadrille_tabular::{Operation, TEXT_OPERATORS, TableInfo};
use serde_json::{Map, Value, json};

use super::{
    super::{
        envelope::{Envelope, EnvelopeBody, ok},
        error::Error,
    },
    arguments::{ArgumentsBuilder, JsonField},
    request::{DirectRequest, Job},
    take::FILE,
};
use crate::API;

/// Message of operations that make a workbook, as in the original.
pub(super) const FILE_GENERATED: &str = "Extracted Excel file generated successfully";

/// Describe a file
#[utoipa::path(
    post,
    context_path = API,
    path = "/excel/info",
    operation_id = "excel_info",
    tag = "tables",
    responses((status = 200, description = "Its sheets, columns and rows", body = EnvelopeBody))
)]
pub(super) async fn info(request: DirectRequest) -> Result<Envelope, Error> {
    let (name, info) = (request.file(FILE)?, described(&request).await?);
    let mut data = describe(name, &info);
    data["sheets"] = info.sheets.into();
    Ok(ok("File information retrieved successfully", data))
}

/// Describe a file
#[utoipa::path(
    post,
    context_path = API,
    path = "/csv/info",
    tag = "tables",
    responses((status = 200, description = "Its columns and rows", body = EnvelopeBody))
)]
pub(super) async fn csv_info(request: DirectRequest) -> Result<Envelope, Error> {
    let (name, info) = (request.file(FILE)?, described(&request).await?);
    Ok(ok("CSV file information retrieved successfully", describe(name, &info)))
}

async fn described(request: &DirectRequest) -> Result<TableInfo, Error> {
    request.describe(FILE).await.map_err(|err| match err {
        Error::BadFile(reason) => Error::BadFile(format!("Failed to get file info: {reason}")),
        err => err,
    })
}

fn describe(name: &str, info: &TableInfo) -> Value {
    let types: Map<_, _> =
        info.columns.iter().map(|column| (column.clone(), "str".into())).collect();
    json!({
        // As in the original; no file is stored there.
        "file_path": format!("uploads/{name}"),
        "file_name": name,
        "rows": info.rows,
        "columns": info.columns.len(),
        "column_names": info.columns,
        "data_types": types,
    })
}

/// List search operators
#[utoipa::path(
    post,
    context_path = API,
    path = "/excel/search/suggest-operators",
    operation_id = "excel_operators",
    tag = "tables",
    responses((status = 200, description = "Operators by column", body = EnvelopeBody))
)]
pub(super) async fn suggest(request: DirectRequest) -> Result<Envelope, Error> {
    let info = request.describe(FILE).await?;
    let operators = |column: String| (column, json!({"type": "str", "operators": TEXT_OPERATORS}));
    let data: Map<_, _> = info.columns.into_iter().map(operators).collect();
    Ok(ok("Operator suggestions generated successfully", data.into()))
}

/// List search operators
#[utoipa::path(
    post,
    context_path = API,
    path = "/csv/search/suggest-operators",
    operation_id = "csv_operators",
    tag = "tables",
    responses((status = 200, description = "Operators by column", body = EnvelopeBody))
)]
pub(super) async fn csv_suggest(request: DirectRequest) -> Result<Envelope, Error> {
    suggest(request).await
}

/// Reads the columns to extract, at least one.
fn columns(request: &DirectRequest) -> Result<JsonField<'_>, Error> {
    let none = || Error::Invalid("No columns specified for extraction".to_owned());
    request.list("columns")?.filter(|columns| columns.len > 0).ok_or_else(none)
}

/// Extract columns
#[utoipa::path(
    post,
    context_path = API,
    path = "/excel/extract-columns",
    operation_id = "extract_columns",
    tag = "tables",
    responses((status = 200, description = "Their cells", body = EnvelopeBody))
)]
pub(super) async fn extract(request: DirectRequest) -> Result<Envelope, Error> {
    request.file(FILE)?;
    let arguments = request
        .arguments()
        .json("columns", Some(columns(&request)?))
        .flag("remove_duplicates", request.flag("remove_duplicates", false))
        .flag("include_statistics", request.flag("include_statistics", true));
    let operation = Operation::parse("excel/extract-columns", &arguments.done())?;
    let data = request.run(Job::new(operation), None).await?.data;
    let found = data["columns"].as_object().map_or(0, Map::len);
    Ok(ok(format!("Successfully extracted {found} columns"), data))
}

/// Extract columns to a file
#[utoipa::path(
    post,
    context_path = API,
    path = "/excel/extract-columns-to-file",
    operation_id = "extract_columns_to_file",
    tag = "tables",
    responses((status = 200, description = "`download_url`", body = EnvelopeBody))
)]
pub(super) async fn extract_to_file(request: DirectRequest) -> Result<Envelope, Error> {
    request.file(FILE)?;
    let arguments = request
        .arguments()
        .json("columns", Some(columns(&request)?))
        .flag("remove_duplicates", request.flag("remove_duplicates", false));
    let operation = Operation::parse("excel/extract-columns-to-file", &arguments.done())?;
    let name = request.name(None, "extracted_columns", "xlsx");
    Ok(ok(FILE_GENERATED, request.make(Job::new(operation), &name).await?.data()))
}

/// Rename columns
#[utoipa::path(
    post,
    context_path = API,
    path = "/excel/map-columns",
    operation_id = "map_columns",
    tag = "tables",
    responses((status = 200, description = "`download_url`", body = EnvelopeBody))
)]
pub(super) async fn map(request: DirectRequest) -> Result<Envelope, Error> {
    request.file(FILE)?;
    let mapping = request.object("mapping")?.filter(|mapping| mapping.len > 0);
    let mapping = mapping.ok_or_else(|| Error::Invalid("No column mapping provided".to_owned()))?;
    let arguments = request.arguments().json("mapping", Some(mapping));
    let operation = Operation::parse("excel/map-columns", &arguments.done())?;
    let name = request.name(Some(FILE), "mapped", "xlsx");
    Ok(ok(FILE_GENERATED, request.make(Job::new(operation), &name).await?.data()))
}

/// Search rows
#[utoipa::path(
    post,
    context_path = API,
    path = "/excel/search",
    operation_id = "excel_search",
    tag = "tables",
    responses(
        (status = 200, description = "`download_url` and the numbers of rows", body = EnvelopeBody),
    )
)]
pub(super) async fn search(request: DirectRequest) -> Result<Envelope, Error> {
    found(&request, "xlsx").await
}

/// Search rows
#[utoipa::path(
    post,
    context_path = API,
    path = "/csv/search",
    tag = "tables",
    responses(
        (status = 200, description = "`download_url` and the numbers of rows", body = EnvelopeBody),
    )
)]
pub(super) async fn csv_search(request: DirectRequest) -> Result<Envelope, Error> {
    found(&request, "csv").await
}

async fn found(request: &DirectRequest, format: &str) -> Result<Envelope, Error> {
    request.file(FILE)?;
    let conditions = request.list("conditions")?.filter(|conditions| conditions.len > 0);
    let none = || Error::Invalid("At least one search condition is required".to_owned());
    let conditions = conditions.ok_or_else(none)?;
    let format = request.text("output_format").unwrap_or(format).to_ascii_lowercase();
    let format = match format.as_str() {
        "excel" => "xlsx",
        format => format,
    };
    let arguments = request
        .arguments()
        .json("conditions", Some(conditions))
        .text("logic", request.text("logic"))
        // An unknown format is refused below, after other errors.
        .text("output_format", ["csv", "json"].into_iter().find(|known| *known == format))
        .done();
    // Compiling patterns may take long.
    let operation =
        request.blocking(move || Operation::parse("excel/search", &arguments)).await??;
    if !["xlsx", "csv", "json"].contains(&format) {
        return Err(Error::Invalid("Output format must be xlsx, csv, or json".to_owned()));
    }
    let name = request.name(None, "search_results", format);
    let made = request.make(Job::new(operation), &name).await?;
    let mut data = made.data();
    for name in ["total_rows", "filtered_rows"] {
        data[name] = made.outcome.data[name].clone();
    }
    data["conditions_applied"] = conditions.len.into();
    let rows = made.outcome.rows;
    Ok(ok(format!("Search completed successfully. {rows} rows matched."), data))
}

/// Convert a file to a workbook
#[utoipa::path(
    post,
    context_path = API,
    path = "/csv/convert-to-excel",
    operation_id = "convert_to_excel",
    tag = "tables",
    responses((status = 200, description = "`download_url`", body = EnvelopeBody))
)]
pub(super) async fn convert(request: DirectRequest) -> Result<Envelope, Error> {
    request.file(FILE)?;
    let arguments = ArgumentsBuilder::default().text("sheet_name", request.text("sheet_name"));
    let operation = Operation::parse("csv/convert-to-excel", &arguments.done())?;
    let name = request.name(Some(FILE), "converted", "xlsx");
    let made = request.make(Job::new(operation), &name).await?;
    Ok(ok("Converted to Excel file successfully", made.data()))
}
