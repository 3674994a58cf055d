//! One table: what it is, its columns, and its rows.
use quadrille_tabular::{Operation, TEXT_OPERATORS, TableInfo};
use serde_json::{Map, Value, json};

use super::{
    super::{
        envelope::{Answer, Envelope, ok},
        error::Error,
    },
    ROOT,
    arguments::{Arguments, Json},
    asked::{Asked, Job},
    take::FILE,
};

pub(super) const MADE: &str = "Extracted Excel file generated successfully";

/// See what a file is
#[utoipa::path(
    post,
    context_path = ROOT,
    path = "/excel/info",
    operation_id = "excel_info",
    tag = "tables",
    responses((status = 200, description = "Its sheets, columns and rows", body = Answer))
)]
pub(super) async fn info(asked: Asked) -> Result<Envelope, Error> {
    let (name, info) = (asked.file(FILE)?, described(&asked).await?);
    let mut data = describe(name, &info);
    data["sheets"] = info.sheets.into();
    Ok(ok("File information retrieved successfully", data))
}

/// See what a file is
#[utoipa::path(
    post,
    context_path = ROOT,
    path = "/csv/info",
    tag = "tables",
    responses((status = 200, description = "Its columns and rows", body = Answer))
)]
pub(super) async fn csv_info(asked: Asked) -> Result<Envelope, Error> {
    let (name, info) = (asked.file(FILE)?, described(&asked).await?);
    Ok(ok("CSV file information retrieved successfully", describe(name, &info)))
}

async fn described(asked: &Asked) -> Result<TableInfo, Error> {
    asked.look(FILE).await.map_err(|why| match why {
        Error::BadFile(why) => Error::BadFile(format!("Failed to get file info: {why}")),
        why => why,
    })
}

fn describe(name: &str, info: &TableInfo) -> Value {
    let types: Map<_, _> = info.columns.iter().map(|it| (it.clone(), "str".into())).collect();
    json!({
        // As clients know it; nothing stays there.
        "file_path": format!("uploads/{name}"),
        "file_name": name,
        "rows": info.rows,
        "columns": info.columns.len(),
        "column_names": info.columns,
        "data_types": types,
    })
}

/// See what columns can be compared by
#[utoipa::path(
    post,
    context_path = ROOT,
    path = "/excel/search/suggest-operators",
    operation_id = "excel_operators",
    tag = "tables",
    responses((status = 200, description = "Operators by column", body = Answer))
)]
pub(super) async fn suggest(asked: Asked) -> Result<Envelope, Error> {
    let info = asked.look(FILE).await?;
    let operators = |column: String| (column, json!({"type": "str", "operators": TEXT_OPERATORS}));
    let data: Map<_, _> = info.columns.into_iter().map(operators).collect();
    Ok(ok("Operator suggestions generated successfully", data.into()))
}

/// See what columns can be compared by
#[utoipa::path(
    post,
    context_path = ROOT,
    path = "/csv/search/suggest-operators",
    operation_id = "csv_operators",
    tag = "tables",
    responses((status = 200, description = "Operators by column", body = Answer))
)]
pub(super) async fn csv_suggest(asked: Asked) -> Result<Envelope, Error> {
    suggest(asked).await
}

/// The columns that are wanted, of which there must be some.
fn columns(asked: &Asked) -> Result<Json<'_>, Error> {
    let none = || Error::Invalid("No columns specified for extraction".to_owned());
    asked.list("columns")?.filter(|it| it.len > 0).ok_or_else(none)
}

/// Read columns
#[utoipa::path(
    post,
    context_path = ROOT,
    path = "/excel/extract-columns",
    operation_id = "extract_columns",
    tag = "tables",
    responses((status = 200, description = "Their cells", body = Answer))
)]
pub(super) async fn extract(asked: Asked) -> Result<Envelope, Error> {
    asked.file(FILE)?;
    let arguments = asked
        .arguments()
        .json("columns", Some(columns(&asked)?))
        .flag("remove_duplicates", asked.flag("remove_duplicates", false))
        .flag("include_statistics", asked.flag("include_statistics", true));
    let operation = Operation::parse("excel/extract-columns", &arguments.done())?;
    let data = asked.run(Job::new(operation), None).await?.data;
    let found = data["columns"].as_object().map_or(0, Map::len);
    Ok(ok(format!("Successfully extracted {found} columns"), data))
}

/// Make a file of some columns
#[utoipa::path(
    post,
    context_path = ROOT,
    path = "/excel/extract-columns-to-file",
    operation_id = "extract_columns_to_file",
    tag = "tables",
    responses((status = 200, description = "`download_url`", body = Answer))
)]
pub(super) async fn extract_to_file(asked: Asked) -> Result<Envelope, Error> {
    asked.file(FILE)?;
    let arguments = asked
        .arguments()
        .json("columns", Some(columns(&asked)?))
        .flag("remove_duplicates", asked.flag("remove_duplicates", false));
    let operation = Operation::parse("excel/extract-columns-to-file", &arguments.done())?;
    let name = asked.name(None, "extracted_columns", "xlsx");
    Ok(ok(MADE, asked.make(Job::new(operation), &name).await?.data()))
}

/// Rename columns
#[utoipa::path(
    post,
    context_path = ROOT,
    path = "/excel/map-columns",
    operation_id = "map_columns",
    tag = "tables",
    responses((status = 200, description = "`download_url`", body = Answer))
)]
pub(super) async fn map(asked: Asked) -> Result<Envelope, Error> {
    asked.file(FILE)?;
    let mapping = asked.object("mapping")?.filter(|it| it.len > 0);
    let mapping = mapping.ok_or_else(|| Error::Invalid("No column mapping provided".to_owned()))?;
    let arguments = asked.arguments().json("mapping", Some(mapping));
    let operation = Operation::parse("excel/map-columns", &arguments.done())?;
    let name = asked.name(Some(FILE), "mapped", "xlsx");
    Ok(ok(MADE, asked.make(Job::new(operation), &name).await?.data()))
}

/// Find rows
#[utoipa::path(
    post,
    context_path = ROOT,
    path = "/excel/search",
    operation_id = "excel_search",
    tag = "tables",
    responses(
        (status = 200, description = "`download_url`, and how many rows there are", body = Answer),
    )
)]
pub(super) async fn search(asked: Asked) -> Result<Envelope, Error> {
    found(&asked, "xlsx").await
}

/// Find rows
#[utoipa::path(
    post,
    context_path = ROOT,
    path = "/csv/search",
    tag = "tables",
    responses(
        (status = 200, description = "`download_url`, and how many rows there are", body = Answer),
    )
)]
pub(super) async fn csv_search(asked: Asked) -> Result<Envelope, Error> {
    found(&asked, "csv").await
}

async fn found(asked: &Asked, format: &str) -> Result<Envelope, Error> {
    asked.file(FILE)?;
    let conditions = asked.list("conditions")?.filter(|it| it.len > 0);
    let none = || Error::Invalid("At least one search condition is required".to_owned());
    let conditions = conditions.ok_or_else(none)?;
    let format = asked.text("output_format").unwrap_or(format).to_ascii_lowercase();
    let format = match format.as_str() {
        "excel" => "xlsx",
        format => format,
    };
    let arguments = asked
        .arguments()
        .json("conditions", Some(conditions))
        .text("logic", asked.text("logic"))
        // Its own error comes after those of the rest.
        .text("output_format", ["csv", "json"].into_iter().find(|it| *it == format))
        .done();
    // Patterns take a while.
    let operation = asked.aside(move || Operation::parse("excel/search", &arguments)).await??;
    if !["xlsx", "csv", "json"].contains(&format) {
        return Err(Error::Invalid("Output format must be xlsx, csv, or json".to_owned()));
    }
    let name = asked.name(None, "search_results", format);
    let made = asked.make(Job::new(operation), &name).await?;
    let mut data = made.data();
    for name in ["total_rows", "filtered_rows"] {
        data[name] = made.outcome.data[name].clone();
    }
    data["conditions_applied"] = conditions.len.into();
    let rows = made.outcome.rows;
    Ok(ok(format!("Search completed successfully. {rows} rows matched."), data))
}

/// Make a workbook of a file
#[utoipa::path(
    post,
    context_path = ROOT,
    path = "/csv/convert-to-excel",
    operation_id = "convert_to_excel",
    tag = "tables",
    responses((status = 200, description = "`download_url`", body = Answer))
)]
pub(super) async fn convert(asked: Asked) -> Result<Envelope, Error> {
    asked.file(FILE)?;
    let arguments = Arguments::default().text("sheet_name", asked.text("sheet_name"));
    let operation = Operation::parse("csv/convert-to-excel", &arguments.done())?;
    let name = asked.name(Some(FILE), "converted", "xlsx");
    let made = asked.make(Job::new(operation), &name).await?;
    Ok(ok("Converted to Excel file successfully", made.data()))
}
