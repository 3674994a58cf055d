//! The sockets that clients connect to.
use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use tokio::net::{TcpListener, TcpSocket};

/// Connections that the kernel holds until they are accepted: enough for all clients of a busy
/// node coming back at once. The kernel lowers it to `net.core.somaxconn`.
const BACKLOG: u32 = 4096;

/// Bytes that the kernel holds for a client that reads slowly (Linux doubles it). Left to itself it
/// would take megabytes, and a ping behind them comes too late to tell the dead from the slow.
const SEND_BUFFER: u32 = 256 << 10;

/// Cannot listen there.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", advice(.source, *.address))]
pub(crate) struct Unavailable {
    address: SocketAddr,
    source: io::Error,
}

/// Listen on `address`; nothing is accepted yet.
pub(crate) fn bind(address: SocketAddr) -> Result<TcpListener, Unavailable> {
    let open = || {
        let socket = match address.ip() {
            IpAddr::V4(_) => TcpSocket::new_v4(),
            IpAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        // Or a restart would have to wait for the last connections of its predecessor.
        socket.set_reuseaddr(true)?;
        // Accepted sockets inherit it.
        socket.set_send_buffer_size(SEND_BUFFER)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    open().map_err(|source| Unavailable { address, source })
}

fn advice(why: &io::Error, address: SocketAddr) -> String {
    match why.kind() {
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
        _ => format!("{why}; choose another address in server.listen"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_named_with_what_to_do() {
        let first = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        let port = address.port();
        let expected = format!(
            "cannot listen on {address}: port {port} is in use; stop the program that has it, or \
             choose another port in server.listen"
        );
        assert_eq!(bind(address).unwrap_err().to_string(), expected);
    }
}
