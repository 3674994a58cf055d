//! The rings of tests: the command of each, and its prerequisites.
use clap::ValueEnum;
use xshell::{Cmd, cmd};

use crate::{clients, postgres::Server, project::Project, proxies};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ring {
    /// Unit, integration and documentation tests of every crate.
    Unit,
    /// Every interleaving of the concurrent parts of core, by loom.
    Model,
    /// The store on a `PostgreSQL` server that is started for it.
    Postgres,
    /// The built gateway, driven from Rust.
    Blackbox,
    /// The built gateway, driven by clients in Python.
    Python,
    /// The built gateway, driven by clients in JavaScript.
    Node,
    /// The built gateway behind nginx and `HAProxy`.
    Proxies,
}

/// Prerequisites of a ring, ready for use.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Tells the tests where everything is.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// Stopped when the ring is done.
    _server: Option<Server>,
}

impl Ring {
    pub(crate) const ALL: [Self; 7] = [
        Self::Unit,
        Self::Model,
        Self::Postgres,
        Self::Blackbox,
        Self::Python,
        Self::Node,
        Self::Proxies,
    ];
    pub(crate) const CLIENTS: [Self; 3] = [Self::Blackbox, Self::Python, Self::Node];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Model => "model",
            Self::Postgres => "postgres",
            Self::Blackbox => "blackbox",
            Self::Python => "python",
            Self::Node => "node",
            Self::Proxies => "proxies",
        }
    }

    /// `cargo test`, without the arguments for the tests themselves.
    pub(crate) fn command(self, project: &Project) -> Cmd<'_> {
        let sh = &project.sh;
        match self {
            Self::Unit => cmd!(sh, "cargo test --no-fail-fast --workspace --exclude e2e"),
            Self::Model => {
                let target = project.target().join("model");
                cmd!(
                    sh,
                    "cargo test -p quadrille-core --lib --release --target-dir {target} model::"
                )
                .env("RUSTFLAGS", "--cfg model")
            }
            Self::Postgres => {
                cmd!(sh, "cargo test --no-fail-fast -p quadrille-store --features postgres")
            }
            Self::Blackbox => cmd!(sh, "cargo test --no-fail-fast -p e2e --lib --test blackbox"),
            Self::Python => cmd!(sh, "cargo test -p e2e --test python"),
            Self::Node => cmd!(sh, "cargo test -p e2e --test node"),
            Self::Proxies => cmd!(sh, "cargo test -p e2e --test proxies"),
        }
    }

    /// Command that builds first, so that a failing build is not taken for a failing test.
    pub(crate) fn build(self, project: &Project) -> Cmd<'_> {
        let sh = &project.sh;
        match self {
            Self::Unit => cmd!(sh, "cargo build --workspace --all-targets"),
            Self::Model | Self::Postgres => self.command(project).arg("--no-run"),
            // With traces, which change nothing before they are configured.
            Self::Blackbox | Self::Python | Self::Node | Self::Proxies => {
                cmd!(sh, "cargo build -p quadrille --features otel")
            }
        }
    }

    /// Installs and starts the prerequisites of the ring. The error is the reason if it cannot run
    /// here.
    pub(crate) fn prepare(self, project: &Project) -> Result<Prepared, String> {
        let environment = match self {
            Self::Unit | Self::Model | Self::Blackbox => Vec::new(),
            Self::Postgres => {
                let server = Server::start(project)?;
                let environment = vec![("QUADRILLE_TEST_POSTGRES", server.url.clone())];
                return Ok(Prepared { environment, _server: Some(server) });
            }
            Self::Python => clients::python(project)?,
            Self::Node => clients::node(project)?,
            Self::Proxies => proxies::find(project)?,
        };
        Ok(Prepared { environment, _server: None })
    }
}
