//! Checks the `Host` of requests (RFC 9110, 7.2) against DNS rebinding: any foreign name can be made to
//! resolve to this host, and to a browser its pages are then of the same origin. Without sign-in, only
//! known names are served.
use axum::http::{HeaderMap, Request, StatusCode, Version, header::HOST, uri::Authority};
use quadrille_edge::http::Problem;
use quadrille_identity::Mode;

use crate::config::Config;

/// Names that are served.
#[derive(Clone, Debug)]
pub(crate) enum Hosts {
    Any,
    /// These, those of this machine, and IP addresses, which cannot be rebound.
    Known(Vec<String>),
}

// === impl Hosts ===

impl Hosts {
    /// Checks names in open mode and wherever some are listed. Hosts of `server.origins` are known; if
    /// it has `*`, nothing is left to protect.
    pub(crate) fn new(config: &Config) -> Self {
        let server = &config.server;
        let open = config.auth.mode == Mode::Open && !config.auth.allow_open;
        let any = server.origins.iter().any(|origin| origin == "*");
        if server.hosts.is_empty() && (!open || any) {
            return Self::Any;
        }
        let pages = server.origins.iter().filter_map(|origin| origin.split_once("://"));
        let pages = pages.filter_map(|(_, authority)| name(authority));
        let public =
            server.public_url.split_once("://").and_then(|(_, rest)| rest.split('/').next());
        let listed = server.hosts.iter().map(|host| plain(host));
        Self::Known(pages.chain(public.and_then(name)).chain(listed).collect())
    }

    /// Returns a warning if URLs in events may begin with a forged `Host`: without `server.public_url`
    /// they take that of the client which uploaded the file, and here any is accepted.
    pub(crate) fn advice(config: &Config) -> Option<&'static str> {
        let any = matches!(Self::new(config), Self::Any) && config.server.public_url.is_empty();
        any.then_some(
            "warning: any Host is accepted, and URLs of files in events begin with that of the uploading \
             client; set server.public_url, or list names in server.hosts",
        )
    }

    /// Refuses a request for another host. `local` means that it came over a unix socket, which no
    /// browser reaches, so that its `Host` is left to the proxy.
    pub(crate) fn check<B>(&self, request: &Request<B>, local: bool) -> Result<(), Problem> {
        let host = sent(request.headers(), request.version())?;
        let Self::Known(known) = self else { return Ok(()) };
        if local {
            return Ok(());
        }
        // The target counts (RFC 9112, 3.2.2), but both have to be known.
        let target = request.uri().authority().map(Authority::as_str);
        if [target, host].into_iter().flatten().all(|authority| is_known(authority, known)) {
            return Ok(());
        }
        let title = "this host is not served here";
        Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "/problems/host", title)
            .detail("add its name to server.hosts, or ask localhost or an IP address"))
    }
}

/// Reads the one `Host` that HTTP/1.1 requires (RFC 9112, 3.2). HTTP/1.0 may omit it: browsers never
/// do.
fn sent(headers: &HeaderMap, version: Version) -> Result<Option<&str>, Problem> {
    let mut sent = headers.get_all(HOST).iter();
    match (sent.next(), sent.next()) {
        (None, _) if version < Version::HTTP_11 => Ok(None),
        (Some(host), None) => host.to_str().map(Some).map_err(|_| bad()),
        _ => Err(bad()),
    }
}

fn bad() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "/problems/bad-host",
        "the header Host is missing or ambiguous",
    )
    .detail("send the header Host once, as HOST or HOST:PORT")
}

fn is_known(authority: &str, known: &[String]) -> bool {
    let Some(name) = name(authority) else { return false };
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
        || name.parse::<std::net::Ipv4Addr>().is_ok()
        || name == "localhost"
        || name.ends_with(".localhost")
        || known.iter().any(|known_name| match known_name.strip_prefix('*') {
            // A wildcard for subdomains.
            Some(above) => name.ends_with(above),
            None => *known_name == name,
        })
}

/// Host of `HOST[:PORT]`.
fn name(authority: &str) -> Option<String> {
    let authority: Authority = authority.parse().ok()?;
    (!authority.as_str().contains('@')).then(|| plain(authority.host()))
}

/// Lower case, without the trailing dot of an absolute name.
fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(change: impl FnOnce(&mut Config)) -> Hosts {
        let mut config = Config::default();
        change(&mut config);
        Hosts::new(&config)
    }

    fn status(hosts: &Hosts, target: &str, host: &str) -> u16 {
        let request = Request::get(target).header(HOST, host).body(()).unwrap();
        hosts.check(&request, false).err().map_or(200, |problem| problem.status)
    }

    #[test]
    fn without_sign_in_only_addresses_and_known_names_are_answered() {
        let hosts = hosts(|config| {
            config.server.origins =
                vec!["https://Chat.example:8443".into(), "https://*.below.example".into()];
            config.server.public_url = "https://public.example/assistant".into();
            config.server.hosts = vec!["Gateway.example".into()];
        });
        let known = [
            "127.0.0.1:8080",
            "[::1]:8080",
            "[::ffff:1.2.3.4]",
            "10.1.2.3",
            "localhost",
            "LocalHost.:80",
            "a.localhost",
            "chat.example",
            "CHAT.example:1",
            "gateway.example.",
            "a.below.example",
            "public.example",
        ];
        let unknown = [
            "",
            ":80",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evillocalhost",
            "127.1",
            "0x7f000001",
            "x@localhost",
            "[localhost]",
            "chat.example.evil.example",
            "gateway.example..",
            "below.example",
            "abelow.example",
        ];
        for host in known {
            assert_eq!(status(&hosts, "/", host), 200, "{host}");
            assert_eq!(status(&hosts, "http://evil.example/", host), 421, "{host}");
        }
        for host in unknown {
            assert_eq!(status(&hosts, "/", host), 421, "{host}");
            assert_eq!(status(&hosts, "http://localhost/", host), 421, "{host}");
        }
    }

    #[test]
    fn names_count_where_nobody_signs_in_or_some_are_listed() {
        let foreign = |hosts: &Hosts| status(hosts, "/", "evil.example");
        let jwt = hosts(|config| config.auth.mode = Mode::Jwt);
        let allowed = hosts(|config| config.auth.allow_open = true);
        let all_pages = hosts(|config| config.server.origins = vec!["*".into()]);
        assert_eq!([foreign(&jwt), foreign(&allowed), foreign(&all_pages)], [200; 3]);
        let listed = hosts(|config| {
            config.auth.mode = Mode::Jwt;
            config.server.hosts = vec!["chat.example".into()];
        });
        assert_eq!([foreign(&listed), foreign(&hosts(|_| {}))], [421; 2]);
    }

    #[test]
    fn an_address_for_others_is_warned_of_where_any_name_is_answered() {
        let advice = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            Hosts::advice(&config).is_some()
        };
        assert!(advice(|config| config.auth.mode = Mode::Jwt));
        assert!(advice(|config| config.auth.allow_open = true));
        assert!(advice(|config| config.server.origins = vec!["*".into()]));
        assert!(!advice(|_| {}));
        let public = |config: &mut Config| {
            config.auth.mode = Mode::Jwt;
            config.server.public_url = "https://chat.example".into();
        };
        let listed = |config: &mut Config| {
            config.auth.mode = Mode::Jwt;
            config.server.hosts = vec!["chat.example".into()];
        };
        assert_eq!([advice(public), advice(listed)], [false; 2]);
    }

    #[test]
    fn one_host_is_needed_but_for_old_programs_and_a_unix_socket_answers_to_any() {
        let hosts = hosts(|_| {});
        let check = |request: &Request<()>, local| {
            hosts.check(request, local).err().map_or(200, |problem| problem.status)
        };
        let mut request = Request::new(());
        assert_eq!([check(&request, false), check(&request, true)], [400; 2]);
        *request.version_mut() = Version::HTTP_10;
        assert_eq!(check(&request, false), 200);
        request.headers_mut().insert(HOST, "evil.example".parse().unwrap());
        assert_eq!([check(&request, false), check(&request, true)], [421, 200]);
        request.headers_mut().append(HOST, "localhost".parse().unwrap());
        assert_eq!([check(&request, false), check(&request, true)], [400; 2]);
    }
}
