//! A proxy in front of a gateway.
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
};

use e2e::{Gateway, eventually, process::Process, scratch::Scratch};
use tokio::net::TcpStream;

/// Setting with which the gateway trusts its proxy.
pub(crate) const TRUSTING: (&str, &str) = ("server.trusted_proxies", r#"["127.0.0.0/8"]"#);

/// The proxies, as they are configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `proxy_pass`, and nothing else: HTTP/1.0, and a connection for each request.
    Bare,
    /// With what a WebSocket needs, and connections that are kept.
    Nginx,
    Haproxy,
}

/// A proxy that runs until it is dropped.
pub(crate) struct Proxy {
    at: SocketAddr,
    _process: Process,
    _home: Scratch,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Bare, Self::Nginx, Self::Haproxy];
    /// Proxies that let a WebSocket through.
    pub(crate) const WHOLE: [Self; 2] = [Self::Nginx, Self::Haproxy];
}

impl Proxy {
    pub(crate) async fn start(kind: Kind, gateway: &Gateway) -> Self {
        Self::below(kind, gateway, "").await
    }

    /// For what is below `path`, which it takes away: `""` is everything.
    pub(crate) async fn below(kind: Kind, gateway: &Gateway, path: &str) -> Self {
        let home = Scratch::new();
        let folder = home.path().display().to_string();
        let port = free_port();
        let upstream = gateway.address().to_string();
        let (program, text) = match kind {
            Kind::Bare => ("NGINX", nginx(&folder, port, &bare(&upstream))),
            Kind::Nginx => ("NGINX", nginx(&folder, port, &usual(&upstream, path))),
            Kind::Haproxy => ("HAPROXY", haproxy(port, &upstream, path)),
        };
        let file = home.path().join("proxy.conf");
        fs::write(&file, text).expect("a file in a folder of its own");
        let file = file.display().to_string();
        let args: &[&str] = match kind {
            Kind::Haproxy => &["-f", &file],
            Kind::Bare | Kind::Nginx => &["-p", &folder, "-c", &file],
        };
        let process = Process::start(&prepared(program), args, &[], home.path());
        let at = SocketAddr::from(([127, 0, 0, 1], port));
        eventually("the proxy to listen", async || TcpStream::connect(at).await.ok()).await;
        Self { at, _process: process, _home: home }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.at
    }
}

fn nginx(folder: &str, port: u16, servers: &str) -> String {
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String = kinds.map(|it| format!("{it}_temp_path {folder}/{it};\n")).concat();
    let user = if is_root() { "user root;" } else { "" };
    let servers = servers.replace("PORT", &port.to_string());
    format!(
        "daemon off;\n{user}\npid {folder}/pid;\nerror_log stderr;\nworker_processes 1;\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}{servers}}}\n"
    )
}

fn bare(upstream: &str) -> String {
    format!(
        "server {{
           listen 127.0.0.1:PORT;
           client_max_body_size 20m;
           location / {{ proxy_pass http://{upstream}; }}
         }}\n"
    )
}

fn usual(upstream: &str, path: &str) -> String {
    let prefix = if path.is_empty() {
        String::new()
    } else {
        format!("proxy_set_header X-Forwarded-Prefix {path};")
    };
    format!(
        "map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
         upstream quadrille {{ server {upstream}; keepalive 32; }}
         server {{
           listen 127.0.0.1:PORT;
           client_max_body_size 20m;
           location {path}/ {{
             proxy_pass http://quadrille/;
             proxy_http_version 1.1;
             proxy_set_header Host $http_host;
             proxy_set_header Upgrade $http_upgrade;
             proxy_set_header Connection $connection_upgrade;
             proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
             proxy_set_header X-Forwarded-Proto $scheme;
             {prefix}
           }}
         }}\n"
    )
}

fn haproxy(port: u16, upstream: &str, path: &str) -> String {
    let taken = if path.is_empty() {
        String::new()
    } else {
        format!(
            "  http-request set-header X-Forwarded-Prefix {path}\n\
             \x20 http-request replace-path {path}/(.*) /\\1\n"
        )
    };
    format!(
        "defaults
  mode http
  option forwardfor
  timeout connect 5s
  timeout client 75s
  timeout server 75s
  timeout tunnel 1h
frontend web
  bind 127.0.0.1:{port}
  http-request set-header X-Forwarded-Proto http
{taken}  default_backend quadrille
backend quadrille
  option httpchk
  server one {upstream} check inter 200ms
"
    )
}

/// Where a program is, as those who prepared the tests say.
fn prepared(name: &str) -> PathBuf {
    let variable = format!("QUADRILLE_TEST_{name}");
    let found = std::env::var_os(&variable);
    found.unwrap_or_else(|| panic!("{variable} is not set: run `cargo xtask test proxies`")).into()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
    listener.local_addr().expect("it has an address").port()
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;

    fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0)
}
