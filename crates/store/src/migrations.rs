//! The schema, step by step: one list for each database, with the same numbers.
use sqlx::{
    SqlSafeStr,
    migrate::{Migrate, MigrateError, Migration, MigrationType},
};

use crate::{Migrated, OpenError};

/// Where the database keeps what was applied.
const TABLE: &str = "_sqlx_migrations";

type Steps = &'static [(i64, &'static str, &'static str)];

macro_rules! step {
    ($folder:literal, $number:literal, $name:literal) => {
        ($number, $name, include_str!(concat!("../migrations/", $folder, "/", $name, ".sql")))
    };
}

pub(crate) const SQLITE: Steps = &[
    step!("sqlite", 1, "0001_conversations"),
    step!("sqlite", 2, "0002_workflows"),
    step!("sqlite", 3, "0003_pending_files"),
    step!("sqlite", 4, "0004_run_keys"),
];

#[cfg(feature = "postgres")]
pub(crate) const POSTGRES: Steps = &[
    step!("postgres", 1, "0001_conversations"),
    step!("postgres", 2, "0002_workflows"),
    step!("postgres", 3, "0003_pending_files"),
    step!("postgres", 4, "0004_run_keys"),
];

/// Take the steps that were not taken. On a connection of its own, or in a transaction.
///
/// Not by `Migrator::run`, whose future cannot be sent to another thread.
pub(crate) async fn run<C: Migrate>(
    connection: &mut C,
    steps: Steps,
) -> Result<Migrated, OpenError> {
    // Another process that starts at the same time waits here.
    connection.lock().await?;
    connection.ensure_migrations_table(TABLE).await?;
    let pending = pending(connection, steps).await?;
    for step in &pending {
        connection.apply(TABLE, step).await?;
    }
    connection.unlock().await?;
    Ok(Migrated { applied: pending.len() })
}

/// Refuse what [`run`] would change.
pub(crate) async fn check<C: Migrate>(
    connection: &mut C,
    steps: Steps,
    has_table: bool,
) -> Result<(), OpenError> {
    let pending = if has_table { pending(connection, steps).await?.len() } else { steps.len() };
    if pending > 0 { Err(OpenError::Old(pending)) } else { Ok(()) }
}

/// The steps that a database has not taken.
async fn pending<C: Migrate>(
    connection: &mut C,
    steps: Steps,
) -> Result<Vec<Migration>, OpenError> {
    if let Some(version) = connection.dirty_version(TABLE).await? {
        return Err(MigrateError::Dirty(version).into());
    }
    let mut pending: Vec<_> = steps.iter().copied().map(migration).collect();
    for applied in connection.list_applied_migrations(TABLE).await? {
        let at = pending.iter().position(|it| it.version == applied.version);
        let step = pending.remove(at.ok_or(OpenError::New)?);
        if step.checksum != applied.checksum {
            return Err(MigrateError::VersionMismatch(step.version).into());
        }
    }
    Ok(pending)
}

fn migration((number, name, sql): (i64, &'static str, &'static str)) -> Migration {
    Migration::new(number, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
}

impl From<MigrateError> for OpenError {
    fn from(why: MigrateError) -> Self {
        Self::Migrate(why.into())
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    fn files(folder: &str) -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
        let names = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
        names.map(|it| it.into_string().unwrap()).collect()
    }

    #[test]
    fn both_databases_have_the_same_steps_and_every_file_is_one() {
        let listed: BTreeSet<_> = SQLITE.iter().map(|(_, name, _)| format!("{name}.sql")).collect();
        assert_eq!((files("sqlite"), files("postgres")), (listed.clone(), listed));
        let numbered =
            |(number, name, _): &(i64, &str, &str)| name.starts_with(&format!("{number:04}_"));
        assert!(SQLITE.iter().all(numbered));
    }
}
