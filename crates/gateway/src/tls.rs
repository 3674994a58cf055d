//! TLS: who this server is, from two files that can be read again while it serves.
use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::config::Tls;

/// The certificate of this server and its key. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Certificates {
    files: Tls,
    current: Arc<Current>,
}

/// What new connections are shown.
struct Current(RwLock<Arc<CertifiedKey>>);

/// The files cannot be used. The text begins with the key of the configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{key}: expected a readable file in PEM, found {}: {why}", .file.display())]
    Unreadable { key: &'static str, file: PathBuf, why: io::Error },
    #[error("{key}: expected {what} in PEM, found none in {}", .file.display())]
    NotPem { key: &'static str, what: &'static str, file: PathBuf },
    #[error(
        "server.tls.key: expected the key of the first certificate in {}, found that of another in \
         {}", .0.certificate.display(), .0.key.display()
    )]
    Mismatch(Tls),
    #[error("server.tls.certificate: expected a certificate and a key that TLS can use: {0}")]
    Unusable(rustls::Error),
}

// === impl Certificates ===

impl Certificates {
    pub(crate) fn load(files: &Tls) -> Result<Self, Error> {
        let current = Arc::new(Current(RwLock::new(read(files)?)));
        Ok(Self { files: files.clone(), current })
    }

    /// What is in the files now, for [`Self::show`].
    pub(crate) fn read(&self) -> Result<Arc<CertifiedKey>, Error> {
        read(&self.files)
    }

    /// Show this to new connections. Those there are go on as they are.
    pub(crate) fn show(&self, new: Arc<CertifiedKey>) {
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    /// TLS 1.2 and 1.3, for HTTP/1.1.
    pub(crate) fn server(&self) -> Result<Arc<ServerConfig>, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions()?;
        let resolver: Arc<dyn ResolvesServerCert> = self.current.clone();
        let mut config = config.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

// === impl Current ===

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current(not shown)")
    }
}

fn read(files: &Tls) -> Result<Arc<CertifiedKey>, Error> {
    const CERTIFICATE: &str = "server.tls.certificate";
    const KEY: &str = "server.tls.key";
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) });
    let chain =
        chain.map_err(|why| blame(CERTIFICATE, "a certificate", &files.certificate, why))?;
    let key = PrivateKeyDer::from_pem_file(&files.key);
    let key = key.map_err(|why| blame(KEY, "a private key", &files.key, why))?;
    match CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()) {
        Ok(both) => Ok(Arc::new(both)),
        Err(rustls::Error::InconsistentKeys(_)) => Err(Error::Mismatch(files.clone())),
        Err(why) => Err(Error::Unusable(why)),
    }
}

/// Nothing of what is in the file is told.
fn blame(key: &'static str, what: &'static str, file: &Path, why: pem::Error) -> Error {
    let file = file.to_owned();
    match why {
        pem::Error::Io(why) => Error::Unreadable { key, file, why },
        _ => Error::NotPem { key, what, file },
    }
}
