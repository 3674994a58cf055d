//! Migrations of the schema: one list for each database, with the same numbers.
use sqlx::{
    SqlSafeStr,
    migrate::{Migrate, MigrateError, Migration, MigrationType},
};

use crate::OpenError;

/// Result of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Number of applied migrations; 0 if the schema was current.
    pub applied: usize,
}

/// Table of the applied migrations.
const TABLE: &str = "_sqlx_migrations";

type MigrationList = &'static [(i64, &'static str, &'static str)];

macro_rules! step {
    ($folder:literal, $number:literal, $name:literal) => {
        ($number, $name, include_str!(concat!("../migrations/", $folder, "/", $name, ".sql")))
    };
}

pub(crate) const SQLITE: MigrationList = &[
    step!("sqlite", 1, "0001_conversations"),
    step!("sqlite", 2, "0002_workflows"),
    step!("sqlite", 3, "0003_files"),
    step!("sqlite", 4, "0004_run_keys"),
    step!("sqlite", 5, "0005_search_index"),
    step!("sqlite", 6, "0006_turns"),
];

#[cfg(feature = "postgres")]
pub(crate) const POSTGRES: MigrationList = &[
    step!("postgres", 1, "0001_conversations"),
    step!("postgres", 2, "0002_workflows"),
    step!("postgres", 3, "0003_files"),
    step!("postgres", 4, "0004_run_keys"),
    step!("postgres", 5, "0005_search_index"),
    step!("postgres", 6, "0006_turns"),
];

/// Applies the pending migrations, on a connection of its own or in a transaction.
///
/// `Migrator::run` is no alternative: its future is not `Send`.
pub(crate) async fn run<C: Migrate>(
    connection: &mut C,
    steps: MigrationList,
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

/// Fails if [`run`] would apply a migration.
pub(crate) async fn check<C: Migrate>(
    connection: &mut C,
    steps: MigrationList,
    has_table: bool,
) -> Result<(), OpenError> {
    let pending = if has_table { pending(connection, steps).await?.len() } else { steps.len() };
    if pending > 0 { Err(OpenError::Old(pending)) } else { Ok(()) }
}

/// Lists the migrations that were not applied.
async fn pending<C: Migrate>(
    connection: &mut C,
    steps: MigrationList,
) -> Result<Vec<Migration>, OpenError> {
    if let Some(version) = connection.dirty_version(TABLE).await? {
        return Err(MigrateError::Dirty(version).into());
    }
    let mut pending: Vec<_> = steps.iter().copied().map(migration).collect();
    for applied in connection.list_applied_migrations(TABLE).await? {
        let at = pending.iter().position(|step| step.version == applied.version);
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
    fn from(err: MigrateError) -> Self {
        Self::Migrate(err.into())
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use sqlx::{Connection, Executor, SqliteConnection};

    use super::*;

    fn files(folder: &str) -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).collect()
    }

    #[test]
    fn both_databases_have_the_same_steps_and_every_file_is_one() {
        let listed: BTreeSet<_> = SQLITE.iter().map(|(_, name, _)| format!("{name}.sql")).collect();
        assert_eq!((files("sqlite"), files("postgres")), (listed.clone(), listed));
        let numbered =
            |(number, name, _): &(i64, &str, &str)| name.starts_with(&format!("{number:04}_"));
        assert!(SQLITE.iter().all(numbered));
    }

    #[tokio::test]
    async fn the_search_index_of_an_old_database_is_dropped_and_messages_stay() {
        const ADD: &str = "
            INSERT INTO messages (conversation_id, role, content, timestamp)
            VALUES (1, 'user', 'words', 0)";
        const INDEX: &str = "
            SELECT count(*) FROM sqlite_schema WHERE name LIKE 'message_words%' OR type = 'trigger'";
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let old = run(&mut connection, &SQLITE[..4]).await.unwrap();
        assert_eq!(old.applied, 4);
        connection
            .execute(
                "INSERT INTO users (id, created_at) VALUES ('ann', 0);
                 INSERT INTO conversations (user_id, title, created_at, updated_at)
                 VALUES ('ann', '', 0, 0)",
            )
            .await
            .unwrap();
        connection.execute(ADD).await.unwrap();
        let count: i64 = sqlx::query_scalar(INDEX).fetch_one(&mut connection).await.unwrap();
        assert!(count > 3, "{count}");
        assert_eq!(run(&mut connection, &SQLITE[..5]).await.unwrap().applied, 1);
        let count: i64 = sqlx::query_scalar(INDEX).fetch_one(&mut connection).await.unwrap();
        assert_eq!(count, 0);
        connection.execute(ADD).await.unwrap();
        connection.execute("UPDATE messages SET content = 'others' WHERE id = 1").await.unwrap();
        connection.execute("DELETE FROM messages WHERE id = 2").await.unwrap();
        let left = "SELECT content FROM messages";
        let left: Vec<String> = sqlx::query_scalar(left).fetch_all(&mut connection).await.unwrap();
        assert_eq!(left, ["others"]);
    }

    #[tokio::test]
    async fn turns_of_an_old_database_keep_their_data_and_their_keys() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        run(&mut connection, &SQLITE[..5]).await.unwrap();
        connection
            .execute(
                "INSERT INTO users (id, created_at) VALUES ('ann', 0);
                 INSERT INTO conversations (user_id, title, created_at, updated_at)
                 VALUES ('ann', '', 0, 0);
                 INSERT INTO messages (conversation_id, user_id, role, content, timestamp)
                 VALUES (1, 'ann', 'user', 'why?', 0), (1, NULL, 'assistant', 'because', 0),
                    (1, 'ann', 'user', 'and?', 0), (1, NULL, 'assistant', 'sorry', 0);
                 INSERT INTO turns (
                    id, conversation_id, question_id, state, reply_id, started_at, ended_at
                 )
                 VALUES (x'01', 1, 1, 'completed', 2, 3, 4), (x'02', 1, 3, 'interrupted', 4, 5, 6);
                 INSERT INTO idempotency_keys (
                    conversation_id, user_id, key, message_id, created_at
                 )
                 VALUES (1, 'ann', 'k', 3, 7), (1, 'ann', 'answer', 2, 7)",
            )
            .await
            .unwrap();
        run(&mut connection, SQLITE).await.unwrap();
        let rows = "
            SELECT hex(id) || topic || user_id || state || COALESCE(code, '') || COALESCE(text, '-')
                || question_id || reply_id || started_at || ended_at
            FROM turns ORDER BY id";
        let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&mut connection).await.unwrap();
        assert_eq!(rows, ["01room:1anncompleted-1234", "02room:1annfailedinterrupted3456"]);
        let keys = "SELECT user_id || key || hex(turn_id) || created_at FROM turn_keys";
        let keys: Vec<String> = sqlx::query_scalar(keys).fetch_all(&mut connection).await.unwrap();
        assert_eq!(keys, ["annk027"]);
    }
}
