//! `--sign-key`, `--verify-key` and `--signatures`: who signs tables, and whose signatures count.

use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;
use isledb::signature::{SignaturePolicy, TableSigner, TableVerifier};
use isledb::{DbOptions, Error, keys};

use crate::args::Global;
use crate::exit::{Failure, Outcome};

/// What happens to tables that no trusted key signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Policy {
    /// They are read
    Off,
    /// They are read, and a warning tells of them
    Warn,
    /// They are not read (exit code 5)
    Require,
}

/// The options with the keys that the flags name.
pub(crate) fn with_keys(options: DbOptions, global: &Global) -> Outcome<DbOptions> {
    let signer = global.sign_key.as_deref().map(|path| read(path, keys::signer)).transpose()?;
    let verifier = global.verify_key.as_deref().map(|path| read(path, keys::verifier)).transpose()?;
    let signatures = global.signatures.map(|policy| match policy {
        Policy::Off => SignaturePolicy::Off,
        Policy::Warn => SignaturePolicy::Warn,
        Policy::Require => SignaturePolicy::Require,
    });
    if verifier.is_none() && matches!(global.signatures, Some(Policy::Warn | Policy::Require)) {
        return Err(Failure::usage("--signatures needs to know whom to trust").advise("give --verify-key"));
    }
    Ok(DbOptions {
        signer: signer.map(|signer| Arc::new(signer) as Arc<dyn TableSigner>),
        verifier: verifier.map(|verifier| Arc::new(verifier) as Arc<dyn TableVerifier>),
        signatures,
        ..options
    })
}

fn read<T>(path: &Path, parse: fn(&str) -> Result<T, Error>) -> Outcome<T> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(&shown, &error))?;
    parse(&text).map_err(|error| Failure::usage(format!("{shown}: {error}")).at(shown))
}
