//! The command line.
use std::{
    ffi::OsString,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Parser, Subcommand};

use crate::exit_code::USAGE;

const EXIT_CODES: &str = "\
Exit codes:
  0   stopped, every connection closed
  1   the start failed, for example because a port is taken, or the database cannot be opened
  2   stopped before everything had ended: server.grace was over, or a second signal came
  64  the configuration or the command line is wrong";

/// A real-time gateway: one conversation, driven and watched through several protocols
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Configuration file [default: config/quadrille.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Default, PartialEq, Eq, Subcommand)]
pub(crate) enum Command {
    /// Serve until SIGTERM or SIGINT; the default
    #[default]
    Serve,
    /// Check the configuration, and print what it would serve
    CheckConfig,
    /// Print the configuration in effect, as TOML
    PrintConfig {
        /// Print the default configuration, with a comment on every key
        #[arg(long)]
        default: bool,
    },
    /// Migrate the database schema
    Migrate,
    /// Print a token signed with auth.jwt.secret
    Token(TokenArgs),
}

/// Claims of a token.
#[derive(Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct TokenArgs {
    /// User of the token: the claim `sub`
    #[arg(long)]
    pub(crate) user: String,

    /// Channels to grant, such as `news` or `news-*`; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(crate) channels: Vec<String>,

    /// Rooms to grant, by id; may be repeated
    #[arg(long, value_name = "ID")]
    pub(crate) rooms: Vec<String>,

    /// Topics to grant, such as `chat:*`; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(crate) topics: Vec<String>,

    /// Lifetime of the token
    #[arg(long, default_value = "1h", value_parser = humantime::parse_duration)]
    pub(crate) ttl: Duration,

    /// Scopes to grant, for the HTTP API; may be repeated
    #[arg(long)]
    pub(crate) scope: Vec<String>,
}

impl Cli {
    /// Parses the arguments. Fails with the exit code if there is no command to run.
    pub(crate) fn read(
        args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, ExitCode> {
        Self::try_parse_from(args).map_err(|err| {
            // Fails if the terminal is gone.
            err.print().ok();
            if err.use_stderr() { USAGE.into() } else { ExitCode::SUCCESS }
        })
    }
}

/// Writes to standard output. A closed pipe is ignored.
pub(crate) fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<(Option<Command>, Option<PathBuf>), String> {
        let cli = Cli::read(["quadrille"].iter().chain(args)).map_err(|code| format!("{code:?}"));
        cli.map(|cli| (cli.command, cli.config))
    }

    #[test]
    fn the_file_may_be_named_before_and_after_the_command() {
        let file = Some("a.toml".into());
        assert_eq!(read(&[]), Ok((None, None)));
        assert_eq!(read(&["serve"]), Ok((Some(Command::Serve), None)));
        assert_eq!(read(&["migrate"]), Ok((Some(Command::Migrate), None)));
        assert_eq!(read(&["--config", "a.toml"]), Ok((None, file.clone())));
        assert_eq!(
            read(&["check-config", "--config", "a.toml"]),
            Ok((Some(Command::CheckConfig), file.clone()))
        );
        assert_eq!(
            read(&["--config", "a.toml", "print-config", "--default"]),
            Ok((Some(Command::PrintConfig { default: true }), file))
        );
    }

    #[test]
    fn a_token_is_described_by_its_options() {
        let args = "token --user 7 --channels chan:* --channels b --rooms 42 --ttl 90m --scope s";
        let args: Vec<_> = args.split(' ').collect();
        let token = TokenArgs {
            user: "7".into(),
            channels: vec!["chan:*".into(), "b".into()],
            rooms: vec!["42".into()],
            ttl: Duration::from_mins(90),
            scope: vec!["s".into()],
            ..TokenArgs::default()
        };
        assert_eq!(read(&args), Ok((Some(Command::Token(token)), None)));
    }

    #[test]
    fn a_wrong_command_line_is_64_and_a_question_is_0() {
        let code = |code: u8| Err(format!("{:?}", ExitCode::from(code)));
        assert_eq!(read(&["frobnicate"]), code(64));
        assert_eq!(read(&["--config"]), code(64));
        assert_eq!(read(&["serve", "--default"]), code(64));
        assert_eq!(read(&["token"]), code(64));
        assert_eq!(read(&["token", "--user", "7", "--ttl", "soon"]), code(64));
        assert_eq!(read(&["--help"]), code(0));
        assert_eq!(read(&["--version"]), code(0));
    }
}
