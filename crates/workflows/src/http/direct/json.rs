//! Generates JSON from rows.
use quadrille_tabular::Operation;
use serde::de::IgnoredAny;

use super::{
    super::{
        envelope::{Envelope, EnvelopeBody, ok},
        error::Error,
    },
    request::{DirectRequest, Job},
    take::FILE,
};
use crate::API;

/// Generate JSON
#[utoipa::path(
    post,
    context_path = API,
    path = "/json/generate",
    operation_id = "generate_json",
    tag = "tables",
    responses(
        (status = 200, description = "`download_url`, `total_records` and `file_size`", body = EnvelopeBody),
    )
)]
pub(super) async fn generate(request: DirectRequest) -> Result<Envelope, Error> {
    request.file(FILE)?;
    let arguments = request
        .arguments()
        .json("columns", request.list("columns")?)
        .json("column_mapping", request.object("column_mapping")?)
        .flag("pretty_print", request.flag("pretty_print", true))
        .text("null_handling", request.text("null_handling"))
        .flag("array_wrapper", request.flag("array_wrapper", true));
    let operation = Operation::parse("json/generate", &arguments.done())?;
    made(&request, operation, "generated", "JSON file generated successfully").await
}

/// Generate JSON by a template
#[utoipa::path(
    post,
    context_path = API,
    path = "/json/generate-with-template",
    operation_id = "generate_json_by_template",
    tag = "tables",
    responses(
        (status = 200, description = "`download_url`, `total_records` and `file_size`", body = EnvelopeBody),
    )
)]
pub(super) async fn with_template(request: DirectRequest) -> Result<Envelope, Error> {
    request.file(FILE)?;
    let invalid = |what: &str| Error::Invalid(what.to_owned());
    let template = request.text("template").ok_or_else(|| invalid("template is required"))?;
    let copy = quadrille_core::json::without_halves(template);
    let template = copy.as_deref().unwrap_or(template);
    if request.text("column_mapping").is_none() {
        return Err(invalid("column_mapping is required"));
    }
    serde_json::from_str::<IgnoredAny>(template)
        .map_err(|err| Error::Invalid(format!("Invalid template JSON: {err}")))?;
    let mapping = request.object("column_mapping")?.filter(|mapping| mapping.len > 0);
    let mapping = mapping.ok_or_else(|| invalid("column_mapping cannot be empty"))?;
    let arguments = request
        .arguments()
        .text("template", Some(template))
        .json("column_mapping", Some(mapping))
        .text("aggregation_mode", request.text("aggregation_mode"))
        .flag("pretty_print", request.flag("pretty_print", true));
    let operation = Operation::parse("json/generate-with-template", &arguments.done())?;
    let message = "JSON file generated successfully with template";
    made(&request, operation, "generated_template", message).await
}

async fn made(
    request: &DirectRequest,
    operation: Operation,
    kind: &str,
    message: &str,
) -> Result<Envelope, Error> {
    let name = request.name(Some(FILE), kind, "json");
    let made = request.make(Job::new(operation), &name).await?;
    let mut data = made.data();
    data["total_records"] = made.outcome.data["total_records"].clone();
    data["file_size"] = made.size.into();
    Ok(ok(message, data))
}
