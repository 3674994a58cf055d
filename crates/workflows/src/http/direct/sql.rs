//! Generates SQL from rows.
use quadrille_tabular::{DATABASES, Operation};
use serde_json::json;

use super::{
    super::{
        caller::ChatCaller,
        envelope::{Envelope, EnvelopeBody, ok},
        error::Error,
    },
    request::{DirectRequest, Job},
    take::FILE,
};
use crate::API;

/// List supported databases
#[utoipa::path(
    get,
    context_path = API,
    path = "/sql/databases",
    operation_id = "sql_databases",
    tag = "tables",
    responses((status = 200, description = "`databases`", body = EnvelopeBody))
)]
pub(super) async fn databases(_: ChatCaller) -> Envelope {
    ok("Supported databases retrieved successfully", json!({ "databases": DATABASES }))
}

fn required<T>(found: Option<T>, name: &str) -> Result<T, Error> {
    found.ok_or_else(|| Error::Invalid(format!("{name} is required")))
}

/// Generate SQL
#[utoipa::path(
    post,
    context_path = API,
    path = "/sql/generate",
    operation_id = "generate_sql",
    tag = "tables",
    responses(
        (status = 200, description = "`statements` and their counts, or `download_url`", body = EnvelopeBody),
    )
)]
pub(super) async fn generate(request: DirectRequest) -> Result<Envelope, Error> {
    request.file(FILE)?;
    let table = required(request.text("table_name"), "table_name")?;
    let mapping = required(request.object("column_mapping")?, "column_mapping")?;
    let database = request.text("database_type").unwrap_or(DATABASES[0]);
    let arguments = request
        .arguments()
        .text("table_name", Some(table))
        .json("column_mapping", Some(mapping))
        .text("database_type", Some(database))
        .text("template", request.text("template"))
        .number("batch_size", request.number("batch_size")?)
        .flag("include_transaction", request.flag("include_transaction", true))
        .json("auto_increment", request.object("auto_increment")?)
        .done();
    if request.flag("return_file", false) {
        let operation = Operation::parse("sql/generate", &arguments)?;
        let name = request.name(Some(FILE), "sql", "sql");
        let made = request.make(Job::new(operation), &name).await?;
        return Ok(ok("Generate Standard SQL file successfully", made.data()));
    }
    let operation = Operation::statements(&arguments)?;
    let mut data = request.run(Job::new(operation), None).await?.data;
    data["success"] = true.into();
    data["table_name"] = table.into();
    data["database_type"] = database.to_ascii_lowercase().into();
    let total = data["total_statements"].as_u64().and_then(|total| usize::try_from(total).ok());
    Ok(ok("SQL generated successfully", data).total(total.unwrap_or_default()))
}

/// Generate a file of SQL statements
#[utoipa::path(
    post,
    context_path = API,
    path = "/sql/generate-to-text",
    operation_id = "generate_sql_text",
    tag = "tables",
    responses((status = 200, description = "`download_url`", body = EnvelopeBody))
)]
pub(super) async fn to_text(request: DirectRequest) -> Result<Envelope, Error> {
    request.file(FILE)?;
    let table = required(request.text("table_name"), "table_name")?;
    let mapping = required(request.object("column_mapping")?, "column_mapping")?;
    let arguments = request
        .arguments()
        .json("columns", request.list("columns")?)
        .text("table_name", Some(table))
        .json("column_mapping", Some(mapping))
        .text("database_type", request.text("database_type"))
        .flag("remove_duplicates", request.flag("remove_duplicates", false))
        .json("auto_increment", request.object("auto_increment")?);
    let operation = Operation::parse("sql/generate-to-text", &arguments.done())?;
    let name = request.name(None, "sql_statements", "txt");
    let made = request.make(Job::new(operation), &name).await?;
    Ok(ok("SQL text file generated successfully", made.data()))
}

/// Generate a line of text for each row
#[utoipa::path(
    post,
    context_path = API,
    path = "/sql/generate-custom-to-text",
    operation_id = "generate_custom_text",
    tag = "tables",
    responses((status = 200, description = "`download_url`", body = EnvelopeBody))
)]
pub(super) async fn custom(request: DirectRequest) -> Result<Envelope, Error> {
    request.file(FILE)?;
    let template = required(request.text("template").map(unquoted), "template")?;
    let mapping = required(request.object("column_mapping")?, "column_mapping")?;
    let arguments = request
        .arguments()
        .json("columns", request.list("columns")?)
        .text("template", Some(template))
        .json("column_mapping", Some(mapping))
        .flag("remove_duplicates", request.flag("remove_duplicates", false))
        .text("database_type", request.text("database_type"))
        .json("auto_increment", request.object("auto_increment")?);
    let operation = Operation::parse("sql/generate-custom-to-text", &arguments.done())?;
    let name = request.name(None, "custom_sql", "txt");
    let made = request.make(Job::new(operation), &name).await?;
    Ok(ok("Custom SQL text file generated successfully", made.data()))
}

/// Strips the quotes that some clients send around a template.
fn unquoted(template: &str) -> &str {
    let within = |quote: char| template.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(template)
}
