//! Startup lines on standard output: the listeners, and a command to paste for each route.
use std::{
    fmt::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use quadrille_identity::Mode;

use crate::{
    config::{ListenAddress, Server},
    route::{ClientUrls, Route},
};

/// Renders the lines. `public` has the base path and the public URL.
pub(crate) fn lines(
    addresses: &[&ListenAddress],
    public: &Server,
    mode: Mode,
    routes: &[Route],
    took: Duration,
) -> String {
    let listeners: Vec<_> = addresses.iter().map(|address| url(address)).collect();
    let local = addresses.iter().all(|address| address.is_local());
    let sign_in = match mode {
        Mode::Open if local => "open mode: no sign-in, loopback only",
        Mode::Open => "open mode: no sign-in, other machines included",
        Mode::Jwt => "jwt mode: sign-in by token",
    };
    let mut text = format!(
        "quadrille {} ready on {} ({sign_in}; {} ms)\n",
        env!("CARGO_PKG_VERSION"),
        listeners.join(", "),
        took.as_millis()
    );
    let Some(first) = addresses.first() else { return text };
    let urls = ClientUrls::to(first).below(public.base_path.trim_end_matches('/'));
    for route in routes {
        writeln!(text, "  {:<8} {}", route.name, (route.example)(&urls, &route.path, mode))
            .expect("a String takes all");
    }
    writeln!(text, "  {:<8} {} {}/healthz", "health", urls.curl, urls.http)
        .expect("a String takes all");
    if !public.public_url.is_empty() {
        let url = public.public_url.trim_end_matches('/');
        writeln!(text, "  {:<8} {url}/", "public").expect("a String takes all");
    }
    text
}

fn url(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Plain(at) => format!("http://{at}"),
        ListenAddress::Tls(_) | ListenAddress::Unix(_) => address.to_string(),
    }
}

impl ClientUrls {
    fn to(address: &ListenAddress) -> Self {
        let curl = "curl".to_owned();
        match address {
            ListenAddress::Plain(at) => {
                let at = reachable(*at);
                Self { http: format!("http://{at}"), ws: format!("ws://{at}"), curl }
            }
            ListenAddress::Tls(at) => {
                let at = reachable(*at);
                Self { http: format!("https://{at}"), ws: format!("wss://{at}"), curl }
            }
            ListenAddress::Unix(path) => {
                let path = path.display();
                let curl = format!("curl --unix-socket {path}");
                Self { http: "http://localhost".into(), ws: format!("ws+unix:{path}:"), curl }
            }
        }
    }
}

impl ClientUrls {
    /// Appends the base path.
    fn below(self, path: &str) -> Self {
        let Self { http, ws, curl } = self;
        Self { http: http + path, ws: ws + path, curl }
    }
}

/// Address for clients on this machine: the unspecified address becomes loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(addresses: &[&str]) -> String {
        said_in(Mode::Open, addresses)
    }

    fn said_in(mode: Mode, addresses: &[&str]) -> String {
        let addresses: Vec<ListenAddress> =
            addresses.iter().map(|address| address.parse().unwrap()).collect();
        let addresses: Vec<_> = addresses.iter().collect();
        let route = Route {
            name: "broker",
            summary: "channels",
            path: "/ws".into(),
            example: |urls, path, mode| format!("connect {}{path} ({mode:?})", urls.ws),
        };
        lines(&addresses, &Server::default(), mode, &[route], Duration::from_millis(12))
            .replace(env!("CARGO_PKG_VERSION"), "VERSION")
    }

    #[test]
    fn every_listener_is_named_and_every_route_has_a_line_to_paste() {
        let expected = "\
quadrille VERSION ready on http://127.0.0.1:8080, http://[::1]:9000 (open mode: no sign-in, loopback only; 12 ms)
  broker   connect ws://127.0.0.1:8080/ws (Open)
  health   curl http://127.0.0.1:8080/healthz
";
        assert_eq!(said(&["127.0.0.1:8080", "[::1]:9000"]), expected);
    }

    #[test]
    fn a_listener_on_every_address_is_tried_on_this_machine() {
        let expected = "\
quadrille VERSION ready on http://0.0.0.0:80 (open mode: no sign-in, other machines included; 12 ms)
  broker   connect ws://127.0.0.1:80/ws (Open)
  health   curl http://127.0.0.1:80/healthz
";
        assert_eq!(said(&["0.0.0.0:80"]), expected);
    }

    #[test]
    fn tls_and_unix_sockets_are_reached_in_their_own_way() {
        let expected = "\
quadrille VERSION ready on https://127.0.0.1:8443, unix:/run/q.sock (open mode: no sign-in, loopback only; 12 ms)
  broker   connect wss://127.0.0.1:8443/ws (Open)
  health   curl https://127.0.0.1:8443/healthz
";
        assert_eq!(said(&["https://127.0.0.1:8443", "unix:/run/q.sock"]), expected);
        let expected = "\
quadrille VERSION ready on unix:/run/q.sock (open mode: no sign-in, loopback only; 12 ms)
  broker   connect ws+unix:/run/q.sock:/ws (Open)
  health   curl --unix-socket /run/q.sock http://localhost/healthz
";
        assert_eq!(said(&["unix:/run/q.sock"]), expected);
    }

    #[test]
    fn a_route_knows_whether_a_token_is_needed() {
        let expected = "\
quadrille VERSION ready on http://0.0.0.0:80 (jwt mode: sign-in by token; 12 ms)
  broker   connect ws://127.0.0.1:80/ws (Jwt)
  health   curl http://127.0.0.1:80/healthz
";
        assert_eq!(said_in(Mode::Jwt, &["0.0.0.0:80"]), expected);
    }
}
