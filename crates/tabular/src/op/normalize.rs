//! Normalises cells, column by column.
use serde::Deserialize;
use serde_json::Value;

use crate::{
    arguments::{self, Notes, ReportUnknown, UnknownMembers, or_default},
    cell::Row,
    date::Reading,
    error::{BadArguments, Error},
    normalize::{Item, Plan, Report},
    run::Execution,
    task::Outcome,
};

/// `normalization/apply`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Normalize {
    #[serde(default, deserialize_with = "or_default")]
    normalizations: Vec<Item>,
    return_report: Option<bool>,
    #[serde(flatten)]
    unknown: UnknownMembers,
}

impl ReportUnknown for Normalize {
    fn report_unknown(&self, notes: &mut Notes) {
        notes.unknown_members("", &self.unknown);
        for (at, item) in self.normalizations.iter().enumerate() {
            item.report_unknown(at, notes);
        }
    }
}

/// Each item may need another pass over the file.
const MAX_ITEMS: usize = 500;

impl Normalize {
    pub(crate) fn parse(arguments: &str, notes: &mut Notes) -> Result<Self, BadArguments> {
        let read: Self = arguments::read(arguments, notes)?;
        let items = read.normalizations.len();
        if items > MAX_ITEMS {
            let argument = "normalizations".to_owned();
            let reason =
                format!("{items} are too many, the limit is {MAX_ITEMS}; use several steps");
            return Err(BadArguments::Wrong { argument, reason });
        }
        Ok(read)
    }

    pub(crate) fn run(&self, run: &mut Execution<'_>) -> Result<Outcome, Error> {
        let mut report = Report::new(run.stamp());
        let mut table = run.open()?;
        let reading = Reading { day_first: false, now: run.now() };
        let counting = self.return_report.unwrap_or(true);
        let mut plan = Plan::new(
            &self.normalizations,
            table.columns(),
            run.task.backup_original,
            reading,
            run.task.limits,
            counting,
            &mut report,
        );
        run.meter.expect(1 + plan.passes());
        while let Some(mut collectors) = plan.collectors() {
            run.rows(&mut table, |row, meter| plan.collect(&mut collectors, row, meter))?;
            plan.set_fits(collectors, &run.stamp(), &mut report);
            table = run.open()?;
        }
        let mut writer = run.writer("normalized", "", &plan.names())?;
        let mut changed = Row::new();
        let rows = run.rows(&mut table, |row, meter| {
            plan.apply(row, &mut changed, meter)?;
            writer.row(&changed)
        })?;
        let written = writer.finish(&mut run.meter)?;
        report.notes.extend(plan.failures());
        let requested: Vec<_> = self.normalizations.iter().map(Item::describe).collect();
        let data = if counting {
            report.describe(&run.stamp(), rows, &requested, &plan.processed())
        } else {
            Value::Null
        };
        let mut outcome = Outcome::of(written, data);
        outcome.warnings.append(&mut report.notes);
        outcome.complete = report.success();
        Ok(outcome)
    }
}
