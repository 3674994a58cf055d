//! Rows as JSON.
use quadrille_tabular::Operation;
use serde::de::IgnoredAny;

use super::{
    super::{
        envelope::{Answer, Envelope, ok},
        error::Error,
    },
    ROOT,
    arguments::Arguments,
    asked::{Asked, Job},
    take::FILE,
};

/// Make JSON of rows
#[utoipa::path(
    post,
    context_path = ROOT,
    path = "/json/generate",
    operation_id = "generate_json",
    tag = "tables",
    responses(
        (status = 200, description = "`download_url`, `total_records` and `file_size`", body = Answer),
    )
)]
pub(super) async fn generate(asked: Asked) -> Result<Envelope, Error> {
    asked.file(FILE)?;
    let arguments = Arguments::default()
        .json("columns", asked.list("columns")?)
        .json("column_mapping", asked.object("column_mapping")?)
        .flag("pretty_print", asked.flag("pretty_print", true))
        .text("null_handling", asked.text("null_handling"))
        .flag("array_wrapper", asked.flag("array_wrapper", true));
    let operation = Operation::parse("json/generate", &arguments.done())?;
    made(&asked, operation, "generated", "JSON file generated successfully").await
}

/// Make JSON of rows by a template
#[utoipa::path(
    post,
    context_path = ROOT,
    path = "/json/generate-with-template",
    operation_id = "generate_json_by_template",
    tag = "tables",
    responses(
        (status = 200, description = "`download_url`, `total_records` and `file_size`", body = Answer),
    )
)]
pub(super) async fn with_template(asked: Asked) -> Result<Envelope, Error> {
    asked.file(FILE)?;
    let invalid = |what: &str| Error::Invalid(what.to_owned());
    let template = asked.text("template").ok_or_else(|| invalid("template is required"))?;
    let copy = quadrille_core::json::without_halves(template);
    let template = copy.as_deref().unwrap_or(template);
    if asked.text("column_mapping").is_none() {
        return Err(invalid("column_mapping is required"));
    }
    serde_json::from_str::<IgnoredAny>(template)
        .map_err(|why| Error::Invalid(format!("Invalid template JSON: {why}")))?;
    let mapping = asked.object("column_mapping")?.filter(|it| it.len > 0);
    let mapping = mapping.ok_or_else(|| invalid("column_mapping cannot be empty"))?;
    let arguments = Arguments::default()
        .text("template", Some(template))
        .json("column_mapping", Some(mapping))
        .text("aggregation_mode", asked.text("aggregation_mode"))
        .flag("pretty_print", asked.flag("pretty_print", true));
    let operation = Operation::parse("json/generate-with-template", &arguments.done())?;
    let told = "JSON file generated successfully with template";
    made(&asked, operation, "generated_template", told).await
}

async fn made(
    asked: &Asked,
    operation: Operation,
    kind: &str,
    told: &str,
) -> Result<Envelope, Error> {
    let name = asked.name(Some(FILE), kind, "json");
    let made = asked.make(Job::new(operation), &name).await?;
    let mut data = made.data();
    data["total_records"] = made.outcome.data["total_records"].clone();
    data["file_size"] = made.size.into();
    Ok(ok(told, data))
}
