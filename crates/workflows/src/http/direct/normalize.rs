//! Normalises cells.
use quadrille_tabular::{Operation, TYPES};
use serde_json::Map;

use super::{
    super::{
        caller::ChatCaller,
        envelope::{Envelope, EnvelopeBody, ok},
        error::Error,
    },
    excel::FILE_GENERATED,
    request::{DirectRequest, Job},
    take::FILE,
};
use crate::API;

/// List normalizations
#[utoipa::path(
    get,
    context_path = API,
    path = "/normalization/types",
    operation_id = "normalization_types",
    tag = "tables",
    responses((status = 200, description = "What each type does", body = EnvelopeBody))
)]
pub(super) async fn types(_: ChatCaller) -> Envelope {
    let types: Map<_, _> =
        TYPES.iter().map(|(name, what)| ((*name).to_owned(), (*what).into())).collect();
    ok("Normalization types retrieved successfully", types.into()).total(TYPES.len())
}

/// Normalize cells
#[utoipa::path(
    post,
    context_path = API,
    path = "/normalization/apply",
    operation_id = "normalize",
    tag = "tables",
    responses(
        (status = 200, description = "`download_url`, and a `report` where it is wanted", body = EnvelopeBody),
    )
)]
pub(super) async fn apply(request: DirectRequest) -> Result<Envelope, Error> {
    request.file(FILE)?;
    let items = request.list("normalizations")?.filter(|items| items.len > 0);
    let none = || Error::Invalid("No normalization configurations provided".to_owned());
    let items = items.ok_or_else(none)?;
    let report = request.flag("return_report", false);
    let arguments =
        request.arguments().json("normalizations", Some(items)).flag("return_report", report);
    let arguments = arguments.done();
    // Compiling patterns may take long.
    let operation = request.blocking(move || Operation::parse("normalization/apply", &arguments));
    let operation = operation.await??;
    let name = request.name(Some(FILE), "normalized", "xlsx");
    let made = request.make(Job::new(operation), &name).await?;
    let mut data = made.data();
    let errors = "Normalization completed with errors, see the warnings";
    let message = |message| if made.outcome.complete { message } else { errors };
    if !report {
        return Ok(ok(message(FILE_GENERATED), data));
    }
    let message = message("Normalization completed successfully");
    data["report"] = made.outcome.data;
    data["output_file"] = made.name.into();
    Ok(ok(message, data))
}
