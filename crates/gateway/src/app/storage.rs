//! The database and the folder or bucket of files.
use quadrille_core::Life;
use quadrille_edge::Core;

use crate::{config::Config, start_error::StartError};

/// The database and the files, which outlive the process.
#[derive(Clone, Debug)]
pub(crate) struct Persistence {
    #[cfg(any(feature = "rooms", feature = "workflows"))]
    pub(super) store: quadrille_store::Store,
    #[cfg(any(feature = "rooms", feature = "workflows"))]
    pub(super) files: quadrille_store::files::Files,
}

impl Persistence {
    pub(crate) async fn open(config: &Config, core: &Core) -> Result<Self, StartError> {
        #[cfg(any(feature = "rooms", feature = "workflows"))]
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
            Ok(Self { store, files: folder })
        }
        #[cfg(not(any(feature = "rooms", feature = "workflows")))]
        Ok(Self {})
    }

    /// The storage as protocols get it, with the limits on uploads.
    #[cfg(any(feature = "rooms", feature = "workflows"))]
    pub(super) fn shared(&self, config: &Config) -> quadrille_store::Storage {
        quadrille_store::Storage {
            store: self.store.clone(),
            files: self.files.clone(),
            max_upload_size: config.files.max_upload_size,
            link_ttl: config.files.link_ttl,
        }
    }

    /// Starts the periodic maintenance.
    pub(crate) fn start(&self, life: &Life) {
        #[cfg(any(feature = "rooms", feature = "workflows"))]
        {
            let (storage, draining) = (self.clone(), life.clone());
            life.spawn("store", async move {
                tokio::select! {
                    () = draining.draining() => {}
                    () = storage.store.sweep() => {}
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

    /// The part that cannot be written to now, and the reason.
    pub(crate) fn fault(&self) -> Option<String> {
        #[cfg(any(feature = "rooms", feature = "workflows"))]
        {
            let store = self.store.fault().map(|err| format!("store: {err}"));
            store.or_else(|| self.files.fault().map(|err| format!("files: {err}")))
        }
        #[cfg(not(any(feature = "rooms", feature = "workflows")))]
        None
    }

    /// Closes the database. Nothing is written after.
    pub(crate) async fn close(&self) {
        #[cfg(any(feature = "rooms", feature = "workflows"))]
        self.store.close().await;
    }
}

/// Migrates the schema, and returns a line about it.
pub(crate) async fn migrate(config: &Config) -> Result<String, StartError> {
    #[cfg(any(feature = "rooms", feature = "workflows"))]
    {
        let migrated = quadrille_store::Store::migrate(&config.store).await;
        let migrated =
            migrated.map_err(|err| StartError::Storage { key: "store.url", err: err.into() })?;
        Ok(format!("the schema is current; steps taken: {}\n", migrated.applied))
    }
    #[cfg(not(any(feature = "rooms", feature = "workflows")))]
    {
        let absent = "this build has no `rooms`; rebuild with --features rooms";
        Err(StartError::Storage { key: "store", err: absent.into() })
    }
}
