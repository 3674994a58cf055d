//! The database and the folder or bucket of files.
use quadrille_core::Life;
use quadrille_edge::Core;

use crate::{config::Config, start_error::StartError};

/// The database and the files, which outlive the process.
#[derive(Clone, Debug)]
pub(crate) struct Persistence {
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    pub(super) store: quadrille_store::Store,
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    pub(super) files: quadrille_store::files::Files,
    /// Cancelled when the turns that the last process left have ended.
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    settled: tokio_util::sync::CancellationToken,
}

impl Persistence {
    pub(crate) async fn open(config: &Config, core: &Core) -> Result<Self, StartError> {
        #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
        {
            use quadrille_store::{Store, files::Files};
            let store = |err: quadrille_store::OpenError| StartError::Storage {
                key: "store.url",
                err: err.into(),
            };
            let files = |err: quadrille_store::files::FilesError| StartError::Storage {
                key: "files.url",
                err: err.into(),
            };
            if let Some(lock) = Store::lock(&config.store).map_err(store)? {
                lock.hold();
            }
            let folder = Files::open(&config.files).map_err(files)?;
            folder.lock().map_err(files)?;
            let store = Store::with_shares(&config.store, &core.shares).await.map_err(store)?;
            store.remove_half_backups();
            folder.set_ledger(&store);
            Ok(Self { store, files: folder, settled: tokio_util::sync::CancellationToken::new() })
        }
        #[cfg(not(any(feature = "relay", feature = "rooms", feature = "workflows")))]
        Ok(Self {})
    }

    /// The storage as protocols get it, with the limits on uploads.
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    pub(super) fn shared(&self, config: &Config) -> quadrille_store::Storage {
        quadrille_store::Storage {
            store: self.store.clone(),
            files: self.files.clone(),
            max_upload_size: config.files.max_upload_size,
            link_ttl: config.files.link_ttl,
        }
    }

    /// Stores turns, and ends those that the last process left.
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    pub(super) fn journal(&self, core: &Core) -> quadrille_turns::StoreJournal {
        quadrille_turns::StoreJournal::new(&core.hub, &core.life, self.store.clone())
    }

    /// Ends the turns that the last process left, and publishes their last records. Until that is
    /// done, [`Self::fault`] says so.
    pub(crate) async fn settle(&self, core: &Core) {
        #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
        {
            /// Time for which a start waits; then it goes on, and `/readyz` waits.
            const SETTLE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(2);
            let (journal, settled) = (self.journal(core), self.settled.clone());
            let opened = i64::try_from(quadrille_core::now()).unwrap_or(i64::MAX);
            let work = core.life.finish("turns", async move {
                if journal.settle(opened).await {
                    settled.cancel();
                }
            });
            if tokio::time::timeout(SETTLE_TIMEOUT, work).await.is_err() {
                tracing::warn!("it takes long to end the turns that were cut off");
            }
        }
    }

    /// Starts the periodic maintenance.
    pub(crate) fn start(&self, config: &Config, life: &Life) {
        #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
        {
            let (storage, draining) = (self.clone(), life.clone());
            // A key answers with the turn that it began.
            let keep = config.turns.keep.max(config.store.keep_keys);
            life.spawn("store", async move {
                tokio::select! {
                    () = draining.draining() => {}
                    () = storage.store.sweep() => {}
                    () = storage.store.sweep_turns(keep) => {}
                    () = storage.store.watch() => {}
                    () = storage.store.tidy(&storage.files) => {}
                }
            });
            let (storage, draining) = (self.clone(), life.clone());
            life.spawn("files", async move {
                tokio::select! {
                    () = draining.draining() => {}
                    // Ends at once if there is nothing to watch.
                    () = storage.files.watch() => {}
                }
            });
        }
    }

    /// The part that cannot be written to now, or is not ready yet, and the reason.
    pub(crate) fn fault(&self) -> Option<String> {
        #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
        {
            let store = self.store.fault().map(|err| format!("store: {err}"));
            let files = || self.files.fault().map(|err| format!("files: {err}"));
            let turns = || "turns of the last process are being ended".to_owned();
            store.or_else(files).or_else(|| (!self.settled.is_cancelled()).then(turns))
        }
        #[cfg(not(any(feature = "relay", feature = "rooms", feature = "workflows")))]
        None
    }

    /// Closes the database. Nothing is written after.
    pub(crate) async fn close(&self) {
        #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
        self.store.close().await;
    }
}

/// Migrates the schema, and returns a line about it.
pub(crate) async fn migrate(config: &Config) -> Result<String, StartError> {
    #[cfg(any(feature = "relay", feature = "rooms", feature = "workflows"))]
    {
        let migrated = quadrille_store::Store::migrate(&config.store).await;
        let migrated =
            migrated.map_err(|err| StartError::Storage { key: "store.url", err: err.into() })?;
        Ok(format!("the schema is current; steps taken: {}\n", migrated.applied))
    }
    #[cfg(not(any(feature = "relay", feature = "rooms", feature = "workflows")))]
    {
        let absent = "this build has no `relay`; rebuild with --features relay";
        Err(StartError::Storage { key: "store", err: absent.into() })
    }
}
