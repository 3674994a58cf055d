//! What is said on standard output once clients can come: where, and a line to paste for each door.
use std::{
    fmt::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use crate::{app::Door, config::Mode};

pub(crate) fn lines(
    addresses: &[SocketAddr],
    mode: Mode,
    doors: &[Door],
    took: Duration,
) -> String {
    let urls: Vec<_> = addresses.iter().map(|it| format!("http://{it}")).collect();
    let Mode::Open = mode;
    let reach = if addresses.iter().all(|it| it.ip().to_canonical().is_loopback()) {
        "loopback only"
    } else {
        "other machines included"
    };
    let mut text = format!(
        "quadrille {} ready on {} (open mode: no sign-in, {reach}; {} ms)\n",
        env!("CARGO_PKG_VERSION"),
        urls.join(", "),
        took.as_millis()
    );
    let Some(&first) = addresses.first() else { return text };
    let here = reachable(first);
    for door in doors {
        writeln!(text, "  {:<8} {}", door.name, door.try_it(here)).expect("a String takes all");
    }
    writeln!(text, "  {:<8} curl http://{here}/healthz", "health").expect("a String takes all");
    text
}

/// Where this machine reaches a listener: "any address" is none to connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
