//! TLS certificates, which can be reloaded while serving.
use std::{
    fmt,
    path::Path,
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

/// Certificate and key of this server. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Certificates {
    files: Tls,
    current: Arc<Current>,
}

/// Certificate for new connections.
struct Current(RwLock<Arc<CertifiedKey>>);

/// The files cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {expected}")]
pub(crate) struct Error {
    key: &'static str,
    expected: String,
}

const CERTIFICATE: &str = "server.tls.certificate";
const KEY: &str = "server.tls.key";

// === impl Certificates ===

impl Certificates {
    pub(crate) fn load(files: &Tls) -> Result<Self, Error> {
        let current = Arc::new(Current(RwLock::new(read(files)?)));
        Ok(Self { files: files.clone(), current })
    }

    /// Reads the files again, for [`Self::show`].
    pub(crate) fn read(&self) -> Result<Arc<CertifiedKey>, Error> {
        read(&self.files)
    }

    /// Uses `new` for new connections; open ones are unchanged.
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

// === impl Error ===

impl Error {
    /// The key of the configuration.
    pub(crate) fn key(&self) -> &'static str {
        self.key
    }

    /// The expectation that the files do not meet.
    pub(crate) fn expected(&self) -> &str {
        &self.expected
    }

    /// Does not repeat the content of `file`.
    fn of_pem(key: &'static str, item: &str, file: &Path, err: &pem::Error) -> Self {
        let file = file.display();
        let expected = match err {
            pem::Error::Io(err) => format!("expected a readable file in PEM, found {file}: {err}"),
            _ => format!("expected {item} in PEM, found none in {file}"),
        };
        Self { key, expected }
    }
}

fn read(files: &Tls) -> Result<Arc<CertifiedKey>, Error> {
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) });
    let certificate = "a certificate";
    let chain =
        chain.map_err(|err| Error::of_pem(CERTIFICATE, certificate, &files.certificate, &err))?;
    let key = PrivateKeyDer::from_pem_file(&files.key);
    let key = key.map_err(|err| Error::of_pem(KEY, "a private key", &files.key, &err))?;
    match CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()) {
        Ok(both) => Ok(Arc::new(both)),
        Err(rustls::Error::InconsistentKeys(_)) => {
            let expected = format!(
                "expected the key of the first certificate in {}, found that of another in {}",
                files.certificate.display(),
                files.key.display()
            );
            Err(Error { key: KEY, expected })
        }
        Err(err) => {
            let expected = format!("expected a certificate and a key that TLS can use: {err}");
            Err(Error { key: CERTIFICATE, expected })
        }
    }
}
