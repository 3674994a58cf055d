//! Cells in a usual form.
use quadrille_tabular::{Operation, TYPES};
use serde_json::Map;

use super::{
    super::{
        caller::Caller,
        envelope::{Envelope, ok},
        error::Error,
    },
    arguments::Arguments,
    asked::{Asked, Job},
    excel::MADE,
    take::FILE,
};

pub(super) async fn types(_: Caller) -> Envelope {
    let types: Map<_, _> =
        TYPES.iter().map(|(name, what)| ((*name).to_owned(), (*what).into())).collect();
    ok("Normalization types retrieved successfully", types.into()).total(TYPES.len())
}

pub(super) async fn apply(asked: Asked) -> Result<Envelope, Error> {
    asked.file(FILE)?;
    let items = asked.list("normalizations")?.filter(|it| it.len > 0);
    let none = || Error::Invalid("No normalization configurations provided".to_owned());
    let items = items.ok_or_else(none)?;
    let report = asked.flag("return_report", false);
    let arguments =
        Arguments::default().json("normalizations", Some(items)).flag("return_report", report);
    let operation = Operation::parse("normalization/apply", &arguments.done())?;
    let name = asked.name(Some(FILE), "normalized", "xlsx");
    let made = asked.make(Job::new(operation), &name).await?;
    let mut data = made.data();
    if !report {
        return Ok(ok(MADE, data));
    }
    data["report"] = made.outcome.data;
    data["output_file"] = made.name.into();
    Ok(ok("Normalization completed successfully", data))
}
