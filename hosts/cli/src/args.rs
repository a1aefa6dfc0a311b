//! The command line: flags of every command here, those of one command beside it.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::command::{
    batch, bench, compact, completions, del, demo, dump, export, gc, get, inspect, load, maintain, man, put,
    retain, scan, serve, sign, stat, tail, verify, why,
};
use crate::keys::Encoding;
use crate::progress::When;
use crate::signing::Policy;

/// Read, write, load, tail and look into an IsleDB database in a bucket or a folder.
#[derive(Debug, Parser)]
#[command(name = "isledb", version, max_term_width = 100, after_help = AFTER)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER: &str = "\
A database is a URL: s3://bucket/prefix, gs://bucket/prefix, az://container/prefix, file:///dir
or ./dir. Credentials come from the usual variables of each cloud (AWS_*, GOOGLE_*, AZURE_*).
Flags of every command are also read from ISLEDB_* variables (ISLEDB_TIMEOUT=5s) and, under
their own names, from the file of --config; the command line wins, then the variables.

Exit codes: 0 done, 1 the key or the database is not there or a check found something, 2 wrong
call, 3 store not reached or out of time, 4 fenced by another owner, 5 corrupt, missing
or untrusted object, 6 unsupported, 7 no permission, 8 outcome unknown, 9 expired view,
cursor or ticket, 130 interrupted before the end.

`isledb help COMMAND` says more, with examples.";

/// What the command does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Put(put::Args),
    Del(del::Args),
    Batch(batch::Args),
    Get(get::Args),
    Scan(scan::Args),
    Tail(tail::Args),
    Load(load::Args),
    Export(export::Args),
    Stat(stat::Args),
    Why(why::Args),
    Dump(dump::Args),
    Verify(verify::Args),
    Compact(compact::Args),
    Retain(retain::Args),
    Gc(gc::Args),
    Maintain(maintain::Args),
    Sign(sign::Args),
    Serve(serve::Args),
    Inspect(inspect::Args),
    Bench(bench::Args),
    Demo(demo::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// One JSON object a line on standard output, and nothing else there
    #[arg(long, global = true, env = "ISLEDB_JSON", hide_env = true, help_heading = "Output")]
    pub(crate) json: bool,
    /// At the end, on standard error: requests, bytes, round trips, dollars
    #[arg(long, global = true, env = "ISLEDB_COST", hide_env = true, help_heading = "Output")]
    pub(crate) cost: bool,
    /// Progress on standard error: auto is on a terminal only, always gives plain lines elsewhere
    #[arg(
        long,
        global = true,
        env = "ISLEDB_PROGRESS",
        hide_env = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Output"
    )]
    pub(crate) progress: When,
    /// Keys and values are hex, on the command line and in what is printed
    #[arg(
        long,
        global = true,
        env = "ISLEDB_HEX",
        hide_env = true,
        conflicts_with = "base64",
        help_heading = "Output"
    )]
    pub(crate) hex: bool,
    /// Keys and values are base64, on the command line and in what is printed
    #[arg(long, global = true, env = "ISLEDB_BASE64", hide_env = true, help_heading = "Output")]
    pub(crate) base64: bool,
    /// Say what happens on standard error; twice for every request
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Output")]
    pub(crate) verbose: u8,

    /// How long a request with its repetitions, or a commit, may take
    #[arg(long, global = true, env = "ISLEDB_TIMEOUT", hide_env = true, value_name = "DURATION", default_value = "60s",
          value_parser = crate::duration::parse, help_heading = "Store")]
    pub(crate) timeout: Duration,
    /// Address of the store's service, where it is not the cloud's own
    #[arg(
        long,
        global = true,
        env = "ISLEDB_ENDPOINT",
        hide_env = true,
        value_name = "URL",
        help_heading = "Store"
    )]
    pub(crate) endpoint: Option<String>,
    /// Region of the bucket
    #[arg(
        long,
        global = true,
        env = "ISLEDB_REGION",
        hide_env = true,
        value_name = "NAME",
        help_heading = "Store"
    )]
    pub(crate) region: Option<String>,
    /// Name the bucket in the path, not in the host name (S3; the default)
    #[arg(
        long,
        global = true,
        env = "ISLEDB_PATH_STYLE",
        hide_env = true,
        conflicts_with = "virtual_hosted",
        help_heading = "Store"
    )]
    pub(crate) path_style: bool,
    /// Name the bucket in the host name, not in the path (S3)
    #[arg(long, global = true, env = "ISLEDB_VIRTUAL_HOSTED", hide_env = true, help_heading = "Store")]
    pub(crate) virtual_hosted: bool,
    /// Allow an endpoint without TLS
    #[arg(long, global = true, env = "ISLEDB_ALLOW_HTTP", hide_env = true, help_heading = "Store")]
    pub(crate) allow_http: bool,
    /// Go on behind the version of ticket:FILE, by the signer that it names, with the token in this file
    #[arg(
        long,
        global = true,
        env = "ISLEDB_SIGNER_TOKEN",
        hide_env = true,
        value_name = "FILE",
        help_heading = "Store"
    )]
    pub(crate) signer_token: Option<PathBuf>,
    /// Keep parts of tables and blobs in this folder, for this and other processes
    #[arg(
        long,
        global = true,
        env = "ISLEDB_CACHE_DIR",
        hide_env = true,
        value_name = "DIR",
        help_heading = "Store"
    )]
    pub(crate) cache_dir: Option<PathBuf>,
    /// The most that the folder of --cache-dir may hold
    #[arg(long, global = true, env = "ISLEDB_CACHE_BYTES", hide_env = true, value_name = "SIZE", default_value = "1GiB",
          value_parser = crate::size::parse, help_heading = "Store")]
    pub(crate) cache_bytes: u64,
    /// Sign the tables that are written with this Ed25519 key (PEM, or base64)
    #[arg(
        long,
        global = true,
        env = "ISLEDB_SIGN_KEY",
        hide_env = true,
        value_name = "FILE",
        help_heading = "Signatures"
    )]
    pub(crate) sign_key: Option<PathBuf>,
    /// Read only tables that one of these Ed25519 public keys signed (PEM, or base64)
    #[arg(
        long,
        global = true,
        env = "ISLEDB_VERIFY_KEY",
        hide_env = true,
        value_name = "FILE",
        help_heading = "Signatures"
    )]
    pub(crate) verify_key: Option<PathBuf>,
    /// What to do about other tables; require where there is --verify-key, else off
    #[arg(
        long,
        global = true,
        env = "ISLEDB_SIGNATURES",
        hide_env = true,
        value_name = "POLICY",
        help_heading = "Signatures"
    )]
    pub(crate) signatures: Option<Policy>,
    /// Serve metrics for Prometheus at this address while the command runs: 127.0.0.1:9464
    #[arg(
        long,
        global = true,
        env = "ISLEDB_METRICS_ADDR",
        hide_env = true,
        value_name = "ADDRESS",
        help_heading = "Output"
    )]
    pub(crate) metrics_addr: Option<SocketAddr>,
    /// Defaults of the flags, in TOML, under the same names
    #[arg(
        long,
        global = true,
        env = "ISLEDB_CONFIG",
        hide_env = true,
        value_name = "FILE",
        help_heading = "Store"
    )]
    pub(crate) config: Option<OsString>,
}

impl Global {
    /// How keys and values look on the command line.
    pub(crate) fn encoding(&self) -> Encoding {
        match (self.hex, self.base64) {
            (true, _) => Encoding::Hex,
            (_, true) => Encoding::Base64,
            _ => Encoding::Utf8,
        }
    }
}

/// Where the database is.
#[derive(Debug, Clone, Args)]
pub(crate) struct Database {
    /// The database: s3://bucket/prefix, gs://, az://, file:///dir or ./dir
    #[arg(value_name = "URL")]
    url: String,
}

impl Database {
    /// As it was written.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// Flags of the commands that take the writer role.
#[derive(Debug, Clone, Args)]
pub(crate) struct Role {
    /// Refuse where another owner holds the writer role, instead of taking it over
    #[arg(long, env = "ISLEDB_NO_TAKEOVER", hide_env = true, help_heading = "Writer")]
    pub(crate) no_takeover: bool,
    /// Claim and write nothing; say what would be done
    #[arg(long, help_heading = "Writer")]
    pub(crate) dry_run: bool,
    /// Trust that the store keeps the conditions of writes, without a probe before the first one
    #[arg(long, env = "ISLEDB_NO_PROBE", hide_env = true, help_heading = "Writer")]
    pub(crate) no_probe: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_command_and_flag_says_what_it_is_for() {
        let mut whole = Cli::command();
        whole.build();
        for command in whole.get_subcommands().filter(|command| command.get_name() != "help") {
            let name = command.get_name();
            assert!(command.get_about().is_some_and(|about| about.to_string().len() > 10), "{name}");
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.contains("Examples:"), "{name} has no examples");
            for argument in command.get_arguments() {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!help.is_empty(), "{name}: {} has no help", argument.get_id());
                assert!(!help.ends_with('.'), "{name}: {}: {help}", argument.get_id());
            }
        }
    }
}
