//! A certification authority of a test's own, and clients that trust it.
use std::{io, net::SocketAddr, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{patience::within, scratch::Scratch};

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    client: Arc<ClientConfig>,
}

/// A certificate for `localhost` with its key.
#[derive(Debug)]
pub struct Identity {
    pub certificate: CertificateDer<'static>,
    pub certificate_pem: String,
    pub key_pem: String,
}

impl Authority {
    #[expect(clippy::new_without_default, reason = "it makes a key")]
    pub fn new() -> Self {
        let mut params = CertificateParams::new([]).expect("no names are good names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(issuer.der().clone()).expect("a certificate");
        let mut config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("there are versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        // As browsers offer it.
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self { issuer, client: config.into() }
    }

    pub fn issue(&self) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Identity {
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        }
    }

    /// A connection to `localhost` that has checked the certificate.
    pub async fn connect(&self, at: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        // A session that is taken up again shows no certificate.
        let mut config = (*self.client).clone();
        config.resumption = rustls::client::Resumption::disabled();
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TcpStream::connect(at).await?;
        stream.set_nodelay(true)?;
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
        within("a TLS handshake", connecting).await
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Identity {
    /// Writes `cert.pem` and `key.pem`, in place of those there are.
    pub fn write(&self, to: &Scratch) -> [String; 2] {
        [to.file("cert.pem", &self.certificate_pem), to.file("key.pem", &self.key_pem)]
    }
}

/// Returns the certificate of the server.
pub fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates().expect("the handshake is done");
    chain.first().expect("a certificate").clone().into_owned()
}
