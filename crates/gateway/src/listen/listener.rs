//! Listening sockets.
use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixStream};

use super::unix::{self, UnixSocketListener};
use crate::{config::ListenAddress, proxies::ConnectionPeer};

/// Send buffer of the kernel, in bytes (Linux doubles it). The default grows to megabytes, and a ping
/// behind them comes too late to tell dead clients from slow ones.
const SEND_BUFFER: u32 = 256 << 10;

/// Cannot listen on an address.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error("cannot listen on {address}: {}", advice(.source, *.address))]
    Tcp { address: SocketAddr, source: io::Error },
    #[error(transparent)]
    Unix(#[from] unix::UnixListenError),
}

/// A socket that accepts connections.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Its address, with the actual port for port 0.
    address: ListenAddress,
    socket: ListenSocket,
}

#[derive(Debug)]
enum ListenSocket {
    Tcp(TcpListener),
    Unix(UnixSocketListener),
}

/// An accepted connection, before anything is read.
#[derive(Debug)]
pub(crate) enum Accepted {
    Tcp(TcpStream, IpAddr),
    /// Begins with a TLS handshake.
    Tls(TcpStream, IpAddr),
    Unix(UnixStream),
}

// === impl Listener ===

impl Listener {
    /// Listens on `address`; nothing is accepted yet.
    pub(crate) fn bind(address: &ListenAddress) -> Result<Self, ListenError> {
        let (address, socket) = match address {
            ListenAddress::Plain(at) => {
                let (at, socket) = bind(*at)?;
                (ListenAddress::Plain(at), ListenSocket::Tcp(socket))
            }
            ListenAddress::Tls(at) => {
                let (at, socket) = bind(*at)?;
                (ListenAddress::Tls(at), ListenSocket::Tcp(socket))
            }
            ListenAddress::Unix(path) => {
                (address.clone(), ListenSocket::Unix(UnixSocketListener::open(path)?))
            }
        };
        Ok(Self { address, socket })
    }

    pub(crate) fn address(&self) -> &ListenAddress {
        &self.address
    }

    pub(crate) async fn accept(&self) -> io::Result<Accepted> {
        let listener = match &self.socket {
            ListenSocket::Tcp(listener) => listener,
            ListenSocket::Unix(socket) => return socket.accept().await.map(Accepted::Unix),
        };
        let (stream, from) = listener.accept().await?;
        // No Nagle delay for small records. Fails only if the connection is closed already.
        stream.set_nodelay(true).ok();
        let ip = from.ip().to_canonical();
        let tls = self.address.is_tls();
        Ok(if tls { Accepted::Tls(stream, ip) } else { Accepted::Tcp(stream, ip) })
    }
}

// === impl Accepted ===

impl Accepted {
    pub(crate) fn caller(&self) -> ConnectionPeer {
        match self {
            Self::Tcp(_, ip) | Self::Tls(_, ip) => ConnectionPeer::Address(*ip),
            Self::Unix(_) => ConnectionPeer::Unix,
        }
    }
}

fn bind(address: SocketAddr) -> Result<(SocketAddr, TcpListener), ListenError> {
    let open = || {
        let socket = match address.ip() {
            IpAddr::V4(_) => TcpSocket::new_v4(),
            IpAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        // Or a restart would wait for connections of its predecessor in TIME_WAIT.
        socket.set_reuseaddr(true)?;
        // Inherited by accepted sockets.
        socket.set_send_buffer_size(SEND_BUFFER)?;
        socket.bind(address)?;
        let listener = socket.listen(unix::BACKLOG)?;
        Ok((listener.local_addr()?, listener))
    };
    open().map_err(|source| ListenError::Tcp { address, source })
}

fn advice(err: &io::Error, address: SocketAddr) -> String {
    match err.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {} is in use; stop the program that has it, or choose another port in \
             server.listen",
            address.port()
        ),
        io::ErrorKind::PermissionDenied => {
            format!("port {} needs privileges; choose one from 1024 up", address.port())
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine has no address {}; see `ip address`", address.ip())
        }
        _ => format!("{err}; choose another address in server.listen"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_named_with_what_to_do() {
        let first = Listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let ListenAddress::Plain(address) = first.address() else { panic!("{first:?}") };
        let port = address.port();
        let expected = format!(
            "cannot listen on {address}: port {port} is in use; stop the program that has it, or \
             choose another port in server.listen"
        );
        assert_eq!(Listener::bind(first.address()).unwrap_err().to_string(), expected);
    }
}
