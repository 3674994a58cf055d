//! Cells in a usual form.
use quadrille_tabular::{Operation, TYPES};
use serde_json::Map;

use super::{
    super::{
        caller::Caller,
        envelope::{Answer, Envelope, ok},
        error::Error,
    },
    ROOT,
    asked::{Asked, Job},
    excel::MADE,
    take::FILE,
};

/// List what can be done to cells
#[utoipa::path(
    get,
    context_path = ROOT,
    path = "/normalization/types",
    operation_id = "normalization_types",
    tag = "tables",
    responses((status = 200, description = "What each type does", body = Answer))
)]
pub(super) async fn types(_: Caller) -> Envelope {
    let types: Map<_, _> =
        TYPES.iter().map(|(name, what)| ((*name).to_owned(), (*what).into())).collect();
    ok("Normalization types retrieved successfully", types.into()).total(TYPES.len())
}

/// Bring cells into a usual form
#[utoipa::path(
    post,
    context_path = ROOT,
    path = "/normalization/apply",
    operation_id = "normalize",
    tag = "tables",
    responses(
        (status = 200, description = "`download_url`, and a `report` where it is wanted", body = Answer),
    )
)]
pub(super) async fn apply(asked: Asked) -> Result<Envelope, Error> {
    asked.file(FILE)?;
    let items = asked.list("normalizations")?.filter(|it| it.len > 0);
    let none = || Error::Invalid("No normalization configurations provided".to_owned());
    let items = items.ok_or_else(none)?;
    let report = asked.flag("return_report", false);
    let arguments =
        asked.arguments().json("normalizations", Some(items)).flag("return_report", report);
    let arguments = arguments.done();
    // Patterns take a while.
    let operation = asked.aside(move || Operation::parse("normalization/apply", &arguments));
    let operation = operation.await??;
    let name = asked.name(Some(FILE), "normalized", "xlsx");
    let made = asked.make(Job::new(operation), &name).await?;
    let mut data = made.data();
    let errors = "Normalization completed with errors, see the warnings";
    let said = |said| if made.outcome.complete { said } else { errors };
    if !report {
        return Ok(ok(said(MADE), data));
    }
    let said = said("Normalization completed successfully");
    data["report"] = made.outcome.data;
    data["output_file"] = made.name.into();
    Ok(ok(said, data))
}
