//! Cells in a usual form, column by column.
use serde::Deserialize;
use serde_json::Value;

use crate::{
    arguments::{self, Takes, Told, Unknown, or_default},
    cell::Row,
    date::Reading,
    error::{BadArguments, Error},
    normalize::{Item, Plan, Report},
    operation::Outcome,
    run::Run,
};

/// `normalization/apply`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Normalize {
    #[serde(default, deserialize_with = "or_default")]
    normalizations: Vec<Item>,
    return_report: Option<bool>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Takes for Normalize {
    fn tell(&self, told: &mut Told) {
        told.all("", &self.unknown);
        for (at, item) in self.normalizations.iter().enumerate() {
            item.tell(at, told);
        }
    }
}

/// Each may need the file to be read once more.
const MAX_ITEMS: usize = 500;

impl Normalize {
    pub(crate) fn parse(arguments: &str, told: &mut Told) -> Result<Self, BadArguments> {
        let read: Self = arguments::read(arguments, told)?;
        let items = read.normalizations.len();
        if items > MAX_ITEMS {
            let argument = "normalizations".to_owned();
            let why = format!("{items} are too many, {MAX_ITEMS} is the most; use several steps");
            return Err(BadArguments::Wrong { argument, why });
        }
        Ok(read)
    }

    pub(crate) fn run(&self, run: &mut Run<'_>) -> Result<Outcome, Error> {
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
        while let Some(mut gathers) = plan.gather() {
            run.rows(&mut table, |row, meter| plan.look(&mut gathers, row, meter))?;
            plan.learn(gathers, &run.stamp(), &mut report);
            table = run.open()?;
        }
        let mut writer = run.writer("normalized", "", &plan.names())?;
        let mut changed = Row::new();
        let rows = run.rows(&mut table, |row, meter| {
            plan.apply(row, &mut changed, meter)?;
            writer.row(&changed)
        })?;
        let written = writer.finish()?;
        report.told.extend(plan.failures());
        let requested: Vec<_> = self.normalizations.iter().map(Item::describe).collect();
        let data = if counting {
            report.describe(&run.stamp(), rows, &requested, &plan.processed())
        } else {
            Value::Null
        };
        let mut outcome = Outcome::of(written, data);
        outcome.warnings.append(&mut report.told);
        outcome.complete = report.success();
        Ok(outcome)
    }
}
