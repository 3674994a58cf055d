//! New connections to a Cat, and the failures to get one.
use std::{sync::Arc, time::Duration};

use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_tungstenite::{
    Connector, client_async_tls_with_config,
    tungstenite::{Error, protocol::WebSocketConfig},
};
use url::Url;

use super::{
    address::Address,
    gate::Gate,
    link::{CatLink, Socket},
};
use crate::{BadConfig, Code, Failure, Settings};

/// Bytes of the read buffer: tokens are short, and a connection may be idle for long.
const READ_BUFFER: usize = 4096;

/// Bytes of a `chat` frame besides the reply: memories, prompts and vectors in its `why`.
const CHAT_FRAME_EXTRA: usize = 4 << 20;

/// Copies of the reply in a `chat` frame: as `content`, `text` and `message`, and in `why`.
const CHAT_FRAME_COPIES: usize = 4;

pub(super) struct Dialer {
    address: Address,
    connector: Connector,
    config: WebSocketConfig,
    connect_timeout: Duration,
    gate: Gate,
}

// === impl Dialer ===

impl Dialer {
    pub(super) fn new(name: &str, url: &Url, settings: &Settings) -> Result<Self, BadConfig> {
        let address = Address::new(name, url, &settings.token)?;
        let connector = if address.is_secure {
            let tls = tls().map_err(|err| BadConfig {
                key: format!("{name}.url"),
                expected: format!("expected certificates to trust on this machine ({err})"),
            })?;
            Connector::Rustls(Arc::new(tls))
        } else {
            Connector::Plain
        };
        let longest =
            settings.max_reply.saturating_mul(CHAT_FRAME_COPIES).saturating_add(CHAT_FRAME_EXTRA);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(longest))
            .max_frame_size(Some(longest));
        let connect_timeout = settings.connect_timeout;
        Ok(Self { address, connector, config, connect_timeout, gate: Gate::new() })
    }

    /// Connects as `user`, within the connect timeout.
    pub(super) async fn dial(&self, user: &str) -> Result<Box<CatLink>, Failure> {
        let by = Instant::now() + self.connect_timeout;
        let late = || Failure::from(Code::ConnectTimeout);
        let pass = timeout_at(by, self.gate.enter()).await.map_err(|_| late())??;
        let done = timeout_at(by, self.connect(user)).await.unwrap_or_else(|_| Err(late()));
        match &done {
            Err(Failure { code: Code::Unreachable | Code::ConnectTimeout, .. }) => pass.missed(),
            _ => pass.reached(),
        }
        done
    }

    async fn connect(&self, user: &str) -> Result<Box<CatLink>, Failure> {
        // The error would hold the token.
        let Ok(uri) = self.address.of(user) else {
            return Err(Failure::new(Code::Internal, "no address for this user"));
        };
        let stream = TcpStream::connect(&self.address.peer);
        let stream = stream.await.map_err(|err| Failure::new(Code::Unreachable, err))?;
        stream.set_nodelay(true).map_err(|err| Failure::new(Code::Unreachable, err))?;
        let (config, connector) = (Some(self.config), Some(self.connector.clone()));
        let opened = client_async_tls_with_config(uri, stream, config, connector);
        let (socket, _): (Socket, _) = opened.await.map_err(not_opened)?;
        Ok(Box::new(CatLink::new(socket)))
    }
}

/// Trusts the roots of the machine, as every other client in this process does.
fn tls() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions()?.with_platform_verifier()?;
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The failure of a handshake. Of the answer only the status is kept: the rest may repeat the token.
fn not_opened(error: Error) -> Failure {
    let Error::Http(answer) = error else { return Failure::new(Code::Unreachable, error) };
    let status = answer.status();
    // A proxy answers so for a Cat that is down.
    let code = if matches!(status.as_u16(), 502..=504) { Code::Unreachable } else { Code::Refused };
    Failure::new(code, format!("the handshake was answered by {status}"))
}
