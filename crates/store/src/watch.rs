//! Monitors the database: that its file is at its path and whole, and that it can be written to.
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::PathBuf,
    time::{Duration, Instant},
};

use sqlx::{ConnectOptions, Connection, sqlite::SqlitePool};

use crate::{
    Error, Fault, Store,
    db::Db,
    health::{self, Check},
    lock,
};

/// Time between two checks.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Shortest time between two checks of the whole file.
const FULL_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Pause after a check of the whole file, as a multiple of its duration.
const FULL_CHECK_PAUSE: u32 = 100;

/// Name of the part in the log.
const PART: &str = "store";

/// The file of the database, open as long as the store: closing it would release the locks of `SQLite`
/// on it.
#[derive(Debug)]
pub(crate) struct DbFile {
    path: PathBuf,
    file: File,
}

// === impl DbFile ===

impl DbFile {
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        let file = File::open(&path)?;
        Ok(Self { path, file })
    }

    /// Returns whether the file is still at its path.
    fn is_there(&self) -> bool {
        lock::is_at(&self.file, &self.path)
    }

    /// Returns whether the file has the header of a database, and at least the length that the header
    /// says (sqlite.org/fileformat2.html, 1.3).
    fn is_whole(&self) -> bool {
        let mut head = [0; 100];
        let Ok(()) = self.file.read_exact_at(&mut head, 0) else { return false };
        let page = match u16::from_be_bytes([head[16], head[17]]) {
            1 => 65_536,
            size => u64::from(size),
        };
        let pages = u64::from(u32::from_be_bytes([head[28], head[29], head[30], head[31]]));
        let length = self.file.metadata().map_or(0, |meta| meta.len());
        head.starts_with(b"SQLite format 3\0") && pages * page <= length
    }
}

impl Store {
    /// Returns the fault that the latest check found.
    pub fn fault(&self) -> Option<Fault> {
        self.health().fault()
    }

    /// Monitors the database. Never returns.
    pub async fn watch(&self) {
        tokio::join!(self.watch_quickly(), self.watch_thoroughly());
    }

    /// Fails if the database has a fault, before anything is written.
    pub(crate) async fn check_usable(&self) -> Result<(), Error> {
        if self.fault().is_some() || self.find_missing().await.is_some() {
            return Err(Error::Unavailable);
        }
        Ok(())
    }

    /// Fails if the file was removed while it was written to. A file system that does not answer is no
    /// failure: what was committed is stored, and after an error a client would send it again.
    pub(crate) async fn check_still_there(&self) -> Result<(), Error> {
        match self.find_missing().await {
            None | Some(Fault::Silent) => Ok(()),
            Some(_) => Err(Error::Unavailable),
        }
    }

    /// Checks that the file is at its path, and stores the fault if it is not.
    async fn find_missing(&self) -> Option<Fault> {
        let file = self.db_file().cloned()?;
        let fault = match self.run_blocking(move || file.is_there()).await {
            Some(true) => return None,
            Some(false) => Fault::Gone,
            None => Fault::Silent,
        };
        self.health().set(Check::Quick, PART, Some(fault));
        Some(fault)
    }

    /// Runs `work` on a blocking thread. `None` after `busy_timeout`.
    async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let done = tokio::task::spawn_blocking(work);
        tokio::time::timeout(self.busy_timeout(), done).await.ok()?.ok()
    }

    async fn watch_quickly(&self) {
        let (mut short_reads, mut seen) = (0, health::suspicions());
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            let suspicions = health::suspicions();
            let is_suspect = std::mem::replace(&mut seen, suspicions) != suspicions;
            let found = self.check(&mut short_reads, is_suspect).await;
            self.health().set(Check::Quick, PART, found);
        }
    }

    async fn check(&self, short_reads: &mut u32, is_suspect: bool) -> Option<Fault> {
        match (self.db(), self.db_file().cloned()) {
            (Db::Sqlite { writer, .. }, Some(file)) => {
                let seen = self.run_blocking(move || (file.is_there(), file.is_whole())).await;
                let Some((is_there, is_whole)) = seen else { return Some(Fault::Silent) };
                if !is_there {
                    return Some(Fault::Gone);
                }
                // During a checkpoint, the file may be shorter than its header says.
                *short_reads = if is_whole { 0 } else { *short_reads + 1 };
                if *short_reads > 1 {
                    return Some(Fault::Damaged);
                }
                let is_suspect = is_suspect || self.health().of(Check::Quick).is_some();
                write(writer, is_suspect).await.err()
            }
            #[cfg(feature = "postgres")]
            (Db::Postgres(pool), _) => postgres(pool).await.err(),
            (Db::Sqlite { .. }, None) => None,
        }
    }

    /// Reads the whole file on a new connection: caches would hide damage.
    async fn watch_thoroughly(&self) {
        let readers = match self.db() {
            Db::Sqlite { readers, .. } => readers,
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => return,
        };
        let (mut due, mut seen) = (Instant::now() + FULL_CHECK_INTERVAL, health::suspicions());
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            let suspicions = health::suspicions();
            if Instant::now() < due && seen == suspicions {
                continue;
            }
            seen = suspicions;
            let begin = Instant::now();
            let found = read(readers).await.err();
            self.health().set(Check::Thorough, PART, found);
            due = Instant::now() + FULL_CHECK_INTERVAL.max(begin.elapsed() * FULL_CHECK_PAUSE);
        }
    }
}

/// Checks that a write transaction can begin, and on suspicion that it can commit.
async fn write(writer: &SqlitePool, is_suspect: bool) -> Result<(), Fault> {
    let mut taken = match writer.acquire().await {
        // The store itself is writing.
        Err(sqlx::Error::PoolTimedOut) => return Ok(()),
        taken => taken.map_err(fault)?,
    };
    let mut tx = taken.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
    if !is_suspect {
        return tx.rollback().await.map_err(fault);
    }
    // Rewrites an unused value: this writes a page.
    let version = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *tx);
    let version: i64 = version.await.map_err(fault)?;
    let again = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {version}"));
    sqlx::query(again).execute(&mut *tx).await.map_err(fault)?;
    tx.commit().await.map_err(fault)
}

async fn read(readers: &SqlitePool) -> Result<(), Fault> {
    let options = readers.connect_options().as_ref().clone().create_if_missing(false);
    let mut connection = options.connect().await.map_err(fault)?;
    let check = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut connection);
    let checked: Result<String, _> = check.await;
    // Only the farewell can fail.
    connection.close().await.ok();
    match checked {
        Ok(word) if word == "ok" => Ok(()),
        Ok(_) => Err(Fault::Damaged),
        Err(err) => Err(fault(err)),
    }
}

#[cfg(feature = "postgres")]
async fn postgres(pool: &sqlx::PgPool) -> Result<(), Fault> {
    let writes = sqlx::query_scalar("SELECT NOT pg_is_in_recovery()").fetch_one(pool).await;
    match writes {
        Ok(true) => Ok(()),
        Ok(false) => Err(Fault::Unwritable),
        // All connections are in use, so the server answers.
        Err(sqlx::Error::PoolTimedOut)
            if pool.size() >= pool.options().get_max_connections() && pool.num_idle() == 0 =>
        {
            Ok(())
        }
        Err(_) => Err(Fault::Unreachable),
    }
}

fn fault(err: sqlx::Error) -> Fault {
    if crate::error::is_damage(&err) {
        return Fault::Damaged;
    }
    match Error::from(err) {
        Error::Busy => Fault::Locked,
        Error::Full => Fault::Full,
        Error::Unavailable | Error::Internal(_) => Fault::Unreachable,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{fs, sync::mpsc};

    use e2e::scratch::Scratch;
    use tokio::{
        runtime::{Builder, Runtime},
        task::spawn_blocking,
    };

    use super::*;
    use crate::{Config, db};

    /// With one thread that asks the file system.
    pub(crate) fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap()
    }

    /// The file system does not answer until this is dropped.
    pub(crate) fn silence() -> mpsc::Sender<()> {
        let (sender, ended) = mpsc::channel();
        spawn_blocking(move || ended.recv());
        sender
    }

    async fn open(home: &Scratch) -> Store {
        let url = format!("sqlite://{}", home.path().join("q.db").display());
        let busy_timeout = Duration::from_millis(500);
        Store::open(&Config { url, busy_timeout, ..Config::default() }).await.unwrap()
    }

    #[test]
    fn what_was_committed_is_told_to_be_stored_though_the_file_system_falls_silent() {
        runtime().block_on(async {
            let home = Scratch::new();
            let store = open(&home).await;
            let writer = match store.db() {
                Db::Sqlite { writer, .. } => writer,
                #[cfg(feature = "postgres")]
                Db::Postgres(_) => unreachable!(),
            };
            let taken = db::take(writer).await.unwrap();
            let falls_silent = async {
                // After the check before the transaction: one is asked after the other.
                spawn_blocking(|| ()).await.unwrap();
                let silence = silence();
                drop(taken);
                silence
            };
            let made = store.create_conversation("ann", None);
            let (made, silence) = futures_util::future::join(made, falls_silent).await;
            made.unwrap();
            assert_eq!(store.fault(), Some(Fault::Silent));
            drop(silence);
            store.health().set(Check::Quick, PART, None);
            store.create_conversation("ann", None).await.unwrap();
        });
    }

    #[test]
    fn a_file_system_that_does_not_answer_is_told_from_a_file_that_is_gone() {
        runtime().block_on(async {
            let home = Scratch::new();
            let store = open(&home).await;
            let silence = silence();
            let made = store.create_conversation("ann", None).await;
            assert!(matches!(made, Err(Error::Unavailable)), "{made:?}");
            assert_eq!(store.fault(), Some(Fault::Silent));
            assert_eq!(store.check(&mut 0, false).await, Some(Fault::Silent));
            drop(silence);
            fs::remove_file(home.path().join("q.db")).unwrap();
            assert!(matches!(store.check_still_there().await, Err(Error::Unavailable)));
            assert_eq!(store.fault(), Some(Fault::Gone));
        });
    }
}
